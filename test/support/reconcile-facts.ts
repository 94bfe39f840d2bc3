import type { ClusterEvent, JobSnapshot, PodSnapshot } from '../../functions/core/cluster.ts';
import type { FlowRun } from '../../functions/core/flow-run.ts';
import type { ReconcilePolicy } from '../../functions/core/reconcile-case.ts';
import { planReconcile, reconcileRules } from '../../functions/core/reconcile-plan.ts';
import {
  aClaimRow,
  aContainer,
  aFlowRun,
  aJob,
  anEndedPod,
  aPod,
  aReconcilePolicy,
  aRow,
  aRunId,
  STACK,
} from './builders.ts';
import { at, T0 } from './time.ts';

export const scheduled = aRow({ state: 'Scheduled', at: '-20m', version: 1 });
export const claim = aClaimRow({ at: '-15m', version: 2, key: '1', until: '-13m' });
export const running = aRow({ state: 'Running', at: '-9m', version: 3 });
export const submitted = aFlowRun({ history: [scheduled, claim] });
export const atWork = aFlowRun({ history: [scheduled, claim, running] });
export const succeeded = aFlowRun({
  history: [scheduled, claim, running, aRow({ state: 'Success', at: '-2m', version: 4 })],
});
export const cancelling = (since: string): FlowRun =>
  aFlowRun({ history: [scheduled, claim, running, aRow({ state: 'Cancelling', at: since, version: 4 })] });
export const cancelledWhilePending = aFlowRun({
  history: [scheduled, claim, aRow({ state: 'Cancelled', at: '-10s', version: 3 })],
});

export const complete = aJob({ phase: 'complete', finishedAt: at('-3m') });
export const failed = aJob({ phase: 'failed', finishedAt: at('-3m'), reason: 'BackoffLimitExceeded' });
/** The controller has not made a pod. */
export const podless = { activePods: 0, podsEver: 0 };
/** Our claim landed over a Success that somebody had set after we read the run. */
export const successCovered = aFlowRun({
  history: [
    scheduled,
    aRow({ state: 'Success', at: '-16m', version: 2 }),
    aClaimRow({ at: '-15m', version: 3, key: '1', until: '-13m' }),
  ],
});
const ourFailure = (at: string, version: number) => aRow({ state: 'Failed', at, version, by: STACK });
/** Our Failed landed over the Success of the flow itself. */
export const failedOverSuccess = aFlowRun({
  history: [scheduled, claim, running, aRow({ state: 'Success', at: '-4m', version: 4 }), ourFailure('-3m', 5)],
});
/** Our Failed landed over the fresh start of a user. */
export const failedOverRestart = aFlowRun({
  history: [scheduled, claim, aRow({ state: 'Scheduled', at: '-4m', version: 3 }), ourFailure('-3m', 4)],
});
/** Our Failed landed over a cancel; the Job that could not start is still there. */
export const failedOverCancel = aFlowRun({
  history: [scheduled, claim, aRow({ state: 'Cancelled', at: '-4m', version: 3 }), ourFailure('-3m', 4)],
});
export const failedByUs = aFlowRun({ history: [scheduled, claim, ourFailure('-3m', 3)] });
export const young = { createdAt: at('-119s') };
export const crashed = anEndedPod({ exitCode: 1, reason: 'Error' });
export const evicted = anEndedPod(
  { exitCode: 137 },
  {
    conditions: [
      { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'drained', since: null },
    ],
  },
);

/** The flow container has ended, a sidecar of the old kind goes on. */
export const lingering = (exitCode: number, ended: string): PodSnapshot =>
  aPod({
    containers: [
      aContainer({ state: 'terminated', exitCode, startedAt: at('-9m'), finishedAt: at(ended) }),
      aContainer({ name: 'proxy', role: 'other', startedAt: at('-9m') }),
    ],
  });

export const refusal = (message: string): ClusterEvent => ({
  uid: 'event-1',
  objectKind: 'Job',
  objectName: aJob().name,
  objectUid: aJob().uid,
  type: 'Warning',
  reason: 'FailedCreate',
  message: `Error creating: ${message}`,
  count: 1,
  at: at('-30s'),
});

export interface Case {
  readonly run?: FlowRun | 'gone' | 'unread';
  readonly jobs?: readonly JobSnapshot[];
  readonly pods?: readonly PodSnapshot[];
  readonly events?: readonly ClusterEvent[];
  /** Some Job or pod could not be parsed. */
  readonly unreadable?: boolean;
  readonly policy?: Partial<ReconcilePolicy>;
  readonly want: string;
  readonly wantWhy?: RegExp;
}

const knownRuns = (run: FlowRun | 'gone' | 'unread') =>
  new Map(typeof run === 'string' ? [] : [[run.id, run] as const]);

export function plan(input: Omit<Case, 'want'>, rules = reconcileRules) {
  const { run, jobs, pods, events, policy, unreadable } = {
    run: submitted,
    jobs: [aJob()],
    pods: [],
    events: [],
    policy: {},
    unreadable: false,
    ...input,
  };
  const gone = new Set(run === 'gone' ? [aRunId(1)] : []);
  return planReconcile(
    {
      runs: knownRuns(run),
      gone,
      jobs,
      pods,
      isComplete: !unreadable,
      events,
      policy: aReconcilePolicy(policy),
      now: T0,
    },
    rules,
  );
}

export const told = ([action]: ReturnType<typeof plan>): string =>
  action === undefined ? '' : `${action.kind} ${action.rule}`;
