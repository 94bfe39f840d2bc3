import {
  deletionsOf,
  executionsOf,
  hasWorked,
  isHiddenByHand,
  isOurs,
  jobsOf,
  msBetween,
  overlap,
  pairsOf,
  spanOfExecution,
  spanOfJob,
  type Violation,
} from './timeline.ts';
import type { Limits, Witnessed, WitnessedExecution, WitnessedJob } from './witness.ts';

/** U: at most one Job for an attempt, and never two live Jobs or executions of one run. */
export function duplicateJobs(witnessed: Witnessed, limits: Limits): readonly Violation[] {
  const runIds = [...new Set(witnessed.jobs.map(({ runId }) => runId))];
  return runIds.flatMap((runId) => {
    const jobs = jobsOf(witnessed, runId);
    const ours = jobs.filter(({ stackId }) => stackId === witnessed.stackId);
    return [
      ...pairsOf(ours).flatMap((pair) => judgePair(witnessed, limits, pair)),
      ...besideForeign(jobs, { witnessed, limits }),
      ...twoExecutions(witnessed, runId, ours),
      ...withoutClaim(witnessed, runId, ours),
      ...freedTooEarly(witnessed, limits, ours),
    ].map((why) => ({ invariant: 'U', runId, why }) as const);
  });
}

/** The next retry of a run whose Jobs are all gone has the key of the one before: nothing of that can still arrive. */
const isAnotherRetry = ({ quietAgeMs }: Limits, first: WitnessedJob, second: WitnessedJob): boolean =>
  !/^\d+$/u.test(first.key ?? '') && msBetween(first.createdAt, second.createdAt) > quietAgeMs;

function judgePair(
  witnessed: Witnessed,
  limits: Limits,
  [first, second]: readonly [WitnessedJob, WitnessedJob],
): readonly string[] {
  const names = `${first.name} (${first.uid}) and ${second.name} (${second.uid})`;
  if (overlap(spanOfJob(first), spanOfJob(second))) return [`two live Jobs at once: ${names}`];
  if (first.key !== second.key || isAnotherRetry(limits, first, second)) return [];
  // Made again under its key: allowed while nothing of the flow has begun (an early pod, a node lost before the start).
  // A person who deletes a Job takes its name free, and with it the only lock there is.
  const began = executionsOf(witnessed, first.runId).some(
    (execution) => execution.jobUid === first.uid && hasWorked(execution),
  );
  return began && !first.byHand ? [`a second Job for the attempt ${first.key}, which had begun: ${names}`] : [];
}

/** A Job of another agent that was there for long enough to be seen holds the run. */
function besideForeign(
  jobs: readonly WitnessedJob[],
  { witnessed, limits }: { witnessed: Witnessed; limits: Limits },
): readonly string[] {
  const foreign = jobs.filter(({ stackId }) => stackId !== witnessed.stackId);
  const ours = jobs.filter(({ stackId }) => stackId === witnessed.stackId);
  return ours.flatMap((job) =>
    foreign
      .filter((other) => overlap(spanOfJob(other), spanOfJob(job)))
      .filter((other) => msBetween(other.createdAt, job.createdAt) > limits.quietAgeMs)
      .map((other) => `${job.name} was made beside ${other.name} of another agent, which was active`),
  );
}

function twoExecutions(witnessed: Witnessed, runId: string, ours: readonly WitnessedJob[]): readonly string[] {
  const uids = new Set(ours.map(({ uid }) => uid));
  const working = executionsOf(witnessed, runId).filter(
    (execution) => uids.has(execution.jobUid) && hasWorked(execution),
  );
  const isUnseen = (execution: WitnessedExecution): boolean => isHiddenByHand(witnessed, execution);
  // Several pods of one Job are what its author asked for, with a backoffLimit or a policy of replacement.
  return pairsOf(working)
    .filter(([a, b]) => a.jobUid !== b.jobUid && !isUnseen(a) && !isUnseen(b))
    .filter(([a, b]) => overlap(spanOfExecution(a), spanOfExecution(b)))
    .map(([a, b]) => `two executions at once, of Jobs ${a.jobUid} and ${b.jobUid}`);
}

/** A Job nobody claimed its run for, and that is no task retry: its attempt is nobody's. */
function withoutClaim(witnessed: Witnessed, runId: string, ours: readonly WitnessedJob[]): readonly string[] {
  const run = witnessed.runs.find(({ id }) => id === runId);
  if (run === undefined) return [];
  const claimed = new Set(
    run.history.filter((row) => row.state === 'Submitted' && isOurs(row, witnessed.stackId)).map(({ key }) => key),
  );
  // The key of a task retry is the UID of the Job before it, or `v` and a version: never a bare number.
  return ours
    .filter(({ key }) => key !== null && /^\d+$/u.test(key) && !claimed.has(key))
    .map(({ name, key }) => `${name} was made for the attempt ${key}, which was never claimed`);
}

/** Clocks of the function and the cluster may differ by so much (protocol, Q). */
const skewMs = 10_000;

/** A name is the lock of its attempt. While a second create of it may be on its way, nobody may take the Job away. */
function freedTooEarly(witnessed: Witnessed, { quietAgeMs }: Limits, ours: readonly WitnessedJob[]): readonly string[] {
  return ours.flatMap((job) =>
    deletionsOf(witnessed, job)
      .map(({ at, actor }) => ({ actor, ageMs: msBetween(job.createdAt, at) }))
      .filter(({ ageMs }) => ageMs < quietAgeMs - skewMs)
      .map(({ actor, ageMs }) => `${actor} deleted Job ${job.name} (${job.uid}) at the age of ${ageMs / 1000} s`),
  );
}
