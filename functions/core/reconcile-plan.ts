import type { JobSnapshot } from './cluster.ts';
import { claimTokenOf, effectiveState } from './history.ts';
import { diagnose } from './pod-diagnosis.ts';
import {
  type ReconcileAction,
  type ReconcileInput,
  type JobCase,
  type JobRule,
  isActive,
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

function decideJob(rules: readonly JobRule[], observed: JobCase): ReconcileAction {
  const rule = rules.find((candidate) => candidate.matches(observed));
  return rule === undefined ? wait(observed, 'still-working', 'no rule matched') : rule.decide(observed, rule.name);
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
 * Decides what the difference between Jobs and flow runs demands: one action per Job of this stack and one per unfinished
 * run without a Job, each with the name of the rule. Pure; independent of the order of its input.
 */
export function planReconcile(
  input: ReconcileInput,
  rules: ReconcileRules = reconcileRules,
): readonly ReconcileAction[] {
  const { runs, gone, policy, now } = input;
  const jobsOf = Map.groupBy(input.jobs, (job) => job.runId);
  const podsOf = Map.groupBy(input.pods, (pod) => pod.jobUid);
  const byJob = input.jobs.flatMap((job) => {
    if (job.stackId !== policy.stackId || job.runId === null) return [];
    const run = runs.get(job.runId) ?? null;
    return decideJob(rules.jobs, {
      job,
      run,
      runId: job.runId,
      gone: gone.has(job.runId),
      siblings: newestFirst(jobsOf.get(job.runId) ?? []),
      token: run === null ? null : claimTokenOf(run.serializedState),
      effective: run === null ? null : effectiveState(run.history, policy.stackId),
      diagnosis: diagnose(job, podsOf.get(job.uid) ?? [], input.events),
      policy,
      now,
    });
  });
  const byRun = [...runs.values()]
    .filter((run) => !jobsOf.has(run.id))
    .map((run) =>
      decideRun(rules.runs, {
        run,
        effective: effectiveState(run.history, policy.stackId),
        token: claimTokenOf(run.serializedState),
        policy,
        now,
      }),
    );
  return [...byJob, ...byRun];
}
