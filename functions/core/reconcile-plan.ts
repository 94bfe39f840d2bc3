import { isActive, type ClusterEvent, type JobSnapshot, type PodSnapshot } from './cluster.ts';
import { untoldDecision, untoldEvents } from './event-log.ts';
import { isFinished, type FlowRun } from './flow-run.ts';
import { claimTokenOf, effectiveState } from './history.ts';
import { coveredRow } from './guarded-write.ts';
import { isClaimedBy, isTakenOver } from './ownership.ts';
import { diagnose } from './pod-diagnosis.ts';
import {
  type ReconcileAction,
  type ReconcileInput,
  type JobCase,
  type JobRule,
  isOwnRun,
  wait,
  type RunCase,
  type RunRule,
  waitForRun,
} from './reconcile-case.ts';
import { joblessRules, jobRules } from './reconcile-rules.ts';

const newestFirst = (jobs: readonly JobSnapshot[]): readonly JobSnapshot[] =>
  jobs.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.uid < b.uid ? 1 : -1));

/** The two tables; an argument of the planner, so that a test can take a row away. */
export interface ReconcileRules {
  readonly jobs: readonly JobRule[];
  readonly runs: readonly RunRule[];
}

export const reconcileRules: ReconcileRules = { jobs: jobRules, runs: joblessRules };

interface Decided {
  readonly action: ReconcileAction;
  readonly tells: boolean;
}

function decideJob(rules: readonly JobRule[], observed: JobCase): Decided {
  const rule = rules.find((candidate) => candidate.matches(observed));
  if (rule === undefined) return { action: wait(observed, 'still-working', 'no rule matched'), tells: false };
  const action = rule.decide(observed, rule.name);
  return { action, tells: rule.tells?.(observed) === true && action.kind !== 'fail-run' };
}

function decideRun(rules: readonly RunRule[], observed: RunCase): ReconcileAction {
  const rule = rules.find((candidate) => candidate.matches(observed));
  return rule === undefined
    ? waitForRun(observed, 'running-without-a-job', 'no rule matched')
    : rule.decide(observed, rule.name);
}

/** Names of all rules in their order, for the documentation and its test. */
export const reconcileRuleNames: readonly string[] = [...jobRules, ...joblessRules].map((rule) => rule.name);

/**
 * Runs with more than one active Job: the thing that must never be. Whoever made the Jobs.
 */
export function duplicates(jobs: readonly JobSnapshot[]): readonly (readonly JobSnapshot[])[] {
  const active = Map.groupBy(
    jobs.filter((job) => job.runId !== null && isActive(job) && !job.deleting),
    (job) => job.runId,
  );
  return [...active.values()].filter((group) => group.length > 1);
}

/**
 * What the run log does not hold yet: events, while somebody may ask why the run does not go on, and the reason of a
 * decision that no state tells of.
 */
function tell(
  observed: JobCase,
  seen: { readonly pods: readonly PodSnapshot[]; readonly events: readonly ClusterEvent[] },
  decided: Decided,
): readonly ReconcileAction[] {
  const { run, job } = observed;
  if (run === null || isFinished(run.state)) return [];
  const events = isOwnRun(observed) ? untoldEvents(run, job, seen) : [];
  const entries = [...events, ...(decided.tells ? untoldDecision(run, job, decided.action) : [])];
  const why = `${entries.length} line(s) that the run log does not hold yet`;
  return entries.length === 0 ? [] : [{ kind: 'log-events', rule: 'events-not-told-yet', why, run, job, entries }];
}

function caseOf(
  input: ReconcileInput,
  job: JobSnapshot,
  around: { siblings: readonly JobSnapshot[]; pods: readonly PodSnapshot[] },
): JobCase | null {
  const { policy, now } = input;
  if (job.stackId !== policy.stackId || job.runId === null) return null;
  const run = input.runs.get(job.runId) ?? null;
  return {
    job,
    run,
    runId: job.runId,
    gone: input.gone.has(job.runId),
    siblings: around.siblings,
    token: run === null ? null : claimTokenOf(run.serializedState),
    effective: run === null ? null : effectiveState(run.history, policy.stackId),
    covered: run === null ? null : coveredRow(run, policy.stackId),
    takenOver: run !== null && isTakenOver(run, job, policy.stackId),
    diagnosis: diagnose(job, around.pods, input.events),
    policy,
    now,
  };
}

/** `pods` are those of the run. */
const runCaseOf = (run: FlowRun, { pods, isComplete, policy, now }: ReconcileInput): RunCase => ({
  run,
  isOurs: isClaimedBy(run, policy.stackId),
  isEmpty: isComplete && !pods.some((pod) => pod.phase !== 'Failed'),
  hasLivePod: pods.some((pod) => pod.phase !== 'Failed' && pod.phase !== 'Succeeded'),
  effective: effectiveState(run.history, policy.stackId),
  covered: coveredRow(run, policy.stackId),
  token: claimTokenOf(run.serializedState),
  policy,
  now,
});

/**
 * Decides what the difference between Jobs and flow runs demands: one action per Job of this stack and one per unfinished
 * run without a Job, each with the name of the rule, and the events that nobody has been told. Pure; independent of the
 * order of its input.
 */
export function planReconcile(
  input: ReconcileInput,
  rules: ReconcileRules = reconcileRules,
): readonly ReconcileAction[] {
  // Sorted here and not for each Job: the task retries of one run may have left thousands.
  const jobsOf = Map.groupBy(newestFirst(input.jobs), (job) => job.runId);
  const podsOf = Map.groupBy(input.pods, (pod) => pod.jobUid);
  const podsOfRun = Map.groupBy(input.pods, (pod) => pod.runId);
  const eventsOf = Map.groupBy(input.events, (event) => event.objectUid);
  const byJob = input.jobs.flatMap((job) => {
    const pods = podsOf.get(job.uid) ?? [];
    const events = [job.uid, ...pods.map((pod) => pod.uid)].flatMap((uid) => eventsOf.get(uid) ?? []);
    const observed = caseOf({ ...input, events }, job, { siblings: jobsOf.get(job.runId) ?? [], pods });
    if (observed === null) return [];
    const decided = decideJob(rules.jobs, observed);
    return [decided.action, ...tell(observed, { pods, events }, decided)];
  });
  const jobless = [...input.runs.values()].filter((run) => !jobsOf.has(run.id));
  const decideJobless = (run: FlowRun): ReconcileAction =>
    decideRun(rules.runs, runCaseOf(run, { ...input, pods: podsOfRun.get(run.id) ?? [] }));
  return [...byJob, ...jobless.map(decideJobless)];
}
