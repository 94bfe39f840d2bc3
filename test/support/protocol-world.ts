import assert from 'node:assert/strict';

import type { LocalRequest } from '../../infra/local/http.ts';
import type { ContainerStatus } from '../../infra/local/kubernetes-api/objects.ts';
import { writeJob, writePod } from '../../infra/local/kubernetes-api/state.ts';
import { seedFlow, seedFlowRun, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import { SimulatedWorld, type Interceptor } from './simulated-world.ts';
import { at } from './time.ts';

type ContainerState = NonNullable<ContainerStatus['state']>;

export const minute = 60_000;
export const isCreate = ({ method, path }: LocalRequest): boolean => method === 'POST' && /\/jobs(\?|$)/u.test(path);
export const isDelete = ({ method }: LocalRequest): boolean => method === 'DELETE';
export const isClaim = ({ body }: LocalRequest): boolean =>
  body.includes('"Submitted"') && body.includes('set_flow_run_states');
export const isFailure = ({ body }: LocalRequest): boolean =>
  body.includes('"Failed"') && body.includes('set_flow_run_states');

export const isWrite = ({ body }: LocalRequest, state: string): boolean =>
  body.includes(`"${state}"`) && body.includes('set_flow_run_states');

export const isReadById = ({ body }: LocalRequest): boolean => body.includes('"where":{"id":{"_in"');

/** A world with one due run; `run` names it. */
export function aWorld(env: Readonly<Record<string, string>> = {}) {
  const world = new SimulatedWorld();
  const flowId = seedFlow(world.prefect, {
    name: 'etl',
    tasks: [
      { slug: 'extract-1', maxRetries: 3 },
      { slug: 'load-1', maxRetries: 3 },
    ],
  });
  const runId = seedFlowRun(world.prefect, { flowId, startTime: at('-1m') }, at('-2m'));
  return { world, runId, agent: world.container(env) };
}

export const stateOf = (world: SimulatedWorld, runId: string) =>
  world.prefect.tables.flow_run.get(runId)?.state ?? 'gone';
export const historyOf = (world: SimulatedWorld, runId: string) =>
  world.prefect.tables.flow_run_state
    .by('flow_run_id', runId)
    .toSorted((a, b) => a.created - b.created)
    .map(({ state }) => state);
export const serializedOf = (world: SimulatedWorld, runId: string) =>
  world.prefect.tables.flow_run.get(runId)?.serialized_state as Record<string, Record<string, unknown> | undefined>;
export const messageOf = (world: SimulatedWorld, runId: string): string => {
  const { message } = serializedOf(world, runId);
  return typeof message === 'string' ? message : '';
};
/** Sets a state as anybody could: `Running`, or `Scheduled: restarted` with a message. */
export function set(world: SimulatedWorld, runId: string, wish: string): void {
  const [type = '', message = ''] = wish.split(': ');
  setFlowRunState(world.prefect, { runId, state: { type, message } }, world.clock.now());
}

/** Before the first request that matches, `action` happens. */
export function before(matches: (request: LocalRequest) => boolean, action: () => void): Interceptor {
  let done = false;
  return (request, forward) => {
    if (!done && matches(request)) {
      done = true;
      action();
    }
    return forward();
  };
}

/** What the Job controller writes when a Job is over. */
export function end(world: SimulatedWorld, runId: string, type: 'Complete' | 'Failed'): void {
  const job = world.jobsOf(runId).findLast((candidate) => candidate.status?.conditions === undefined);
  assert.ok(job !== undefined);
  const now = world.clock.now().toISOString();
  const condition = {
    type,
    status: 'True',
    reason: type === 'Failed' ? 'BackoffLimitExceeded' : 'CompletionsReached',
    message: '',
    lastTransitionTime: now,
  };
  writeJob(world.cluster, { ...job, status: { ...job.status, conditions: [condition] } });
}

/** What Job controller and kubelet write: the Job's pod with this status of its container. */
export function playPod(world: SimulatedWorld, runId: string, state: ContainerState): void {
  const [job] = world.jobsOf(runId);
  assert.ok(job !== undefined);
  const { name, namespace = '', uid, labels } = job.metadata;
  const container = { name: 'flow', ready: false, restartCount: 0, image: '', imageID: '', state };
  writePod(world.cluster, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-abcde`,
      namespace,
      uid: `pod-of-${uid}`,
      resourceVersion: '1',
      labels: labels ?? {},
      creationTimestamp: world.clock.now().toISOString(),
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: job.spec.template.spec,
    status: { phase: state.running === undefined ? 'Pending' : 'Running', containerStatuses: [container] },
  });
}

export const playRunning = (world: SimulatedWorld, runId: string): void =>
  playPod(world, runId, { running: { startedAt: world.clock.now().toISOString() } });
