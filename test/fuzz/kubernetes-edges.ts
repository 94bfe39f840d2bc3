import assert from 'node:assert/strict';

import fc from 'fast-check';

import type { ClusterEvent, JobSnapshot, PodSnapshot } from '../../functions/core/cluster.ts';
import { isJsonObject, type Json, type JsonObject } from '../../functions/core/json.ts';
import { diagnose } from '../../functions/core/pod-diagnosis.ts';
import { planReconcile } from '../../functions/core/reconcile-plan.ts';
import { BoundaryError } from '../../functions/errors.ts';
import type { KubernetesGateway } from '../../functions/kubernetes/contract.ts';
import { connectKubernetes } from '../../functions/kubernetes/gateway.ts';
import { readListPage, type ListPage } from '../../functions/kubernetes/list-page.ts';
import { observeEvent, observeJob, observePod } from '../../functions/kubernetes/observe.ts';
import { refusalOf, statusOf, warningsOf } from '../../functions/kubernetes/refusal.ts';
import { constant } from '../../functions/source.ts';
import { aJob as aJobSnapshot, aReconcilePolicy, aRunId, STACK } from '../support/builders.ts';
import { aClock, patient } from '../support/clients.ts';
import { T0 } from '../support/time.ts';
import { edge, laterEdge, type Edge } from './edge.ts';
import { hostileJson, hostileText, textOfJson, twisted } from './hostile-json.ts';

const iso = T0.toISOString();
const metadata: JsonObject = {
  name: 'prefect-job-1',
  uid: 'uid-1',
  creationTimestamp: iso,
  labels: {
    'prefect.io/flow_run_id': aRunId(1),
    'prefect-serverless-agent/stack': STACK,
    'batch.kubernetes.io/job-name': 'prefect-job-1',
  },
  annotations: { 'prefect-serverless-agent/key': '1', 'prefect-serverless-agent/labels': '["gpu"]' },
  ownerReferences: [{ kind: 'Job', name: 'prefect-job-1', uid: 'uid-1' }],
};
const job: JsonObject = {
  metadata,
  spec: { suspend: false },
  status: {
    active: 1,
    failed: 0,
    uncountedTerminatedPods: { failed: ['uid-2'] },
    conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', lastTransitionTime: iso }],
  },
};
const pod: JsonObject = {
  metadata,
  spec: {
    nodeName: 'node-1',
    initContainers: [{ name: 'init', restartPolicy: 'Always' }],
    containers: [{ name: 'flow', resources: { limits: { memory: '1Gi' } } }],
  },
  status: {
    phase: 'Failed',
    reason: 'Evicted',
    containerStatuses: [
      { name: 'flow', restartCount: 1, state: { terminated: { exitCode: 137, reason: 'OOMKilled', finishedAt: iso } } },
      { name: 'init', state: { waiting: { reason: 'ImagePullBackOff', message: 'no' } } },
    ],
    conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }],
  },
};
const event: JsonObject = {
  metadata: { uid: 'e-1' },
  involvedObject: { kind: 'Job', name: 'prefect-job-1', uid: 'uid-1' },
  type: 'Warning',
  reason: 'FailedCreate',
  message: 'Error creating: exceeded quota',
  lastTimestamp: iso,
  series: { count: 2, lastObservedTime: iso },
};

/** Texts are texts, counts are numbers and times are times, however deep they lie. */
function isSound(value: unknown): boolean {
  if (value instanceof Date) return !Number.isNaN(value.getTime());
  if (Array.isArray(value)) return value.every(isSound);
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isSound);
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

const asObject = (value: Json): JsonObject => (isJsonObject(value) ? value : {});

interface Seen {
  readonly jobs: readonly JobSnapshot[];
  readonly pods: readonly PodSnapshot[];
  readonly events: readonly ClusterEvent[];
}

/** Whatever the cluster shows, the plan deletes by UID, fails no run that it has not read, and names its rule. */
function planHolds(seen: Seen): void {
  const uids = new Set(seen.jobs.map(({ uid }) => uid));
  const policy = aReconcilePolicy();
  for (const action of planReconcile({
    ...seen,
    runs: new Map(),
    gone: new Set(),
    isComplete: true,
    policy,
    now: T0,
  })) {
    assert.ok(action.rule.length > 0);
    assert.ok(isSound(JSON.parse(JSON.stringify(action))));
    if ('job' in action && action.job !== null) assert.ok(uids.has(action.job.uid));
  }
}

function holdsForObjects([rawJob, rawPod, rawEvent]: readonly [Json, Json, Json]): void {
  const seen = {
    jobs: [observeJob(asObject(rawJob))].filter((each) => each !== null),
    pods: [observePod(asObject(rawPod))].filter((each) => each !== null),
    events: [observeEvent(asObject(rawEvent))].filter((each) => each !== null),
  };
  assert.ok(isSound(seen));
  const diagnosis = diagnose(seen.jobs[0] ?? aJobSnapshot(), seen.pods, seen.events);
  assert.ok(isSound(JSON.parse(JSON.stringify(diagnosis))));
  planHolds(seen);
}

interface Sent {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const boundary = (error: unknown): readonly never[] => {
  assert.ok(error instanceof BoundaryError, String(error));
  return [];
};

const gatewayOver = (send: () => Promise<Sent>): KubernetesGateway =>
  connectKubernetes({
    address: { endpoint: 'https://kubernetes.test', ca: null },
    token: constant(null),
    namespace: 'flows',
    stackId: STACK,
    clock: aClock(),
    session: { send, connections: () => 1, close: () => undefined },
  });

async function holdsForAnswer(sent: Sent): Promise<void> {
  let requests = 0;
  const send = async (): Promise<Sent> => {
    requests += 1;
    return sent;
  };
  const gateway = gatewayOver(send);
  const lists = [
    await gateway.listJobs('a=b', patient()).catch(boundary),
    await gateway.listPods('a=b', patient()).catch(boundary),
    await gateway.listEvents(patient()).catch(boundary),
  ];
  assert.ok(isSound(lists));
  const created = await gateway.createJob({ metadata: { name: 'prefect-job-1' } }, patient());
  const deleted = await gateway.deleteJob(aJobSnapshot(), 'Background', patient());
  assert.ok(
    isSound([
      created,
      deleted,
      await gateway.readLogTail({ pod: 'pod', container: 'flow', previous: true }, 1, patient()),
    ]),
  );
  assert.ok(requests < 100, `${requests} requests`);
}

const listed = fc.oneof(twisted({ metadata: { continue: '' }, items: [job, pod, event] }), hostileJson);
const status: JsonObject = {
  kind: 'Status',
  reason: 'Forbidden',
  message: 'exceeded quota',
  details: { causes: [{ reason: 'NamespaceTerminating' }] },
};
const bodies = fc.oneof(fc.oneof(listed, twisted(status)).map(textOfJson), hostileText);

const sent: fc.Arbitrary<Sent> = fc.record({
  status: fc.constantFrom(200, 200, 200, 201, 400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 504),
  body: bodies,
  headers: fc.record({ warning: hostileText, 'retry-after': hostileText }, { requiredKeys: [] }),
});

function holdsForRefusal(answer: Sent): void {
  const refusal = refusalOf(answer);
  assert.ok(refusal.message.length <= 1_024 && isSound(refusal) && isSound(statusOf(answer.body) ?? {}));
  for (const warning of warningsOf(answer.headers['warning'])) assert.ok(warning.length <= 1_024);
}

/** Who set which field, with all that ends an array or a text too early where it is only looked for. */
const owners = fc.constantFrom<Json>(
  [{ manager: 'agent', fieldsV1: { 'f:spec': {} } }],
  [{ manager: 'a]b', fieldsV1: { 'k:{"name":"]"}': [] } }],
  [],
  null,
);
const names = fc.oneof(fc.constantFrom('a', ',{"metadata":{', '"items":[', ',"managedFields":[', ']'), hostileText);

/** A Job as a page has it: its metadata first, and in it last who set what. */
const items = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(names, owners)
      .map(([name, managedFields]): Json => ({ ...job, metadata: { ...metadata, name, managedFields } })),
  },
  { weight: 1, arbitrary: twisted(job) },
  { weight: 1, arbitrary: hostileJson },
);
const spaces = fc.constantFrom(undefined, 2, '\t');
const pages = fc
  .tuple(fc.array(items, { maxLength: 3 }), fc.constantFrom('', 'next', 'last'), spaces)
  .map(([all, next, space]) => indented({ kind: 'JobList', metadata: { continue: next }, items: all }, space));

function indented(value: Json, space: string | number | undefined): string {
  try {
    return JSON.stringify(value, null, space);
  } catch {
    return textOfJson(value);
  }
}

/** The page as a whole: the slow and simple way to the same. */
function wholePage(text: string): ListPage<JobSnapshot | null> | null {
  const page: unknown = JSON.parse(text);
  if (!isJsonObject(page) || !Array.isArray(page['items'])) return null;
  const { continue: next, remainingItemCount: left } = asObject(page['metadata'] ?? null);
  return {
    items: page['items'].map((each: Json) => observeJob(asObject(each))),
    next: typeof next === 'string' ? next : '',
    ...(typeof left === 'number' ? { left } : {}),
  };
}

/** An item at a time or as a whole, a page is the same; and pages that follow one another are all there, or an error is. */
async function holdsForPages(texts: readonly string[]): Promise<void> {
  const wanted = texts.map((text) => attempt(() => wholePage(text)));
  assert.deepEqual(
    texts.map((text) => attempt(() => readListPage(text, observeJob))),
    wanted,
  );
  let sentPages = 0;
  const send = async () => ({ status: 200, headers: {}, body: texts[sentPages++ % texts.length] ?? '' });
  const gateway = gatewayOver(send);
  const jobs = await gateway.listJobs('a=b', patient()).catch((error: unknown) => {
    assert.ok(error instanceof BoundaryError, String(error));
    return null;
  });
  if (jobs === null) return;
  const itemsOn = wanted.slice(0, sentPages).map((page) => (page === 'no JSON' ? null : (page?.items.length ?? null)));
  assert.ok(!itemsOn.includes(null));
  assert.equal(
    jobs.length + gateway.unreadable(),
    itemsOn.reduce((sum: number, count) => sum + (count ?? 0), 0),
  );
}

function attempt<T>(read: () => T): T | 'no JSON' {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof SyntaxError, String(error));
    return 'no JSON';
  }
}

/** Where Jobs, pods, events and Status bodies are read. */
export const kubernetesEdges: readonly Edge[] = [
  edge(
    { name: 'Jobs, pods and events', share: 14, files: ['functions/kubernetes/observe.ts'] },
    fc.tuple(twisted(job), twisted(pod), twisted(event)),
    holdsForObjects,
  ),
  edge(
    { name: 'Status bodies and warnings', share: 10, files: ['functions/kubernetes/refusal.ts'] },
    sent,
    holdsForRefusal,
  ),
  laterEdge(
    {
      name: 'answers of the API server',
      share: 4,
      files: ['functions/kubernetes/gateway.ts', 'functions/kubernetes/job-writer.ts'],
    },
    sent,
    holdsForAnswer,
  ),
  laterEdge(
    {
      name: 'pages of a list',
      share: 4,
      files: ['functions/kubernetes/list-page.ts', 'functions/kubernetes/lists.ts'],
    },
    fc.array(fc.oneof({ weight: 8, arbitrary: pages }, { weight: 1, arbitrary: hostileText }), {
      minLength: 1,
      maxLength: 3,
    }),
    holdsForPages,
  ),
];
