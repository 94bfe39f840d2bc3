import type { LocalRequest } from '../../infra/local/http.ts';

/** What a request of the functions is for, told from the wire alone. */
export type RequestKind =
  | 'poll'
  | 'claim'
  | 'read'
  | 'unfinished'
  | 'fail'
  | 'cancel'
  | 'restore'
  | 'words'
  | 'enrol'
  | 'list-jobs'
  | 'list-pods'
  | 'list-events'
  | 'create'
  | 'get-job'
  | 'delete'
  | 'log-tail'
  | 'secret';

export type Party = 'prefect' | 'kubernetes' | 'aws';

const prefectKinds: readonly (readonly [RequestKind, RegExp])[] = [
  ['enrol', /register_agent|tenant \{ id/u],
  ['poll', /get_runs_in_queue/u],
  ['claim', /set_flow_run_states[\s\S]*"type":"Submitted"/u],
  ['cancel', /set_flow_run_states[\s\S]*"type":"Cancelled"/u],
  ['fail', /set_flow_run_states[\s\S]*"type":"Failed"/u],
  ['restore', /set_flow_run_states/u],
  ['words', /write_run_logs|update_flow_run_heartbeat/u],
  ['unfinished', /"state":\{"_in":\["Submitted","Running","Cancelling"\]/u],
  ['read', /"where":\{"id":\{"_in"/u],
];

const kubernetesKinds: readonly (readonly [RequestKind, string, RegExp])[] = [
  ['create', 'POST', /\/jobs(?:\?|$)/u],
  ['delete', 'DELETE', /\/jobs\//u],
  ['list-jobs', 'GET', /\/jobs\?/u],
  ['get-job', 'GET', /\/jobs\//u],
  ['log-tail', 'GET', /\/log\?/u],
  ['list-pods', 'GET', /\/pods\?/u],
  ['list-events', 'GET', /\/events\?/u],
];

/** Throws for a request that is none of the functions': then one of them has learned something new. */
export function kindOf(to: Party, { method, path, body }: LocalRequest): RequestKind {
  if (to === 'aws') return 'secret';
  const found =
    to === 'prefect'
      ? prefectKinds.find(([, pattern]) => pattern.test(body))
      : kubernetesKinds.find(([, verb, pattern]) => verb === method && pattern.test(path));
  if (found === undefined) throw new Error(`no kind of request: ${method} ${path} ${body.slice(0, 200)}`);
  return found[0];
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gu;

/** Whatever looks like an id in the request, in its order. */
export const idsIn = ({ path, body }: LocalRequest): readonly string[] => [
  ...new Set([...`${path} ${body}`.matchAll(uuid)].map(([id]) => id)),
];
