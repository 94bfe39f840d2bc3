import type { ContainerSnapshot, JobName, JobSnapshot, PodSnapshot } from '../../functions/core/cluster.ts';
import type { FlowRun, FlowRunId, StateRow } from '../../functions/core/flow-run.ts';
import type { JsonObject } from '../../functions/core/json.ts';
import type { ReconcilePolicy } from '../../functions/core/reconcile-case.ts';
import { at, T0 } from './time.ts';

export const STACK = 'flows-test';
export const OTHER_STACK = 'flows-other';

/** `aRunId(7)`: a UUID that is easy to see. */
export function aRunId(n: number): FlowRunId {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` as FlowRunId;
}

interface RowWish {
  readonly state: string;
  /** Offset from T0, e.g. `+1m`; rows of one history must not share one. */
  readonly at: string;
  readonly version: number;
  readonly message?: string;
  /** Stack whose mark the state carries; none by default. */
  readonly by?: string;
  readonly claim?: { readonly id: string; readonly key: string; readonly until: Date };
  readonly inner?: JsonObject;
}

export function aRow(wish: RowWish): StateRow {
  const { state, version, message = null, by, claim } = wish;
  const context: JsonObject = {
    ...(by === undefined ? {} : { stack: by }),
    ...(claim === undefined
      ? {}
      : { stack: by ?? STACK, claim: claim.id, key: claim.key, until: claim.until.toISOString() }),
  };
  const createdMicros = at(wish.at).getTime() * 1000;
  const serializedState: JsonObject = {
    type: state,
    message,
    context,
    ...(state === 'Scheduled' ? { start_time: at(wish.at).toISOString() } : {}),
    ...(wish.inner === undefined ? {} : { state: wish.inner }),
  };
  return { id: `row-${wish.at}-${version}`, version, state, createdMicros, message, serializedState };
}

/** The row that our claim writes. */
export function aClaimRow(wish: {
  at: string;
  version: number;
  key: string;
  id?: string;
  until?: string;
  by?: string;
}): StateRow {
  const claim = { id: wish.id ?? `claim-${wish.version}`, key: wish.key, until: at(wish.until ?? '+2m') };
  const inner: JsonObject = { type: 'Scheduled', start_time: T0.toISOString() };
  return aRow({ state: 'Submitted', at: wish.at, version: wish.version, claim, inner, by: wish.by ?? STACK });
}

/** A flow run whose standing state is the last row of its history; Scheduled for a minute ago unless told otherwise. */
export function aFlowRun(wish: Partial<FlowRun> = {}): FlowRun {
  const history = wish.history ?? [aRow({ state: 'Scheduled', at: '-1m', version: 1 })];
  const last = history.at(-1);
  if (last === undefined) throw new Error('a flow run has at least one state');
  return {
    id: aRunId(1),
    name: 'quiet-otter',
    version: last.version,
    state: last.state,
    serializedState: last.serializedState,
    labels: [],
    scheduledStartTime: at('-1m'),
    heartbeat: null,
    timesResurrected: 0,
    runConfig: null,
    flow: aFlow(),
    dueTaskRuns: 0,
    waitingTaskRuns: wish.dueTaskRuns ?? 0,
    eventMarks: [],
    ...wish,
    history,
  };
}

export function aFlow(wish: Partial<FlowRun['flow']> = {}): FlowRun['flow'] {
  return {
    id: 'f0000000-0000-4000-8000-000000000001',
    name: 'etl',
    coreVersion: '1.4.1',
    storage: { type: 'S3', bucket: 'b', key: 'k' },
    settings: {},
    ...wish,
  };
}

/** A Job of this stack for run 1 and key 1, old enough to be deleted, unless told otherwise. */
export function aJob(wish: Partial<JobSnapshot> = {}): JobSnapshot {
  return {
    name: 'prefect-job-0123456789abcdef' as JobName,
    uid: 'job-uid-1',
    createdAt: at('-10m'),
    deleting: false,
    phase: 'active',
    announced: null,
    reason: '',
    message: '',
    finishedAt: null,
    runId: aRunId(1),
    stackId: STACK,
    key: '1',
    claimId: 'claim-2',
    runLabels: [],
    podsEver: 1,
    activePods: 1,
    failedPods: 0,
    ...wish,
  };
}

export function aContainer(wish: Partial<ContainerSnapshot> = {}): ContainerSnapshot {
  return {
    name: 'flow',
    role: 'main',
    state: 'running',
    reason: '',
    message: '',
    exitCode: null,
    signal: null,
    startedAt: null,
    finishedAt: null,
    restarts: 0,
    memoryLimit: null,
    ...wish,
  };
}

/** A running pod of `aJob()`. */
export function aPod(wish: Partial<PodSnapshot> = {}): PodSnapshot {
  return {
    name: 'prefect-job-0123456789abcdef-x7k2p',
    uid: 'pod-uid-1',
    jobName: 'prefect-job-0123456789abcdef' as JobName,
    jobUid: 'job-uid-1',
    runId: aRunId(1),
    createdAt: at('-10m'),
    deleting: false,
    phase: 'Running',
    reason: '',
    message: '',
    nodeName: 'node-1',
    containers: [aContainer({ startedAt: at('-9m') })],
    conditions: [],
    ...wish,
  };
}

/** A pod that waits in its container with this reason. */
export function aWaitingPod(reason: string, wish: Partial<PodSnapshot> = {}): PodSnapshot {
  return aPod({
    phase: 'Pending',
    containers: [aContainer({ state: 'waiting', reason, message: `because of ${reason}` })],
    ...wish,
  });
}

/** A pod whose container ended. */
export function anEndedPod(container: Partial<ContainerSnapshot>, wish: Partial<PodSnapshot> = {}): PodSnapshot {
  return aPod({
    phase: 'Failed',
    containers: [aContainer({ state: 'terminated', startedAt: at('-9m'), finishedAt: at('-5m'), ...container })],
    ...wish,
  });
}

/** The defaults of the configuration. */
export function aReconcilePolicy(wish: Partial<ReconcilePolicy> = {}): ReconcilePolicy {
  return {
    stackId: STACK,
    quietAgeMs: 120_000,
    pendingGraceMs: 3_600_000,
    imageGraceMs: 180_000,
    podlessGraceMs: 60_000,
    cancelGraceMs: 60_000,
    ttlSucceededMs: 600_000,
    ttlFailedMs: 86_400_000,
    deleteFinishedJobs: true,
    infraRetries: 0,
    ...wish,
  };
}
