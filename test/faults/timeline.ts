import type {
  Witnessed,
  WitnessedExecution,
  WitnessedJob,
  WitnessedRequest,
  WitnessedRun,
  WitnessedState,
} from './witness.ts';

/** Questions that the invariants ask of a history. */

export type Invariant = 'L' | 'U' | 'F' | 'T' | 'S' | 'B';

export interface Violation {
  readonly invariant: Invariant;
  /** Null: it is about no run in particular. */
  readonly runId: string | null;
  readonly why: string;
}

const finished: ReadonlySet<string> = new Set([
  'Success',
  'Failed',
  'Cancelled',
  'Cached',
  'Mapped',
  'Skipped',
  'TimedOut',
  'TriggerFailed',
  'ValidationFailed',
  'Looped',
]);

export const isFinished = (state: string): boolean => finished.has(state);
export const isCancel = ({ state }: WitnessedState): boolean => state === 'Cancelled' || state === 'Cancelling';
export const msBetween = (from: Date, to: Date): number => to.getTime() - from.getTime();
export const latest = (...instants: readonly (Date | null | undefined)[]): Date =>
  new Date(Math.max(0, ...instants.map((instant) => instant?.getTime() ?? 0)));

/** A Scheduled row starts an attempt, whoever wrote it; every other row with our stack in it is ours. */
export const isOurs = (row: WitnessedState, stackId: string): boolean =>
  row.state !== 'Scheduled' && row.stack === stackId;

const isLazarus = ({ state, message }: WitnessedState): boolean =>
  state === 'Scheduled' && (message ?? '').startsWith('Rescheduled by a Lazarus process');

/** Ends a cancel: somebody schedules the run afresh, or it is over in another way. */
const endsCancel = (row: WitnessedState): boolean =>
  (row.state === 'Scheduled' && !isLazarus(row)) || (isFinished(row.state) && !isCancel(row));

/** The row of others that says what is wanted of the run, over the first `end` rows. */
export function wantedOf(history: readonly WitnessedState[], stackId: string, end = history.length) {
  let wanted: WitnessedState | null = null;
  for (const row of history.slice(0, end)) {
    if (isOurs(row, stackId)) continue;
    if (wanted !== null && isCancel(wanted) && !isCancel(row) && !endsCancel(row)) continue;
    wanted = row;
  }
  return wanted;
}

/** When the first row of the cancel that is in force came; null: none is. */
export function cancelledSince({ history }: WitnessedRun, stackId: string): Date | null {
  let since: Date | null = null;
  for (const row of history) {
    if (isOurs(row, stackId)) continue;
    if (isCancel(row)) since ??= row.at;
    else if (endsCancel(row)) since = null;
  }
  return since;
}

interface Grouped<T> {
  readonly size: number;
  readonly byRun: ReadonlyMap<string, readonly T[]>;
}

/** What belongs to each run, found once for each history, which may have grown since: a world may have tens of thousands. */
function ofRun<T extends { readonly runId: string }>(
  known: WeakMap<readonly T[], Grouped<T>>,
  all: readonly T[],
  runId: string,
): readonly T[] {
  const found = known.get(all);
  const byRun = found?.size === all.length ? found.byRun : Map.groupBy(all, (each) => each.runId);
  known.set(all, { size: all.length, byRun });
  return byRun.get(runId) ?? [];
}

const knownJobs = new WeakMap<readonly WitnessedJob[], Grouped<WitnessedJob>>();
const knownExecutions = new WeakMap<readonly WitnessedExecution[], Grouped<WitnessedExecution>>();

export const jobsOf = ({ jobs }: Witnessed, runId: string): readonly WitnessedJob[] =>
  ofRun(knownJobs, jobs, runId).toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime());

export const executionsOf = ({ executions }: Witnessed, runId: string): readonly WitnessedExecution[] =>
  ofRun(knownExecutions, executions, runId).toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());

/** A node that answers has ended a process by then: thirty seconds, and what its kubelet takes. */
const killMs = 60_000;

/**
 * It lives on unseen, on a node that is lost, and a person deleted its Job: whoever does that takes away all by which
 * the functions could end it.
 */
export const isHiddenByHand = ({ jobs }: Witnessed, { jobUid, endedAt }: WitnessedExecution): boolean =>
  jobs.some(
    ({ uid, byHand, deletedAt }) =>
      uid === jobUid && byHand && (endedAt === null || (deletedAt !== null && msBetween(deletedAt, endedAt) > killMs)),
  );

/** It has begun the flow. */
export const hasWorked = ({ outcome }: WitnessedExecution): boolean => outcome !== 'nothing-to-do';

/** When the Job could no longer have a live pod; null: it still can. */
export function endOfJob({ finishedAt, deletedAt }: WitnessedJob): Date | null {
  if (finishedAt === null || deletedAt === null) return finishedAt ?? deletedAt;
  return finishedAt < deletedAt ? finishedAt : deletedAt;
}

/** Deletions of a Job by the functions that reached the server. The name in the path may be another Job's by then. */
export const deletionsOf = ({ requests }: Witnessed, { uid }: WitnessedJob): readonly WitnessedRequest[] =>
  requests.filter(
    ({ to, method, body, applied }) => to === 'kubernetes' && method === 'DELETE' && applied && body.includes(uid),
  );

export const isLive = (job: WitnessedJob): boolean => endOfJob(job) === null;

interface Span {
  readonly from: Date;
  readonly to: Date | null;
}

export const spanOfJob = (job: WitnessedJob): Span => ({ from: job.createdAt, to: endOfJob(job) });
export const spanOfExecution = ({ startedAt, endedAt }: WitnessedExecution): Span => ({ from: startedAt, to: endedAt });

/** Both at once for longer than no time. */
export const overlap = (a: Span, b: Span): boolean =>
  (a.to === null || b.from < a.to) && (b.to === null || a.from < b.to);

/** Pairs of one list, each once, in its order. */
export const pairsOf = <T>(items: readonly T[]): readonly (readonly [T, T])[] =>
  items.flatMap((first, place) => items.slice(place + 1).map((second) => [first, second] as const));
