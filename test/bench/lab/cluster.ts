import { jsonAnswer, type LocalRequest, type LocalResponse } from '../../../infra/local/http.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What the lab's API server has seen, and what it lists. */
export interface LabCluster {
  created: number;
  rejected: number;
  /** Milliseconds of this process at the first and at the last create. */
  firstAt: number;
  lastAt: number;
  /** Of an answer to a create, at the least. */
  readonly answerBytes: number;
  readonly jobs: readonly string[];
  readonly pods: readonly string[];
}

export const labStack = 'bench';

export const idOf = (kind: number, n: number): string =>
  `${String(kind).padStart(8, '0')}-0000-4000-8000-${String(n).padStart(12, '0')}`;

const settings = Array.from({ length: 20 }, (_, n) => n);

/** Who set which field, as the API server keeps it: more than a quarter of a real Job. */
const fieldsV1 = {
  'f:metadata': { 'f:labels': { '.': {}, 'f:prefect.io/flow_id': {}, 'f:prefect.io/flow_run_id': {} } },
  'f:spec': {
    'f:backoffLimit': {},
    'f:template': {
      'f:spec': {
        'f:containers': Object.fromEntries(
          settings.map((n) => [`k:{"name":"SETTING_${n}"}`, { '.': {}, 'f:name': {}, 'f:value': {} }]),
        ),
      },
    },
  },
};
const managedFields = [
  {
    manager: 'agent',
    operation: 'Update',
    apiVersion: 'batch/v1',
    time: '2026-03-01T02:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1,
  },
];

const env = settings.map((n) => ({
  name: `PREFECT__SETTING__NUMBER_${n}`,
  value: `value of setting ${n}`,
}));
const container = {
  name: 'flow',
  image: 'registry.example.com/flows:1.0',
  args: ['prefect', 'execute', 'flow-run'],
  env,
};

function metadataOf(n: number, suffix: string): Fields {
  return {
    name: `prefect-job-${String(n).padStart(16, '0')}${suffix}`,
    namespace: 'flows',
    uid: idOf(suffix === '' ? 6 : 7, n),
    resourceVersion: String(1000 + n),
    creationTimestamp: '2026-03-01T02:00:00Z',
    labels: {
      'prefect.io/flow_run_id': idOf(1, n),
      'prefect.io/flow_id': idOf(2, 1),
      'prefect.io/identifier': String(n).padStart(16, '0'),
      'prefect-serverless-agent/stack': labStack,
      'batch.kubernetes.io/job-name': `prefect-job-${String(n).padStart(16, '0')}`,
    },
    annotations: { 'prefect-serverless-agent/key': '1', 'prefect-serverless-agent/claim': idOf(8, n) },
    managedFields,
  };
}

const aJob = (n: number): string =>
  JSON.stringify({
    metadata: metadataOf(n, ''),
    spec: { backoffLimit: 0, completions: 1, parallelism: 1, template: { spec: { containers: [container] } } },
    status: { active: 1, ready: 1, startTime: '2026-03-01T02:00:00Z', uncountedTerminatedPods: {} },
  });

const ownerOf = (n: number): Fields => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  name: `prefect-job-${String(n).padStart(16, '0')}`,
  uid: idOf(6, n),
  controller: true,
});

const aPod = (n: number): string =>
  JSON.stringify({
    metadata: { ...metadataOf(n, '-abcde'), ownerReferences: [ownerOf(n)] },
    spec: { nodeName: 'node-1', containers: [container] },
    status: {
      phase: 'Running',
      startTime: '2026-03-01T02:00:01Z',
      conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({ type, status: 'True' })),
      containerStatuses: [
        { name: 'flow', ready: true, restartCount: 0, state: { running: { startedAt: '2026-03-01T02:00:02Z' } } },
      ],
    },
  });

/** A namespace with so many running Jobs, each with its pod. */
export function labCluster(jobs: number, answerBytes = 0): LabCluster {
  const numbers = Array.from({ length: jobs }, (_, n) => n);
  const counts = { created: 0, rejected: 0, firstAt: 0, lastAt: 0 };
  return { ...counts, answerBytes, jobs: numbers.map(aJob), pods: numbers.map(aPod) };
}

function page(items: readonly string[], kind: string, query: URLSearchParams): LocalResponse {
  const start = Number(query.get('continue') || '0');
  const limit = Number(query.get('limit') ?? items.length);
  const end = start + limit;
  const rest = end < items.length ? `,"continue":"${end}","remainingItemCount":${items.length - end}` : '';
  const apiVersion = kind === 'JobList' ? 'batch/v1' : 'v1';
  const body = `{"kind":"${kind}","apiVersion":"${apiVersion}","metadata":{"resourceVersion":"99"${rest}},"items":[${items.slice(start, end).join(',')}]}`;
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}

/** As a real API server answers, whole or the metadata alone; the contract's cases hold it to that. */
function create(cluster: LabCluster, { body, headers }: LocalRequest): LocalResponse {
  const job = JSON.parse(body) as { metadata: Fields };
  cluster.created += 1;
  cluster.lastAt = performance.now();
  if (cluster.created === 1) cluster.firstAt = cluster.lastAt;
  const uid = idOf(9, cluster.created);
  const metadata = { ...job.metadata, uid, creationTimestamp: '2026-03-01T02:00:00Z', managedFields };
  const isPartial = headers['accept']?.includes('as=PartialObjectMetadata') === true;
  const answer = jsonAnswer(
    201,
    isPartial ? { kind: 'PartialObjectMetadata', metadata } : { ...job, metadata, status: {} },
  );
  return { ...answer, body: answer.body.padEnd(cluster.answerBytes) };
}

/** An API server that costs next to nothing: lists and creates, no rules. */
export function answerCluster(cluster: LabCluster, request: LocalRequest): LocalResponse {
  const { method, path } = request;
  const url = new URL(path, 'https://lab');
  if (method === 'POST') return create(cluster, request);
  if (url.pathname.endsWith('/jobs')) return page(cluster.jobs, 'JobList', url.searchParams);
  if (url.pathname.endsWith('/pods')) return page(cluster.pods, 'PodList', url.searchParams);
  return page([], 'EventList', url.searchParams);
}

/** The answer of a server that has more requests in flight than it takes (kubernetes 1.35, apiserver, priority and fairness). */
export const tooMany: LocalResponse = jsonAnswer(
  429,
  {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    reason: 'TooManyRequests',
    message: 'Too many requests',
    code: 429,
  },
  { 'retry-after': '1' },
);
