import assert from 'node:assert/strict';

import fc from 'fast-check';

import type { Outside } from '../../functions/composition.ts';
import { parseConfig } from '../../functions/config.ts';
import { checkClusterAddress, checkDns, checkTcp, checkTls } from '../../functions/doctor/network-hops.ts';
import { callPrefect } from '../../functions/doctor/prefect-hops.ts';
import { Visit } from '../../functions/doctor/visit.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { ClusterExam, type Login, type Sight } from '../../functions/kubernetes/examine.ts';
import { connectPrefect } from '../../functions/prefect/client.ts';
import type { PrefectOptions } from '../../functions/prefect/contract.ts';
import { examinePrefect } from '../../functions/prefect/examine.ts';
import { constant } from '../../functions/source.ts';
import { aRunId, STACK } from '../support/builders.ts';
import { aClock, patient } from '../support/clients.ts';
import { edge, laterEdge, type Edge } from './edge.ts';
import { hostileJson, hostileText, textOfJson, twisted } from './hostile-json.ts';

/** All that a configuration needs but the address of Prefect. */
const env = { EKS_CLUSTER_NAME: 'a', STACK_ID: STACK, RUNNER_TOKEN: 't', POD_TOKEN_SECRET: 'none' };

const unreadable = (error: unknown): null => {
  assert.ok(error instanceof BoundaryError, String(error));
  return null;
};

const statuses = fc.constantFrom(200, 200, 200, 201, 201, 302, 400, 401, 403, 404, 429, 500, 503);

const tenants = { data: { tenant: [{ id: aRunId(9) }], register_agent: { id: aRunId(8) } } };
const auth = { data: { auth_info: { tenant_id: aRunId(9) } } };
const refusal = { errors: [{ message: 'field "a" not found in type', extensions: { code: 'validation-failed' } }] };
const operations = fc.oneof(twisted(tenants), twisted(auth), twisted(refusal));
const posts = fc.record({
  status: statuses,
  contentType: fc.oneof(fc.constantFrom('application/json', 'text/html'), hostileText),
  text: fc.oneof(
    { weight: 4, arbitrary: fc.array(operations, { minLength: 1, maxLength: 4 }).map(textOfJson) },
    { weight: 1, arbitrary: fc.oneof(operations, hostileJson).map(textOfJson) },
    { weight: 1, arbitrary: hostileText },
  ),
});

type Posted = Awaited<ReturnType<PrefectOptions['post']>>;

function optionsFor(backend: PrefectOptions['backend'], answer: Posted): PrefectOptions {
  return {
    url: 'http://prefect.test/graphql',
    backend,
    token: constant(null),
    tenantId: null,
    memory: { tenantId: null, agentId: null },
    agentName: 'agent',
    labels: [],
    stackId: STACK,
    clock: aClock(),
    post: async () => answer,
  };
}

const backends = ['server', 'cloud'] as const;

async function holdsForExam(answer: Posted): Promise<void> {
  for (const backend of backends) {
    const exam = examinePrefect(optionsFor(backend, answer));
    await exam.reach(patient()).catch(unreadable);
    const found = (await exam.listTenants(patient()).catch(unreadable)) ?? [];
    assert.ok(found.every((each) => typeof each === 'string'));
    const verdicts = await exam.tryFilters(aRunId(9), patient()).catch(unreadable);
    assert.ok(Object.values(verdicts ?? {}).every((each) => ['accepted', 'mismatch'].includes(each)));
  }
}

/** What a cold container remembers of a liar are texts, or nothing. */
async function holdsForMembership(answer: Posted): Promise<void> {
  for (const backend of backends) {
    const options = optionsFor(backend, answer);
    const client = connectPrefect(options);
    const now = options.clock.now();
    const instants = { dueBefore: now, retryBefore: now, quietBefore: now, lateBefore: now };
    await client.askTenant(patient()).catch(unreadable);
    await client.listDueRuns({ ...instants, withoutLabels: [], signal: patient() }).catch(unreadable);
    for (const known of Object.values(options.memory)) assert.ok(known === null || typeof known === 'string');
  }
}

const reviewed = { status: { allowed: true, userInfo: { username: 'agent', groups: ['a', 'b'] } } };
const quotas = {
  items: [{ metadata: { name: 'q' }, status: { hard: { pods: '10' }, used: { pods: '1' } } }],
  data: { token: 'canary', empty: '' },
};
const anyAnswer = fc.oneof(
  fc
    .oneof(twisted(reviewed), twisted(quotas), twisted({ kind: 'Status', reason: 'NotFound' }), hostileJson)
    .map(textOfJson),
  hostileText,
);
const headers = fc.record({ date: hostileText, 'retry-after': hostileText }, { requiredKeys: [] });
const answers = fc.oneof(
  fc.record({ status: fc.constant(201), body: twisted(reviewed).map(textOfJson), headers }),
  fc.record({ status: fc.constant(200), body: twisted(quotas).map(textOfJson), headers }),
  fc.record({ status: statuses, body: anyAnswer, headers }),
);

type Answered = Awaited<ReturnType<ReturnType<Outside['openSession']>['send']>>;

const isText = (value: unknown): boolean => typeof value === 'string';

/** What each question comes to, where it is answered at all. */
async function examined(answer: Answered) {
  const exam = new ClusterExam({
    address: { endpoint: 'https://kubernetes.test', ca: null },
    token: constant(null),
    namespace: 'flows',
    stackId: STACK,
    clock: aClock(),
    session: { send: async () => answer, connections: () => 1, close: () => undefined },
  });
  return {
    login: await exam.whoAmI(patient()).catch(unreadable),
    right: await exam.mayI({ apiGroup: '', resource: 'pods/log', verb: 'get' }, patient()).catch(unreadable),
    quotas: await exam.readQuotas(patient()).catch(unreadable),
    account: await exam.hasServiceAccount('flow', patient()).catch(unreadable),
    keys: await exam.keysOfSecret('key', patient()).catch(unreadable),
  };
}

function isLogin(login: Login | null): boolean {
  if (login?.kind === 'known') return login.user !== '' && [login.user, ...login.groups].every(isText);
  return login?.kind !== 'rejected' || login.serverTime === null || !isNaN(Number(login.serverTime));
}

const seenOf = <T>(sight: Sight<T> | null): T | null => (sight?.kind === 'seen' ? sight.value : null);

async function holdsForClusterExam(answer: Answered): Promise<void> {
  const { login, right, quotas: rows, account, keys } = await examined(answer);
  assert.ok(isLogin(login));
  assert.ok(right === null || (answer.status === 201 && typeof right === 'boolean'));
  assert.ok((seenOf(rows) ?? []).every((row) => Object.values(row).every(isText)));
  assert.equal(seenOf(account) ?? false, answer.status === 200);
  assert.ok((seenOf(keys) ?? []).every(isText));
}

const hosts = fc.constantFrom('a.example', '[::1]:8443', '10.0.0.1', 'a.example:65535', 'A.EXAMPLE.', 'xn--a.example');
const endpoints = hosts.map((host) => `https://${host}`);
const words = fc.array(hostileText, { maxLength: 3 });
const errors = fc
  .tuple(hostileText, fc.constantFrom('ENOTFOUND', 'ECONNREFUSED', 'ERR_TLS_CERT_ALTNAME_INVALID', undefined))
  .map(([message, code]) => Object.assign(new Error(message), { code }));

interface Shown {
  readonly endpoint: string;
  readonly addresses: readonly string[];
  readonly protocol: string;
  readonly error: Error | null;
}

/** Whatever names and sockets say, the hop has found something, and an error of a socket is not quoted. */
async function holdsForNetwork({ endpoint, addresses, protocol, error }: Shown): Promise<void> {
  const say = async <T>(value: T): Promise<T> => {
    if (error !== null) throw error;
    return value;
  };
  const clock = aClock();
  const none = (): never => assert.fail('nothing is opened for it');
  const outside: Outside = {
    clock,
    newId: () => 'id',
    env: {},
    openHttp: none,
    openSession: none,
    cluster: { address: constant({ endpoint, ca: null }), token: constant(null) },
  };
  const wire = {
    resolve: async () => say(addresses),
    connect: async () => say(undefined),
    shakeHands: async () => say({ protocol, validTo: 'later' }),
  };
  const parsed = parseConfig({ ...env, PREFECT_API: 'http://a.example' });
  const visit = new Visit(parsed, { inCluster: false, image: null }, { outside, wire, endsAt: clock.now() });
  for (const check of [checkClusterAddress, checkDns, checkTcp, checkTls]) {
    const { verdict, saw, doThis } = await check(visit);
    assert.ok(['ok', 'broken'].includes(verdict) && saw !== '' && doThis.every((line) => line !== ''));
    if (error !== null && error.message.length > 8) assert.ok(!saw.includes(error.message));
  }
}

const prefectApis = fc.oneof(
  hostileText,
  fc.webUrl({ withQueryParameters: true }),
  fc.constantFrom('http://a.example/x?token=canary', 'https://[::1]:4200/graphql#canary', 'http://canary@a.example'),
);

/** An address that the configuration takes can be shown, without what may be secret in it. */
function holdsForPrefectApi(text: string): void {
  const parsed = parseConfig({ ...env, PREFECT_API: text });
  if (!parsed.ok) return;
  const [call = ''] = callPrefect(parsed.config);
  assert.ok(call.startsWith('curl ') && !call.includes('canary') && !/\p{Cc}/u.test(call));
}

/** Where the answers to an examination are read, and to a container that knows nothing yet. */
export const doctorEdges: readonly Edge[] = [
  laterEdge(
    { name: 'answers to an examination of Prefect', share: 4, files: ['functions/prefect/examine.ts'] },
    posts,
    holdsForExam,
  ),
  laterEdge(
    { name: 'tenants and registrations', share: 3, files: ['functions/prefect/membership.ts'] },
    posts,
    holdsForMembership,
  ),
  laterEdge(
    { name: 'answers to an examination of a cluster', share: 4, files: ['functions/kubernetes/examine.ts'] },
    answers,
    holdsForClusterExam,
  ),
  laterEdge(
    { name: 'names and sockets of an examination', share: 2, files: ['functions/doctor/network-hops.ts'] },
    fc.record({ endpoint: endpoints, addresses: words, protocol: hostileText, error: fc.option(errors) }),
    holdsForNetwork,
  ),
  edge(
    { name: 'addresses of Prefect in advice', share: 4, files: ['functions/doctor/prefect-hops.ts'] },
    prefectApis,
    holdsForPrefectApi,
  ),
];
