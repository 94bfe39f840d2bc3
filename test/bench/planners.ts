import type { JobName } from '../../functions/core/cluster.ts';
import { planDispatch } from '../../functions/core/dispatch-plan.ts';
import { planReconcile } from '../../functions/core/reconcile-plan.ts';
import { aClaimRow, aFlowRun, aJob, aPod, aReconcilePolicy, aRow, aRunId, STACK } from '../support/builders.ts';
import { at, T0 } from '../support/time.ts';
import { median, type GoalGroup, type Measurement } from './goal.ts';

const many = 10_000;
const repetitions = 7;

/** Milliseconds of CPU of the middle one of some repetitions. */
function medianMs(work: () => number): number {
  const times = Array.from({ length: repetitions }, () => {
    const begun = process.cpuUsage();
    if (work() !== many) throw new Error('The planner left some of its input undecided.');
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1_000;
  });
  return Math.round(median(times) * 10) / 10;
}

function reconcileMs(): number {
  const scheduled = aRow({ state: 'Scheduled', at: '-20m', version: 1 });
  const claim = aClaimRow({ at: '-15m', version: 2, key: '1', until: '-13m' });
  const runs = Array.from({ length: many }, (_, n) => aFlowRun({ id: aRunId(n), history: [scheduled, claim] }));
  const jobs = runs.map((run, n) => aJob({ runId: run.id, uid: `job-${n}`, name: `job-${n}` as JobName }));
  const pods = jobs.map((job) => aPod({ uid: `pod-of-${job.uid}`, jobUid: job.uid, jobName: job.name }));
  const input = { runs: new Map(runs.map((run) => [run.id, run])), gone: new Set<never>(), jobs, pods, events: [] };
  return medianMs(() => planReconcile({ ...input, isComplete: true, policy: aReconcilePolicy(), now: T0 }).length);
}

/** As after thousands of task retries: what is looked up for a run must not be looked up for each of its Jobs. */
function oneRunMs(): number {
  const history = [
    aRow({ state: 'Scheduled', at: '-20m', version: 1 }),
    aRow({ state: 'Success', at: '-9m', version: 2 }),
  ];
  const run = aFlowRun({ history });
  const jobs = Array.from({ length: many }, (_, n) =>
    aJob({ uid: `job-${n}`, phase: 'failed', createdAt: at(`-${20 + n}s`), finishedAt: at('-9m') }),
  );
  const input = { runs: new Map([[run.id, run]]), gone: new Set<never>(), jobs, pods: [], events: [] };
  return medianMs(() => planReconcile({ ...input, isComplete: true, policy: aReconcilePolicy(), now: T0 }).length);
}

function dispatchMs(): number {
  const due = Array.from({ length: many }, (_, n) => ({
    kind: 'scheduled' as const,
    run: aFlowRun({ id: aRunId(n) }),
  }));
  const jobs = Array.from({ length: many }, (_, n) =>
    aJob({ runId: aRunId(many + n), uid: `job-${n}`, phase: 'complete' }),
  );
  const limits = { maxInFlight: many, maxPerTick: many, labelLimits: new Map(), lateRunLimitMs: null, infraRetries: 0 };
  const policy = { stackId: STACK, paused: false, ...limits };
  const draft = () => ({ kind: 'job', job: {}, warnings: [] }) as const;
  return medianMs(
    () => planDispatch({ due, jobs, policy, now: T0, horizon: at('+38s'), newClaimId: () => 'claim', draft }).length,
  );
}

/** The pure cores at the largest size that a namespace is expected to hold. Times depend on the machine. */
export const planners: GoalGroup = {
  name: 'planners',
  about: `what the two plans take over ${many} runs, Jobs and pods; median of ${repetitions}`,
  kind: 'cpu',
  measure: async (): Promise<readonly Measurement[]> => [
    {
      goal: `plan of reconcile, ${many} Jobs and pods`,
      figure: reconcileMs(),
      unit: 'ms',
      limit: 100,
      because: '10 µs for each Job',
    },
    {
      goal: `plan of reconcile, ${many} Jobs of one run`,
      figure: oneRunMs(),
      unit: 'ms',
      limit: 100,
      because: 'as long as those of as many runs',
    },
    {
      goal: `plan of dispatch, ${many} due runs and Jobs`,
      figure: dispatchMs(),
      unit: 'ms',
      limit: 100,
      because: '10 µs for each run',
    },
  ],
};
