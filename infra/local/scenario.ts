import type { FlowWork } from './flow-process.ts';
import type { JsonRecord } from './prefect-api/jsonb.ts';

/** What the nodes make of a run's pod: its flow runs, or it never comes that far. */
export type PodPlay =
  | ({ readonly kind: 'runs' } & FlowWork)
  | { readonly kind: 'image-never-pulls' }
  | { readonly kind: 'unschedulable' };

/** What is to have become of a run's Jobs: none was ever made, or the last one stands so, or it was deleted. */
export type JobFate = 'none' | 'active' | 'complete' | 'failed' | 'deleted';

/** Written down before anything runs: where a run must be once that many ticks of each function have been. */
export interface Expectation {
  readonly state: string;
  readonly job: JobFate;
  readonly afterTicks: number;
}

/** One flow run with its fate. Times are milliseconds from the beginning of the world. */
export interface ScenarioRun {
  readonly name: string;
  /** Name of the flow, which is the kind of trouble it stands for. */
  readonly flow: string;
  readonly labels: readonly string[];
  readonly runConfig: JsonRecord;
  readonly dueAtMs: number;
  /** It has run before: it is Running, without a pod, and a task waits for its retry, which is due at `dueAtMs`. */
  readonly isRetry: boolean;
  /** When a user clicks on Cancel. */
  readonly cancelAtMs: number | null;
  readonly pod: PodPlay;
  readonly expect: Expectation;
}

const second = 1_000;
/** A tick of each function is one minute of the world, whatever the pause between two of them. */
export const tickMs = 60 * second;

const runConfig: JsonRecord = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0', memory_limit: '256Mi' };
const runs = (ends: FlowWork['ends'], workMs: number): PodPlay => ({ kind: 'runs', ends, workMs });
const week = 7 * 24 * 3600 * second;

type Archetype = Omit<ScenarioRun, 'name'>;

const archetype = (flow: string, wish: Partial<Archetype> & Pick<Archetype, 'expect'>): Archetype => ({
  flow,
  labels: [],
  runConfig,
  dueAtMs: -30 * second,
  isRetry: false,
  cancelAtMs: null,
  pod: runs('success', 20 * second),
  ...wish,
});

/**
 * The kinds of runs, each with the hour at which it must be over. Functions tick at :00 (dispatch) and :30 (reconcile)
 * of each minute, with the default graces: a Job is deleted once it is older than 120 s, an image has 3 minutes.
 */
const archetypes: readonly Archetype[] = [
  archetype('success', { expect: { state: 'Success', job: 'complete', afterTicks: 1 } }),
  archetype('task-failure', {
    pod: runs('failed', 20 * second),
    expect: { state: 'Failed', job: 'complete', afterTicks: 1 },
  }),
  // Crashes at 0:30 or later: the reconcile of the second minute sees it.
  archetype('exit-1', { pod: runs('exit-1', 30 * second), expect: { state: 'Failed', job: 'failed', afterTicks: 2 } }),
  archetype('out-of-memory', {
    pod: runs('out-of-memory', 30 * second),
    expect: { state: 'Failed', job: 'failed', afterTicks: 2 },
  }),
  // 3 minutes are over at 3:30, in the fourth minute; by then the Job is old enough to be deleted as well.
  archetype('image-never-pulls', {
    pod: { kind: 'image-never-pulls' },
    expect: { state: 'Failed', job: 'deleted', afterTicks: 4 },
  }),
  // Nobody tells a pod that has not started: its Job is deleted at 2:30.
  archetype('cancelled-pending', {
    pod: { kind: 'unschedulable' },
    cancelAtMs: 40 * second,
    expect: { state: 'Cancelled', job: 'deleted', afterTicks: 3 },
  }),
  archetype('cancelled-running', {
    pod: runs('success', 600 * second),
    cancelAtMs: 40 * second,
    expect: { state: 'Cancelled', job: 'complete', afterTicks: 2 },
  }),
  archetype('retry-due', { isRetry: true, expect: { state: 'Success', job: 'complete', afterTicks: 1 } }),
  archetype('foreign-labels', {
    labels: ['gpu'],
    expect: { state: 'Scheduled', job: 'none', afterTicks: 4 },
  }),
  archetype('due-later', { dueAtMs: 125 * second, expect: { state: 'Success', job: 'complete', afterTicks: 3 } }),
  archetype('not-due-yet', { dueAtMs: week, expect: { state: 'Scheduled', job: 'none', afterTicks: 4 } }),
  archetype('unreadable-run-config', {
    runConfig: { ...runConfig, env: 'DEBUG=1' },
    expect: { state: 'Failed', job: 'none', afterTicks: 1 },
  }),
];

/** How many runs fall due in one minute: what one tick polls and what may be in flight bound it from above. */
const runsPerMinute = 240;

/** Later batches do the same some minutes later. */
function later(run: Archetype, minutes: number): Archetype {
  const { cancelAtMs, expect } = run;
  return {
    ...run,
    dueAtMs: run.dueAtMs + minutes * tickMs,
    cancelAtMs: cancelAtMs === null ? null : cancelAtMs + minutes * tickMs,
    expect: { ...expect, afterTicks: expect.afterTicks + minutes },
  };
}

/** One of each kind by default. */
export const defaultRuns = archetypes.length;

/** `count` runs, the kinds in turn: `success`, `task-failure`, ..., `success-2`. Pure. */
export function buildScenario(count: number): readonly ScenarioRun[] {
  const rounds = Array.from({ length: Math.ceil(count / archetypes.length) }, (_, round) =>
    archetypes.map((kind, place) => ({
      ...later(kind, Math.floor((round * archetypes.length + place) / runsPerMinute)),
      name: round === 0 ? kind.flow : `${kind.flow}-${round + 1}`,
    })),
  );
  return rounds.flat().slice(0, count);
}
