import assert from 'node:assert/strict';

import type { Json } from '../../functions/core/json.ts';
import type { ApiAnswer } from '../kube/api-call.ts';
import {
  aJobBody,
  at,
  bindToNode,
  corePath,
  createJob,
  endedPod,
  eventAbout,
  jobsPath,
  jobWith,
  listAt,
  podOf,
  real,
  textAt,
  writePodStatus,
  type ContractCase,
  type ContractCluster,
} from './kubernetes.cluster.ts';

/** What kubectl sends. */
const accept = [
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=Table;v=v1beta1;g=meta.k8s.io',
  'application/json',
].join(',');

async function tableAt(cluster: ContractCluster, path: string): Promise<ApiAnswer> {
  const answer = await cluster.call(`GET ${path}`, { accept });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

const cellsIn = ({ body }: ApiAnswer): readonly (readonly Json[])[] =>
  listAt(body, 'rows').map(({ cells }) => (Array.isArray(cells) ? (cells as readonly Json[]) : []));

const columnsIn = ({ body }: ApiAnswer): unknown =>
  listAt(body, 'columnDefinitions').map(({ name, type, format, priority }) => [name, type, format, priority]);

const columns = (shown: string, wide: string): unknown[] =>
  [...shown.split(', ').map((name) => [name, 0] as const), ...wide.split(', ').map((name) => [name, 1] as const)].map(
    ([name, priority]) => [name, 'string', name === 'Name' ? 'name' : '', priority],
  );

const hours = (cluster: ContractCluster, ago: number): string =>
  new Date(cluster.now().getTime() - ago * 3_600_000).toISOString().replace(/\.\d+Z$/u, 'Z');

interface PlayedPod {
  /** READY, STATUS and RESTARTS. */
  readonly want: readonly [string, string, string];
  readonly spec?: object;
  readonly status?: (cluster: ContractCluster) => object;
}

const status = (name: string, rest: object) => ({
  name,
  image: 'flows:1.0',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...rest,
});
const running = { state: { running: { startedAt: '2026-01-01T00:00:00Z' } } };
const waiting = (reason: string) => ({ state: { waiting: { reason } } });
const ended = (exitCode: number, rest: object = {}) => ({ state: { terminated: { exitCode, ...rest } } });
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };

const init = { initContainers: [{ name: 'first', image: 'first:1.0' }] };
const sidecar = { initContainers: [{ name: 'mesh', image: 'mesh:1.0', restartPolicy: 'Always' }] };
const two = {
  containers: [
    { name: 'flow', image: 'flows:1.0' },
    { name: 'log', image: 'log:1.0' },
  ],
};

/** A pod's words in a table; each is the name of its pod. */
const played: Readonly<Record<string, PlayedPod>> = {
  pending: { want: ['0/1', 'Pending', '0'] },
  running: {
    want: ['1/1', 'Running', '0'],
    status: () => ({ phase: 'Running', containerStatuses: [status('flow', { ...running, ready: true })] }),
  },
  'not-ready': {
    want: ['0/1', 'Running', '0'],
    status: () => ({ phase: 'Running', containerStatuses: [status('flow', running)] }),
  },
  'no-image': {
    want: ['0/1', 'ImagePullBackOff', '0'],
    status: () => ({ containerStatuses: [status('flow', waiting('ImagePullBackOff'))] }),
  },
  completed: {
    want: ['0/1', 'Completed', '0'],
    status: () => ({ phase: 'Succeeded', containerStatuses: [status('flow', ended(0, { reason: 'Completed' }))] }),
  },
  'out-of-memory': {
    want: ['0/1', 'OOMKilled', '0'],
    status: () => ({ phase: 'Failed', containerStatuses: [status('flow', ended(137, { reason: 'OOMKilled' }))] }),
  },
  'exit-code': {
    want: ['0/1', 'ExitCode:3', '0'],
    status: () => ({ phase: 'Failed', containerStatuses: [status('flow', ended(3))] }),
  },
  signal: {
    want: ['0/1', 'Signal:9', '0'],
    status: () => ({ phase: 'Failed', containerStatuses: [status('flow', ended(137, { signal: 9 }))] }),
  },
  evicted: { want: ['0/1', 'Evicted', '0'], status: () => ({ phase: 'Failed', reason: 'Evicted' }) },
  restarted: {
    want: ['1/1', 'Running', '2 (5h ago)'],
    status: (cluster) => {
      const lastState = { terminated: { exitCode: 1, finishedAt: hours(cluster, 5) } };
      const flow = status('flow', { ...running, ready: true, restartCount: 2, lastState });
      return { phase: 'Running', containerStatuses: [flow] };
    },
  },
  'one-of-two-completed': {
    want: ['1/2', 'NotReady', '0'],
    spec: two,
    status: () => ({
      phase: 'Running',
      containerStatuses: [
        status('flow', ended(0, { reason: 'Completed' })),
        status('log', { ...running, ready: true }),
      ],
    }),
  },
  'one-of-two-failed': {
    want: ['0/2', 'Error', '0'],
    spec: two,
    status: () => ({
      phase: 'Failed',
      containerStatuses: [
        status('flow', ended(0, { reason: 'Completed' })),
        status('log', ended(1, { reason: 'Error' })),
      ],
    }),
  },
  'completed-and-ready': {
    want: ['1/2', 'Running', '0'],
    spec: two,
    status: () => ({
      phase: 'Running',
      ...ready,
      containerStatuses: [
        status('flow', ended(0, { reason: 'Completed' })),
        status('log', { ...running, ready: true }),
      ],
    }),
  },
  'init-running': {
    want: ['0/1', 'Init:0/1', '0'],
    spec: init,
    status: () => ({
      initContainerStatuses: [status('first', running)],
      containerStatuses: [status('flow', waiting('PodInitializing'))],
    }),
  },
  'init-without-image': {
    want: ['0/1', 'Init:ErrImagePull', '0'],
    spec: init,
    status: () => ({ initContainerStatuses: [status('first', waiting('ErrImagePull'))] }),
  },
  'init-failed': {
    want: ['0/1', 'Init:ExitCode:4', '3'],
    spec: init,
    status: () => ({ initContainerStatuses: [status('first', { ...ended(4), restartCount: 3 })] }),
  },
  'init-done': {
    want: ['0/1', 'ContainerCreating', '0'],
    spec: init,
    status: () => ({
      initContainerStatuses: [status('first', { ...ended(0), restartCount: 3 })],
      containerStatuses: [status('flow', waiting('ContainerCreating'))],
    }),
  },
  'with-sidecar': {
    want: ['2/2', 'Running', '4'],
    spec: sidecar,
    status: () => ({
      phase: 'Running',
      initContainerStatuses: [status('mesh', { ...running, ready: true, started: true, restartCount: 4 })],
      containerStatuses: [status('flow', { ...running, ready: true })],
    }),
  },
  'sidecar-not-started': {
    want: ['0/2', 'Init:0/1', '0'],
    spec: sidecar,
    status: () => ({ initContainerStatuses: [status('mesh', { ...running, started: false })] }),
  },
};

async function playPod(cluster: ContractCluster, name: string, { spec, status: write }: PlayedPod): Promise<void> {
  const containers = [{ name: 'flow', image: 'flows:1.0' }];
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers, ...spec } };
  const made = await cluster.call(`POST ${corePath(cluster, 'pods')}`, { body });
  assert.equal(made.status, 201, made.text);
  if (write !== undefined) await writePodStatus(cluster, name, write(cluster));
}

/** `3s`, or nothing: durations depend on the machine. */
const withoutTimes = (cells: readonly unknown[]): readonly unknown[] =>
  cells.map((cell) => (typeof cell === 'string' ? cell.replace(/^\d+s$/u, 'SECONDS') : cell));

/** Tables: what `kubectl get` shows, which is for the server to say. */
export const tableCases: Readonly<Record<string, ContractCase>> = {
  'a pod has its words in a table': {
    seen: real,
    run: async (cluster) => {
      for (const [name, pod] of Object.entries(played)) await playPod(cluster, name, pod);
      const table = await tableAt(cluster, corePath(cluster, 'pods'));

      assert.deepEqual(columnsIn(table), [
        ...columns('Name, Ready, Status, Restarts, Age', 'IP, Node, Nominated Node, Readiness Gates'),
      ]);
      const found = cellsIn(table).map(([name, ...cells]) => [name, cells.slice(0, 3)]);
      const want = Object.entries(played).map(([name, pod]) => [name, pod.want]);
      assert.deepEqual(Object.fromEntries(found), Object.fromEntries(want));
    },
  },
  'a pod that is being deleted is terminating, wherever it is': {
    seen: real,
    run: async (cluster) => {
      const gates = [{ conditionType: 'example.com/open' }, { conditionType: 'example.com/shut' }];
      await playPod(cluster, 'ending', {
        want: ['', '', ''],
        spec: { readinessGates: gates },
        status: () => ({
          podIPs: [{ ip: '10.0.0.7' }],
          podIP: '10.0.0.7',
          conditions: [{ type: 'example.com/open', status: 'True' }],
        }),
      });
      const before = cellsIn(await tableAt(cluster, corePath(cluster, 'pods/ending')));
      await bindToNode(cluster, 'ending');
      await cluster.call(`DELETE ${corePath(cluster, 'pods/ending')}`);
      const after = cellsIn(await tableAt(cluster, corePath(cluster, 'pods/ending')));

      assert.deepEqual(before.map(withoutTimes), [
        ['ending', '0/1', 'Pending', '0', 'SECONDS', '10.0.0.7', '<none>', '<none>', '1/2'],
      ]);
      assert.deepEqual(after.map(withoutTimes), [
        ['ending', '0/1', 'Terminating', '0', 'SECONDS', '10.0.0.7', 'node-1', '<none>', '1/2'],
      ]);
    },
  },
  'a Job has its words in a table': {
    seen: real,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('idle', { spec: { suspend: true, parallelism: 3, completions: 3 } }));
      await createJob(cluster, aJobBody('queue', { spec: { suspend: true, parallelism: 3 } }));
      for (const [name, exitCode] of [
        ['good', 0],
        ['bad', 1],
      ] as const) {
        await createJob(cluster, aJobBody(name));
        await writePodStatus(cluster, await podOf(cluster, name), endedPod(cluster, exitCode));
        await jobWith(cluster, name, exitCode === 0 ? 'Complete' : 'Failed');
      }
      await jobWith(cluster, 'idle', 'Suspended');
      await jobWith(cluster, 'queue', 'Suspended');
      const table = await tableAt(cluster, jobsPath(cluster));

      assert.deepEqual(
        columnsIn(table),
        columns('Name, Status, Completions, Duration, Age', 'Containers, Images, Selector'),
      );
      const rows = cellsIn(table).map((cells) => withoutTimes(cells).slice(0, -1));
      assert.deepEqual(rows, [
        ['bad', 'Failed', '0/1', 'SECONDS', 'SECONDS', 'flow', 'flows:1.0'],
        ['good', 'Complete', '1/1', 'SECONDS', 'SECONDS', 'flow', 'flows:1.0'],
        ['idle', 'Suspended', '0/3', '', 'SECONDS', 'flow', 'flows:1.0'],
        ['queue', 'Suspended', '0/1 of 3', '', 'SECONDS', 'flow', 'flows:1.0'],
      ]);
      assert.match(textAt(cellsIn(table), 0, 7), /^batch\.kubernetes\.io\/controller-uid=[0-9a-f-]{36}$/u);
    },
  },
  'an event has its words in a table': {
    seen: real,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('told'));
      const pod = await podOf(cluster, 'told');
      const event = await eventAbout(cluster, 'told', 'SuccessfulCreate');
      const table = await tableAt(cluster, corePath(cluster, 'events'));

      assert.deepEqual(
        listAt(table.body, 'columnDefinitions').map(({ name, priority }) => [name, priority]),
        [
          ['Last Seen', 0],
          ['Type', 0],
          ['Reason', 0],
          ['Object', 0],
          ['Subobject', 1],
          ['Source', 1],
          ['Message', 0],
          ['First Seen', 1],
          ['Count', 1],
          ['Name', 1],
        ],
      );
      const row = cellsIn(table).find((cells) => cells.includes('SuccessfulCreate')) ?? [];
      const name = textAt(event, 'metadata', 'name');
      const said = `Created pod: ${pod}`;
      const about = ['Normal', 'SuccessfulCreate', 'job/told', '', 'job-controller', said];
      assert.deepEqual(withoutTimes(row), ['SECONDS', ...about, 'SECONDS', 1, name]);
    },
  },
  'a table brings of each object what is asked for, and goes in pages like any list': {
    seen: real,
    run: async (cluster) => {
      for (const name of ['a', 'b']) await createJob(cluster, aJobBody(name, { spec: { suspend: true } }));
      const asked = async (query: string): Promise<ApiAnswer> => tableAt(cluster, `${jobsPath(cluster)}?${query}`);
      const objectIn = (answer: ApiAnswer, ...steps: string[]) => at(answer.body, 'rows', 0, 'object', ...steps);
      const [page, whole, none] = [
        await asked('limit=1'),
        await asked('includeObject=Object'),
        await asked('includeObject=None'),
      ];

      assert.deepEqual([at(page.body, 'kind'), at(page.body, 'apiVersion')], ['Table', 'meta.k8s.io/v1']);
      assert.deepEqual(
        [objectIn(page, 'kind'), objectIn(page, 'apiVersion'), objectIn(page, 'metadata', 'name')],
        ['PartialObjectMetadata', 'meta.k8s.io/v1', 'a'],
      );
      assert.deepEqual([at(page.body, 'metadata', 'remainingItemCount'), objectIn(page, 'spec')], [1, undefined]);
      const next = await asked(`limit=1&continue=${textAt(page.body, 'metadata', 'continue')}`);
      assert.deepEqual([objectIn(next, 'metadata', 'name'), at(next.body, 'metadata', 'continue')], ['b', undefined]);
      assert.deepEqual([objectIn(whole, 'kind'), objectIn(whole, 'spec', 'suspend')], ['Job', true]);
      assert.equal(objectIn(none), null);
      const refused = await cluster.call(`GET ${jobsPath(cluster)}?includeObject=All`, { accept });
      assert.deepEqual(
        [refused.status, at(refused.body, 'message')],
        [
          400,
          `Unable to convert to Table as requested: includeObject: Invalid value: "All": must be 'Metadata', 'Object', 'None', or empty`,
        ],
      );
    },
  },
  'who asks for plain JSON gets the list': {
    seen: real,
    run: async (cluster) => {
      const answer = await cluster.call(`GET ${jobsPath(cluster)}`, { accept: 'application/json' });

      assert.equal(at(answer.body, 'kind'), 'JobList');
    },
  },
};
