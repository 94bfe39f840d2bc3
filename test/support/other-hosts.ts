import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setDefaultCACertificates } from 'node:tls';

import { composeDispatch } from '../../functions/compose-dispatch.ts';
import { composeReconcile } from '../../functions/compose-reconcile.ts';
import { machineOutside, type Outside } from '../../functions/composition.ts';
import { describeProblems, parseConfig } from '../../functions/config.ts';
import { functionLimitMs } from '../../functions/limits.ts';
import { systemWire, type Wire } from '../../functions/templates/guarded-get.ts';
import { startAwsApi } from '../../infra/local/aws-api/server.ts';
import { functionLines } from '../../infra/local/function-lines.ts';
import { takeAwsEnvironment } from '../../infra/local/functions.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { serve, type Exchange, type LocalServer } from '../../infra/local/serve.ts';
import type { World } from '../../infra/local/world.ts';
import { examine } from './doctor-world.ts';
import { heard } from './heard.ts';
import { startWorld } from './scanned-world.ts';

/** What a host may be told: an endpoint of AWS its signatures, any other host nothing. */
export type Standing = 'aws' | 'elsewhere';

/** A host beside those of the world; all that it got is judged with the world. */
export interface OtherHost extends AsyncDisposable {
  readonly url: string;
  /** PEM of the authority that signed its certificate. */
  readonly ca: string;
  readonly exchanges: readonly Exchange[];
}

type Asked = Pick<LocalServer, 'url' | 'exchanges' | 'close'>;

function judgedAs(standing: Standing, { url, exchanges, close }: Asked, ca = ''): OtherHost {
  const end = async (): Promise<void> => {
    await close();
    for (const { request } of exchanges) heard.hearRequest(standing, request);
  };
  return { url, ca, exchanges, [Symbol.asyncDispose]: end };
}

export type StartHost = (world: World) => Promise<OtherHost>;

const now = (): Date => new Date(0);
const template = 'kind: Job';

/** Answers everything with a template that is none of ours. */
const handle = () => ({ status: 200, headers: {}, body: template });

export const startPlain =
  (standing: Standing): StartHost =>
  async () =>
    judgedAs(standing, await serve({ handle, now }));

/** Its certificate is good for every client of this process that brings no CA of its own. */
export const startSecure: StartHost = async () => {
  const tls = await makeServingCertificate();
  setDefaultCACertificates([tls.caPem]);
  return judgedAs('elsewhere', await serve({ handle, now, tls }), tls.caPem);
};

/** Speaks HTTP/2 to whoever begins with it, as requests to a cluster do, and without TLS. */
export const startCleartext: StartHost = async () => {
  const exchanges: Exchange[] = [];
  const server = http2.createServer(async (incoming, response) => {
    const { method, url: path } = incoming;
    const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
    exchanges.push({ request: { method, path, headers, body: await text(incoming) }, status: 200 });
    response.end('{}');
  });
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const session of sessions) session.destroy();
    await closed;
  };
  return judgedAs('elsewhere', { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, exchanges, close });
};

/** Another address of the world's account, which answers as that does: so everything goes on from there. */
export const startAccount: StartHost = async ({ aws: { state }, clock }) =>
  judgedAs('aws', await startAwsApi({ state, now: () => clock.now() }));

/** Every name is one of the public internet, and all of them lead to one host. */
export const everyNameIs = ({ url }: OtherHost): Wire => ({
  resolve: async () => ['93.184.216.34'],
  send: async (request) => {
    const { pathname, search } = request.url;
    return systemWire.send({ ...request, url: new URL(`${url}${pathname}${search}`), address: '127.0.0.1' });
  },
});

const sessionToken = 'canary-session-token-Ww63';

/** By its key id, in the clear or in base64, every signature is known and every login: also one that nobody was seen to use. */
const signed = [
  'AWS key id in other headers to aws',
  'AWS key id in authorization to kubernetes',
  'AWS session token in x-amz-security-token to aws',
];

/** A world whose cluster has to be asked for, and whose role has a session as in Lambda; all that it has is a canary. */
export async function startSignedWorld(): Promise<World> {
  const env = { AWS_MAX_ATTEMPTS: '1', AWS_SDK_UA_APP_ID: '', AWS_SESSION_TOKEN: sessionToken };
  const world = await startWorld({ env, besides: signed });
  const { keys } = world.aws.state;
  for (const [id, key] of keys) {
    keys.set(id, { ...key, sessionToken });
    heard.confide('AWS key id', id);
  }
  return world;
}

/** What leads the functions to another host. */
export interface Lead {
  /** Over the world's own variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly outside?: Partial<Outside>;
  /** Of the run that is due. */
  readonly jobTemplatePath?: string;
}

function seedDue({ prefect, clock }: World, { jobTemplatePath: path }: Lead): void {
  const flowId = seedFlow(prefect.state, { name: 'etl' }, clock.now());
  const runConfig = path === undefined ? {} : { runConfig: { type: 'KubernetesRun', job_template_path: path } };
  seedFlowRun(prefect.state, { flowId, startTime: clock.now(), ...runConfig }, clock.now());
}

/** Both functions, with a run that is due, and then the doctor. */
export async function playLed(world: World, lead: Lead): Promise<void> {
  seedDue(world, lead);
  const env = { ...world.env, ...lead.env };
  const parsed = parseConfig(env);
  if (!parsed.ok) throw new Error(describeProblems(parsed.problems));
  takeAwsEnvironment(env);
  const outside = { ...machineOutside(env), clock: world.clock, ...lead.outside };
  const lines = functionLines(false, parsed.config);
  for (const compose of [composeDispatch, composeReconcile]) {
    const endsAt = new Date(world.clock.now().getTime() + functionLimitMs);
    const report = await compose(parsed.config, outside)({ endsAt, requestId: randomUUID() }, lines);
    heard.hear('reports', JSON.stringify(report));
  }
  await examine(world, lead);
}
