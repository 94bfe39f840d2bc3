import type { JobName, JobSnapshot, PodSnapshot } from '../../functions/core/cluster.ts';
import type { FlowRun, StateRow } from '../../functions/core/flow-run.ts';
import type { JsonObject } from '../../functions/core/json.ts';
import { aContainer, aFlow, aPod, aRunId, STACK } from '../support/builders.ts';
import { T0 } from '../support/time.ts';
import type { Invocation } from './tick.ts';

/**
 * The world of the model: one flow run, its Jobs, and what is on its way to them. Values only, never changed in place, so
 * that a state can be kept and gone on from in many ways. Times are whole seconds since the beginning.
 */

export const runId = aRunId(1);
export const instant = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);
export const secondsOf = (date: Date): number => Math.round((date.getTime() - T0.getTime()) / 1000);

/** A row of the run's history. `by` is what a trace calls whoever wrote it. */
export interface Row {
  readonly at: number;
  readonly version: number;
  readonly state: JsonObject & { readonly type: string };
  readonly by: 'us' | 'user' | 'pod' | 'server';
}

/** How far the one pod of a Job is; `loaded`: its process has read the run, and written nothing. */
export type PodStage = 'waiting' | 'loaded' | 'working' | 'over';

export interface Job {
  readonly uid: string;
  readonly name: string;
  readonly key: string;
  readonly claimId: string;
  readonly at: number;
  readonly phase: 'active' | 'complete' | 'failed';
  readonly finishedAt: number | null;
  readonly deleting: boolean;
  readonly pod: PodStage;
}

/** A request that its sender has given up, and that takes effect all the same, at `until` at the latest. */
export type Late =
  | { readonly kind: 'create'; readonly job: NewJob; readonly until: number }
  | { readonly kind: 'insert'; readonly state: Row['state']; readonly version: number; readonly until: number }
  | { readonly kind: 'delete'; readonly uid: string; readonly until: number };

export type NewJob = Pick<Job, 'name' | 'key' | 'claimId'>;

/** What may still happen: a scope is exhausted when all of it has happened in every order. */
export interface Budget {
  readonly dispatches: number;
  readonly reconciles: number;
  /** Crashes, lost and late answers, a lost lock. */
  readonly faults: number;
  /** Times that the clock goes on while an invocation is at work. */
  readonly delays: number;
  /** Pods that end badly. */
  readonly mishaps: number;
  /** What the user does, in this order. */
  readonly user: readonly UserAct[];
  readonly lazarus: number;
  /** Task retries that come due. */
  readonly retries: number;
}

export type UserAct = 'cancel' | 'restart';

export interface World {
  readonly now: number;
  readonly rows: readonly Row[];
  /** Place of the standing row: an insert with a lower version is a row, and nothing more. */
  readonly standing: number;
  readonly heartbeat: number | null;
  readonly lockedUntil: number;
  readonly resurrected: number;
  readonly dueTasks: number;
  readonly jobs: readonly Job[];
  /** Keys of attempts whose flow has begun. */
  readonly begun: readonly string[];
  readonly uids: number;
  readonly late: readonly Late[];
  readonly invocations: readonly Invocation[];
  readonly started: number;
  readonly left: Budget;
}

export const finished: ReadonlySet<string> = new Set(['Success', 'Failed', 'Cancelled']);

export function standingRow({ rows, standing }: World): Row {
  const row = rows[standing];
  if (row === undefined) throw new Error('a run has a state');
  return row;
}

export const stateOf = (world: World): string => standingRow(world).state.type;
export const isLive = ({ phase }: Job): boolean => phase === 'active';
export const isAtWork = ({ pod }: Job): boolean => pod === 'loaded' || pod === 'working';

/** The state that a user, Lazarus or the server's scheduler writes to have the run started. */
export const scheduledState = (at: number, message: string): Row['state'] => ({
  type: 'Scheduled',
  message,
  start_time: instant(at).toISOString(),
});

/** A state as it is written. */
export function typed(state: JsonObject): Row['state'] {
  const { type } = state;
  if (typeof type !== 'string') throw new Error('a state has a type');
  return { ...state, type };
}

const nothing: Budget = {
  dispatches: 0,
  reconciles: 0,
  faults: 0,
  delays: 0,
  mishaps: 0,
  user: [],
  lazarus: 0,
  retries: 0,
};

/** A run that is due, and nobody has seen it. */
export function aWorld(left: Partial<Budget>): World {
  return {
    now: 0,
    rows: [{ at: -60, version: 1, state: scheduledState(-60, ''), by: 'user' }],
    standing: 0,
    heartbeat: null,
    lockedUntil: 0,
    resurrected: 0,
    dueTasks: 0,
    jobs: [],
    begun: [],
    uids: 0,
    late: [],
    invocations: [],
    started: 0,
    left: { ...nothing, ...left },
  };
}

/** A run whose Job has ended and left two task retries behind, one of them due (protocol rule 17). */
export function aWorldOfRetries(left: Partial<Budget>): World {
  const world = aWorld(left);
  const until = instant(-790).toISOString();
  const token = { stack: STACK, claim: 'claim-0', key: '1', until };
  const inner = scheduledState(-960, '');
  const rows: readonly Row[] = [
    { at: -960, version: 1, state: inner, by: 'user' },
    { at: -900, version: 2, state: { type: 'Submitted', message: '', state: inner, context: token }, by: 'us' },
    { at: -880, version: 3, state: { type: 'Running', message: '' }, by: 'pod' },
  ];
  const job: Job = {
    uid: 'uid-0',
    name: 'prefect-job-0',
    key: '1',
    claimId: 'claim-0',
    at: -895,
    phase: 'complete',
    finishedAt: -400,
    deleting: false,
    pod: 'over',
  };
  return { ...world, rows, standing: 2, heartbeat: -400, dueTasks: 1, jobs: [job], begun: ['1'] };
}

function stateRow({ at, version, state }: Row, place: number): StateRow {
  const message = typeof state['message'] === 'string' ? state['message'] : null;
  const createdMicros = instant(at).getTime() * 1000 + place;
  return { id: `row-${place}`, version, state: state.type, createdMicros, message, serializedState: state };
}

/** The run as the API shows it. */
export function runOf(world: World): FlowRun {
  const { version, state } = standingRow(world);
  return {
    id: runId,
    name: 'quiet-otter',
    version,
    state: state.type,
    serializedState: state,
    labels: [],
    scheduledStartTime: instant(-60),
    heartbeat: world.heartbeat === null ? null : instant(world.heartbeat),
    timesResurrected: world.resurrected,
    runConfig: null,
    flow: aFlow(),
    dueTaskRuns: world.dueTasks,
    waitingTaskRuns: world.dueTasks + world.left.retries,
    history: world.rows.map(stateRow),
    eventMarks: [],
  };
}

export function snapshotOf({ uid, name, key, claimId, at, phase, finishedAt, deleting, pod }: Job): JobSnapshot {
  return {
    name: name as JobName,
    uid,
    createdAt: instant(at),
    deleting,
    phase,
    announced: null,
    reason: phase === 'failed' ? 'BackoffLimitExceeded' : '',
    message: '',
    finishedAt: finishedAt === null ? null : instant(finishedAt),
    runId,
    stackId: STACK,
    key,
    claimId,
    runLabels: [],
    podsEver: 1,
    activePods: pod === 'over' ? 0 : 1,
    failedPods: phase === 'failed' ? 1 : 0,
  };
}

/** The pod of a Job, as long as a list shows it: those that succeeded are not asked for. */
export function podOf({ uid, name, at, phase, finishedAt, deleting, pod }: Job): readonly PodSnapshot[] {
  if (phase === 'complete') return [];
  const common = {
    name: `${name}-x`,
    uid: `pod-${uid}`,
    jobName: name as JobName,
    jobUid: uid,
    runId,
    createdAt: instant(at),
    deleting,
  };
  if (phase === 'failed') {
    const end = { exitCode: 1, finishedAt: finishedAt === null ? null : instant(finishedAt) };
    const container = aContainer({ state: 'terminated', reason: 'Error', startedAt: instant(at), ...end });
    return [aPod({ ...common, phase: 'Failed', containers: [container] })];
  }
  const waits = aContainer({ state: 'waiting', reason: 'ContainerCreating' });
  if (pod === 'waiting') return [aPod({ ...common, phase: 'Pending', containers: [waits] })];
  return [aPod({ ...common, containers: [aContainer({ startedAt: instant(at) })] })];
}
