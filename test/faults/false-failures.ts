import {
  cancelledSince,
  deletionsOf,
  executionsOf,
  hasWorked,
  isCancel,
  isHiddenByHand,
  isOurs,
  jobsOf,
  latest,
  msBetween,
  wantedOf,
  type Violation,
} from './timeline.ts';
import type {
  Limits,
  Witnessed,
  WitnessedExecution,
  WitnessedRequest,
  WitnessedRun,
  WitnessedState,
} from './witness.ts';

/** A period of reconcile. */
const tickMs = 60_000;

interface Scene {
  readonly witnessed: Witnessed;
  readonly limits: Limits;
  readonly run: WitnessedRun;
}

/** F: no Failed of ours over newer truth or over a process at work, and no cancelled run at work again. */
export function falseFailures(witnessed: Witnessed, limits: Limits): readonly Violation[] {
  return witnessed.runs.flatMap((run) => {
    const scene = { witnessed, limits, run };
    return [...overNewerTruth(scene), ...overAProcess(scene), ...workAfterCancel(scene)].map(
      (why) => ({ invariant: 'F', runId: run.id, why }) as const,
    );
  });
}

/** A row of ours that ends a run by our own decision: not one that puts back what others wrote. */
function isOurEnd(history: readonly WitnessedState[], place: number, stackId: string): boolean {
  const row = history[place];
  if (row === undefined || !isOurs(row, stackId) || !['Failed', 'Cancelled'].includes(row.state)) return false;
  const putsBack = (other: WitnessedState): boolean =>
    !isOurs(other, stackId) && other.state === row.state && other.message === row.message;
  return !history.slice(0, place).some((other) => putsBack(other)) || isNewCancel(history, place, stackId);
}

/** Our Cancelled reads like a user's; it is ours when something else stood before it. */
const isNewCancel = (history: readonly WitnessedState[], place: number, stackId: string): boolean => {
  const before = history[place - 1];
  return history[place]?.state === 'Cancelled' && before !== undefined && !isOurs(before, stackId);
};

/** Of the claims below a row: one of ours since what is wanted, and one of others that came last. */
interface Claims {
  readonly isClaimed: boolean;
  readonly isElsewhere: boolean;
}

const grounds: Readonly<Record<string, (wanted: WitnessedState, claims: Claims) => boolean>> = {
  // A claim begins an attempt, and what others want is still that it runs; or it runs, and not for somebody else.
  Failed: ({ state }, { isClaimed, isElsewhere }) =>
    (state === 'Running' && !isElsewhere) || state === 'Failed' || (state === 'Scheduled' && isClaimed),
  Cancelled: (wanted) => isCancel(wanted),
};

interface Ground {
  readonly wanted: WitnessedState;
  readonly isRightful: boolean;
}

function groundOf({ run, witnessed }: Scene, place: number): Ground | null {
  const { stackId } = witnessed;
  const wanted = wantedOf(run.history, stackId, place);
  if (wanted === null) return null;
  const since = run.history.indexOf(wanted);
  const isClaimed = run.history.slice(since, place).some((row) => row.state === 'Submitted' && isOurs(row, stackId));
  const last = run.history.slice(0, place).findLast(({ state }) => state === 'Submitted');
  const isElsewhere = last !== undefined && !isOurs(last, stackId);
  const state = run.history[place]?.state ?? '';
  return { wanted, isRightful: grounds[state]?.(wanted, { isClaimed, isElsewhere }) ?? true };
}

function overNewerTruth(scene: Scene): readonly string[] {
  const { run, witnessed, limits } = scene;
  const { stackId, endedAt, lastFaultAt } = witnessed;
  return run.history.flatMap((row, place) => {
    if (!isOurEnd(run.history, place, stackId)) return [];
    const ground = groundOf(scene, place);
    if (ground === null || ground.isRightful) return [];
    const { wanted } = ground;
    const over = `our ${row.state} lies over ${wanted.state} (version ${wanted.version})`;
    // Without compare-and-set a write can land over one that came a moment before; never over an old one.
    if (msBetween(wanted.at, row.at) > limits.quietAgeMs) return [`${over}, which had long been there`];
    const isLast = place === run.history.length - 1;
    const isSettled = msBetween(latest(row.at, lastFaultAt), endedAt) >= limits.repairMs;
    return isLast && isSettled ? [`${over} and was never taken back`] : [];
  });
}

/** When the write of a row was sent, if a request that took effect is seen to have written it; else when the row came. */
function sentAt({ run, witnessed }: Scene, row: WitnessedState): Date {
  const words = JSON.stringify(row.message);
  const isWrite = ({ to, applied, at, body }: WitnessedRequest): boolean =>
    to === 'prefect' && applied && at <= row.at && body.includes(run.id) && body.includes(words);
  return witnessed.requests.findLast(isWrite)?.at ?? row.at;
}

/** Another row came over it, or there was no time for one since the last fault. */
function isTakenBack({ run, witnessed, limits }: Scene, place: number): boolean {
  const row = run.history[place];
  if (row === undefined) return false;
  const { endedAt, lastFaultAt } = witnessed;
  const until = run.history[place + 1]?.at ?? endedAt;
  return msBetween(latest(row.at, lastFaultAt), until) < limits.repairMs;
}

/**
 * At our Failed nothing of the run may be at work, and nothing that was there before it may begin work after it. Without
 * compare-and-set a write on its way stays a write when a pod starts meanwhile: that one must not stand.
 */
function overAProcess(scene: Scene): readonly string[] {
  const { run, witnessed } = scene;
  const { stackId } = witnessed;
  const created = new Map(jobsOf(witnessed, run.id).map((job) => [job.uid, job]));
  const working = executionsOf(witnessed, run.id).filter(
    (execution) => hasWorked(execution) && created.get(execution.jobUid)?.stackId === stackId,
  );
  // The run went on in another Job since, or should have: that one is judged.
  const isBygone = (execution: WitnessedExecution, { at, key }: WitnessedState): boolean =>
    isHiddenByHand(witnessed, execution) &&
    ((key !== null && key !== created.get(execution.jobUid)?.key) ||
      [...created.values()].some(({ createdAt }) => createdAt > execution.startedAt && createdAt < at));
  return run.history.flatMap((row, place) => {
    if (!isOurEnd(run.history, place, stackId)) return [];
    const next = run.history.slice(place + 1).find(({ state }) => state === 'Scheduled');
    return working
      .filter((execution) => !isBygone(execution, row))
      .filter(({ startedAt }) => startedAt > row.at || startedAt <= sentAt(scene, row) || !isTakenBack(scene, place))
      .filter(({ startedAt, endedAt }) => {
        const atWork = startedAt <= row.at && (endedAt === null || endedAt > row.at);
        const later = startedAt > row.at && (next === undefined || startedAt < next.at);
        return atWork || later;
      })
      .map(({ jobUid, startedAt }) =>
        startedAt <= row.at
          ? `our ${row.state} came while Job ${jobUid} was at work`
          : `Job ${jobUid} began work after our ${row.state}`,
      );
  });
}

/**
 * A pod that read its run before the cancel may write Running over it; that ends within the quiet age, the grace for
 * stopping itself, and two ticks.
 */
function workAfterCancel({ run, witnessed, limits }: Scene): readonly string[] {
  const since = cancelledSince(run, witnessed.stackId);
  if (since === null) return [];
  const bound = limits.quietAgeMs + limits.cancelGraceMs + limits.repairMs;
  const from = latest(since, witnessed.lastFaultAt);
  const late = (instant: Date | null): boolean => msBetween(from, instant ?? witnessed.endedAt) > bound;
  const created = jobsOf(witnessed, run.id);
  const ours = created.filter(({ stackId }) => stackId === witnessed.stackId);
  const atWork = executionsOf(witnessed, run.id).filter(
    (execution) => hasWorked(execution) && (execution.endedAt === null || execution.endedAt > since),
  );
  // Once its Job is asked to go Kubernetes ends the process, or waits for a lost node to do so: that is no function's.
  const lettingGoAt = ({ jobUid, endedAt }: WitnessedExecution): Date | null => {
    const [asked] = created.flatMap((job) => (job.uid === jobUid ? deletionsOf(witnessed, job) : []));
    if (asked === undefined) return endedAt;
    return endedAt === null || asked.at < endedAt ? asked.at : endedAt;
  };
  // A Job made as the cancel came may be deleted at that age, and the tick that sees it is at most a period later.
  const began = atWork.filter(({ startedAt }) => msBetween(since, startedAt) > limits.quietAgeMs + tickMs);
  const claimedAfter = run.history.filter(
    (row) => row.state === 'Submitted' && isOurs(row, witnessed.stackId) && row.at > since,
  );
  return [
    ...began.map(({ jobUid }) => `cancelled, and Job ${jobUid} began work afterwards`),
    ...atWork
      .filter((execution) => late(lettingGoAt(execution)) && !isHiddenByHand(witnessed, execution))
      .map(({ jobUid }) => `cancelled, and Job ${jobUid} is still at work`),
    ...ours
      .filter(
        (job) => job.createdAt > since && claimedAfter.some(({ key, at }) => key === job.key && at <= job.createdAt),
      )
      .filter((job) => !run.history.some(({ key, at }) => key === job.key && at <= since))
      .map(({ name }) => `cancelled, and ${name} was made for a claim that came after the cancel`),
  ];
}
