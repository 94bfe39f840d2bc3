import type { V1Job } from '@kubernetes/client-node';

import type { Clock } from '../clock.ts';
import type { ClusterEvent, JobName, JobSnapshot, PodSnapshot } from '../core/cluster.ts';
import type { JsonObject } from '../core/json.ts';
import type { Secret } from '../secret.ts';
import type { Source } from '../source.ts';
import { Api } from './api.ts';
import { listAll } from './lists.ts';
import { observeEvent, observeJob, observePod } from './observe.ts';
import { openSession, type ApiSession, type ClusterAddress } from './session.ts';
import { JobWriter } from './job-writer.ts';

/**
 * Why the API server did not create a Job.
 *
 * - `quota`: 403 that says `exceeded quota`; `throttled`: 429; `forbidden`: any other 403 (RBAC); `login`: 401;
 * - `invalid`: admission or validation said no for good (400, 403 of a webhook or policy, 404 never, 413, 422);
 * - `namespace`: 404, the namespace is not there;
 * - `server`: 5xx with an answer, also `failed calling webhook`;
 * - `conflict`: 409 whose reason is not AlreadyExists, or AlreadyExists that is not ours;
 * - `unknown`: no readable answer; the Job may exist.
 */
export type RefusalClass =
  | 'quota'
  | 'throttled'
  | 'forbidden'
  | 'login'
  | 'invalid'
  | 'namespace'
  | 'server'
  | 'conflict'
  | 'unknown';

export interface Refusal {
  readonly kind: 'refused';
  readonly class: RefusalClass;
  /** HTTP status, 0 when there was no answer. */
  readonly status: number;
  /** The API server's own message (Status.message), cut to 1 KiB; safe to show to a flow author. */
  readonly message: string;
  readonly retryAfterSeconds: number | null;
}

export type CreateAnswer =
  | { readonly kind: 'created'; readonly uid: string; readonly warnings: readonly string[] }
  /** 409 AlreadyExists, and the Job found under the name carries our stack label, this run and this key. */
  | { readonly kind: 'already-exists'; readonly job: JobSnapshot }
  | Refusal;

/** `gone`: 404. `changed`: 409, the UID under that name is another one now. */
export type DeleteAnswer = { readonly kind: 'deleted' | 'gone' | 'changed' } | Refusal;

export interface ClusterTraffic {
  readonly requests: number;
  readonly connections: number;
  readonly milliseconds: number;
}

/**
 * Jobs of one namespace through one HTTP/2 session per invocation, opened by the first request. Lists are complete and
 * consistent (410 starts them again) or throw BoundaryError: CLUSTER_UNREACHABLE, CLUSTER_FORBIDDEN (401 or 403; the
 * message says which, and what to do), CLUSTER_REFUSED. Objects that cannot be parsed are dropped and counted.
 */
export interface KubernetesGateway {
  listJobs(selector: string, signal: AbortSignal): Promise<readonly JobSnapshot[]>;
  /** Pods with this label selector that are not Succeeded. */
  listPods(selector: string, signal: AbortSignal): Promise<readonly PodSnapshot[]>;
  /** Warning events of the namespace. */
  listWarnings(signal: AbortSignal): Promise<readonly ClusterEvent[]>;
  createJob(job: V1Job, signal: AbortSignal): Promise<CreateAnswer>;
  /** With UID precondition and propagation policy, always. */
  deleteJob(
    job: { readonly name: JobName; readonly uid: string },
    propagation: 'Foreground' | 'Background',
    signal: AbortSignal,
  ): Promise<DeleteAnswer>;
  /** Last lines of a container's log, or null when there is none to be had. Never throws. */
  readLogTail(pod: string, container: string, lines: number, signal: AbortSignal): Promise<string | null>;
  traffic(): ClusterTraffic;
  /** Items that could not be parsed in the lists so far. */
  unreadable(): number;
  /** Destroys the session: nothing in flight outlives the handler. */
  close(): void;
}

export interface KubernetesOptions {
  readonly address: ClusterAddress;
  /** Fetched again once after 401. */
  readonly token: Source<Secret | null>;
  readonly namespace: string;
  readonly stackId: string;
  readonly clock: Clock;
  /** The transport; default: sockets. */
  readonly session?: ApiSession;
}

/** More than this of a log is not worth a flow run's page in the UI. */
const maxLogBytes = 1024 * 1024;

/** Opens nothing: the first request does. */
export function connectKubernetes(options: KubernetesOptions): KubernetesGateway {
  const { address, token, namespace, clock } = options;
  const session = options.session ?? openSession(address);
  const api = new Api({ endpoint: address.endpoint, session, token, clock });
  const writer = new JobWriter({ ...options, api });
  const core = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const jobs = `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs`;
  let dropped = 0;
  const list = async <T>(
    query: Parameters<typeof listAll>[1],
    observe: (raw: JsonObject) => T | null,
  ): Promise<T[]> => {
    const all = await listAll(api, query, observe);
    const readable = all.filter((item) => item !== null);
    dropped += all.length - readable.length;
    return readable;
  };
  return {
    listJobs: (labelSelector, signal) => list({ path: jobs, labelSelector, what: 'list the Jobs', signal }, observeJob),
    listPods: (labelSelector, signal) => {
      const fieldSelector = 'status.phase!=Succeeded';
      return list({ path: `${core}/pods`, labelSelector, fieldSelector, what: 'list the pods', signal }, observePod);
    },
    listWarnings: (signal) => {
      const what = 'list the events';
      return list({ path: `${core}/events`, fieldSelector: 'type=Warning', what, signal }, observeEvent);
    },
    createJob: (job, signal) => writer.create(job, signal),
    deleteJob: (job, propagation, signal) => writer.delete(job, propagation, signal),
    readLogTail: async (...[pod, container, lines, signal]) => {
      const query = new URLSearchParams({ container, tailLines: String(lines), limitBytes: String(maxLogBytes) });
      const path = `${core}/pods/${encodeURIComponent(pod)}/log?${query.toString()}`;
      // Logs are a courtesy to the reader: whatever keeps them away must not keep the run's outcome away.
      const answer = await api.send({ method: 'GET', path, signal }).catch(() => null);
      return answer?.status === 200 ? answer.body : null;
    },
    traffic: () => api.traffic(),
    unreadable: () => dropped,
    close: () => session.close(),
  };
}
