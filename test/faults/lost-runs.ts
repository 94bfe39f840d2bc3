import {
  cancelledSince,
  deletionsOf,
  endOfJob,
  executionsOf,
  hasWorked,
  isFinished,
  isLive,
  isOurs,
  jobsOf,
  latest,
  msBetween,
  type Violation,
} from './timeline.ts';
import type { Limits, Witnessed, WitnessedJob, WitnessedRun } from './witness.ts';

/** Something about a run that is not as it ought to be, since when, and how long that may take to be repaired. */
interface Wrong {
  readonly since: Date;
  readonly patienceMs: number;
  readonly why: string;
  /** Nobody looks after the run any more: it would be lost, not only late. */
  readonly isLoss: boolean;
}

interface Scene {
  readonly witnessed: Witnessed;
  readonly limits: Limits;
  readonly run: WitnessedRun;
  readonly jobs: readonly WitnessedJob[];
  readonly live: readonly WitnessedJob[];
  /** When anything happened to the run last. */
  readonly touchedAt: Date;
  readonly isAtWork: boolean;
}

/** L and T: what is wrong with a run at the end is repaired within the bound, and nothing is wrong for good. */
export function lostRuns(witnessed: Witnessed, limits: Limits): readonly Violation[] {
  return witnessed.runs.flatMap((run) => {
    const wrong = wrongOf(sceneOf(witnessed, limits, run));
    if (wrong === null) return [];
    const quietMs = msBetween(latest(wrong.since, witnessed.lastFaultAt), witnessed.endedAt);
    if (quietMs <= wrong.patienceMs) return [];
    const isLost = wrong.isLoss && quietMs > limits.lostMs;
    const why = `${wrong.why}, for ${Math.floor(quietMs / 1000)} s without a fault`;
    return [{ invariant: isLost ? 'L' : 'T', runId: run.id, why } as const];
  });
}

function sceneOf(witnessed: Witnessed, limits: Limits, run: WitnessedRun): Scene {
  const jobs = jobsOf(witnessed, run.id);
  const executions = executionsOf(witnessed, run.id);
  const touchedAt = latest(
    run.history.at(-1)?.at,
    ...jobs.map((job) => endOfJob(job)),
    ...jobs.map(({ deletedAt }) => deletedAt),
    ...executions.map(({ endedAt }) => endedAt),
  );
  const isAtWork = executions.some((execution) => execution.endedAt === null && hasWorked(execution));
  return { witnessed, limits, run, jobs, live: jobs.filter(isLive), touchedAt, isAtWork };
}

function wrongOf(scene: Scene): Wrong | null {
  const { run, live, witnessed, limits } = scene;
  const ours = live.filter(({ stackId }) => stackId === witnessed.stackId);
  if (run.deletedAt !== null) return ofDeleted(scene, ours);
  const cancelled = cancelledSince(run, witnessed.stackId);
  if (cancelled !== null && (ours.length > 0 || run.state !== 'Cancelled')) return ofCancelled(scene, cancelled, ours);
  if (!run.ours) return null;
  if (isFinished(run.state)) return ofFinished(scene, ours);
  const judge = byState[run.state];
  return judge === undefined ? null : judge(scene, limits);
}

/** Its pod is on a node, it is being deleted, and stays until the node is back or removed: nobody may take the pod away. */
const isHeldByItsNode = ({ witnessed }: Scene, job: WitnessedJob): boolean =>
  deletionsOf(witnessed, job).length > 0 && witnessed.executions.some(({ jobUid }) => jobUid === job.uid);

function ofDeleted(scene: Scene, ours: readonly WitnessedJob[]): Wrong | null {
  const { run, limits } = scene;
  const left = ours.find((job) => !isHeldByItsNode(scene, job));
  if (left === undefined) return null;
  return {
    since: latest(run.deletedAt, left.createdAt),
    patienceMs: limits.quietAgeMs + limits.repairMs,
    why: `Job ${left.name} of a deleted run is still there`,
    isLoss: false,
  };
}

/** Cancelled by somebody: no Job is left, and the run says so. */
function ofCancelled(scene: Scene, since: Date, jobs: readonly WitnessedJob[]): Wrong | null {
  const { run, limits, touchedAt } = scene;
  const ours = jobs.filter((job) => !isHeldByItsNode(scene, job));
  // As long as a node hides a process nobody knows that the run is over.
  if (ours.length < jobs.length && ours.length === 0) return null;
  const hasClaim = run.history.some(({ claim }) => claim !== null);
  if (ours.length === 0 && !run.ours && !hasClaim) return null;
  const what = ours[0] === undefined ? `it stands at ${run.state}` : `Job ${ours[0].name} is still there`;
  return {
    since: ours[0] === undefined ? latest(since, touchedAt) : latest(since, ours[0].createdAt),
    patienceMs: limits.quietAgeMs + limits.cancelGraceMs + limits.repairMs,
    why: `cancelled, and ${what}`,
    isLoss: false,
  };
}

/** A Job that never started must not outlive its run: it would run a finished one. */
function ofFinished({ limits, touchedAt, witnessed }: Scene, ours: readonly WitnessedJob[]): Wrong | null {
  const idle = ours.find(({ uid }) => !witnessed.executions.some(({ jobUid }) => jobUid === uid));
  if (idle === undefined) return null;
  const since = latest(touchedAt, idle.createdAt);
  const patienceMs = limits.quietAgeMs + limits.repairMs;
  return { since, patienceMs, why: `finished, and Job ${idle.name} can still start`, isLoss: false };
}

/** The n-th claim of a key waits 1, 2, 4, 8, then 15 minutes after the one before. */
function backOffMs({ run, witnessed }: Scene): number {
  const claims = run.history.filter((row) => row.state === 'Submitted' && isOurs(row, witnessed.stackId));
  const last = claims.at(-1);
  const count = claims.filter(({ key }) => key === last?.key).length;
  return count === 0 ? 0 : Math.min(2 ** (count - 1), 15) * 60_000;
}

function ofScheduled({ run, live, touchedAt, witnessed }: Scene, limits: Limits): Wrong | null {
  if (live.length > 0 || run.dueAt === null || run.dueAt > witnessed.endedAt) return null;
  const since = latest(run.dueAt, touchedAt);
  return { since, patienceMs: limits.repairMs, why: 'due, and nobody claimed it', isLoss: true };
}

function pending({ live, isAtWork, witnessed }: Scene, limits: Limits): Wrong | null {
  const idle = live.find(({ uid }) => !witnessed.executions.some(({ jobUid }) => jobUid === uid));
  if (idle === undefined || isAtWork) return null;
  const patienceMs = limits.pendingGraceMs + limits.repairMs;
  return { since: idle.createdAt, patienceMs, why: `Job ${idle.name} has not started`, isLoss: false };
}

function ofSubmitted(scene: Scene, limits: Limits): Wrong | null {
  const { run, live, touchedAt, witnessed } = scene;
  if (run.history.at(-1)?.stack !== witnessed.stackId) return null;
  if (live.length > 0) return pending(scene, limits);
  const patienceMs = limits.repairMs + backOffMs(scene);
  return { since: touchedAt, patienceMs, why: 'claimed, and no Job of it is there', isLoss: true };
}

function ofRunning(scene: Scene, limits: Limits): Wrong | null {
  const { run, live, isAtWork, touchedAt, witnessed } = scene;
  if (isAtWork) return null;
  if (live.length > 0) return pending(scene, limits);
  if (run.taskDueAt !== null) {
    if (run.taskDueAt > witnessed.endedAt) return null;
    const since = latest(run.taskDueAt, touchedAt);
    return { since, patienceMs: limits.repairMs, why: 'a task retry is due, and no Job was made', isLoss: true };
  }
  // The zombie killer and Lazarus come first, and then a whole attempt.
  return { since: touchedAt, patienceMs: limits.lostMs, why: 'Running, and nobody works on it', isLoss: true };
}

const byState: Readonly<Record<string, (scene: Scene, limits: Limits) => Wrong | null>> = {
  Scheduled: ofScheduled,
  Submitted: ofSubmitted,
  Running: ofRunning,
};
