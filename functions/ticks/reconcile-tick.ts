import type { JobSnapshot, PodSnapshot } from '../core/cluster.ts';
import { isFinished, type FlowRun, type FlowRunId } from '../core/flow-run.ts';
import { detect } from '../core/detectors.ts';
import { claimTokenOf } from '../core/history.ts';
import { anyRunSelector, stackSelector } from '../core/job-identity.ts';
import type { ReconcileAction } from '../core/reconcile-case.ts';
import { duplicates, planReconcile } from '../core/reconcile-plan.ts';
import type { TickReport } from '../core/tick-report.ts';
import type { UnfinishedRead } from '../prefect/contract.ts';
import { Budget } from './budget.ts';
import { applyReconcile } from './apply-reconcile.ts';
import type { Invocation, ReconcileCluster, ReconcileDeps, ReconcileSettings } from './ports.ts';
import { TickRecord } from './tick-record.ts';

interface RunsKnown {
  readonly runs: ReadonlyMap<FlowRunId, FlowRun>;
  readonly gone: ReadonlySet<FlowRunId>;
}

const requestMs = 15_000;
const listMs = 30_000;

/** One reconcile tick at work: level-triggered, it remembers nothing between invocations. */
class ReconcileTick {
  readonly #deps: ReconcileDeps;
  readonly #settings: ReconcileSettings;
  readonly #budget: Budget;
  readonly #record: TickRecord;

  constructor(deps: ReconcileDeps, settings: ReconcileSettings, invocation: Invocation) {
    this.#deps = deps;
    this.#settings = settings;
    this.#budget = new Budget(deps.clock, invocation);
    this.#record = new TickRecord('reconcile', { ...deps, budget: this.#budget });
  }

  async run(): Promise<TickReport> {
    return this.#record.run(async () => {
      await this.#reconcile(await this.#readUnfinished());
      return null;
    });
  }

  /** Protocol rule 11: runs first, then Jobs. */
  async #readUnfinished(): Promise<readonly FlowRun[]> {
    const read = await this.#deps.prefect.listUnfinishedRuns(this.#budget.signal(requestMs));
    const { runs, unreadable } = read;
    this.#warn(read);
    for (const { id, problem } of unreadable) this.#reportUnreadable(id, problem);
    this.#record.set({
      unfinished_runs: runs.length,
      oldest_submitted_age_ms: oldestSubmittedAge(runs, this.#deps.clock.now()),
    });
    return runs;
  }

  /** What no single run or Job shows: one line and one fact for each. */
  #warn({ agents, late, lateOfOurs }: UnfinishedRead): void {
    const own = { name: this.#settings.agentName, labels: this.#settings.agentLabels };
    for (const { rule, count, why } of detect({ agents, late, lateOfOurs, own })) {
      this.#record.set({ [rule.replaceAll('-', '_')]: count });
      this.#record.report({ kind: 'warned', rule, action: 'alarm', runId: null, job: null, why });
    }
  }

  async #reconcile(unfinished: readonly FlowRun[]): Promise<void> {
    const cluster = await this.#deps.cluster();
    try {
      const actions = await this.#plan(cluster, unfinished);
      const { budget, deps, settings } = { budget: this.#budget, deps: this.#deps, settings: this.#settings };
      const apply = { prefect: deps.prefect, cluster, budget, settings, now: () => deps.clock.now() };
      const { outcomes, losses } = await applyReconcile(apply, actions);
      this.#record.addLosses(losses);
      for (const outcome of outcomes) this.#record.report(outcome);
    } finally {
      const { requests, connections, milliseconds, throttled } = cluster.traffic();
      this.#record.set({
        cluster_requests: requests,
        cluster_connections: connections,
        cluster_ms: milliseconds,
        throttled,
      });
      cluster.close();
    }
  }

  async #plan(cluster: ReconcileCluster, unfinished: readonly FlowRun[]): Promise<readonly ReconcileAction[]> {
    const { policy } = this.#settings;
    const jobs = await cluster.listJobs(anyRunSelector, this.#budget.signal(listMs));
    const ours = jobs.filter((job) => job.stackId === policy.stackId);
    const { runs, gone } = await this.#readRunsOfJobs(unfinished, ours);
    const open = ours.filter((job) => isUnsettled(job, runs));
    const pods =
      open.length > 0 || mayHavePodsAlone(unfinished, jobs)
        ? await cluster.listPods(stackSelector(policy.stackId), this.#budget.signal(listMs))
        : [];
    // An event that cannot be read hides no Job and no pod.
    const isComplete = cluster.unreadable() === 0;
    const hasNews =
      isAnyWithoutRunningPod(open, pods) || pods.some((pod) => hasBegunLately(pod, this.#deps.clock.now()));
    const events = await this.#readEvents(cluster, hasNews);
    const twins = duplicates(jobs);
    for (const group of twins) this.#reportDuplicates(group);
    this.#record.set({
      jobs: jobs.length,
      foreign_jobs: jobs.length - ours.length,
      pods: pods.length,
      pending_pods: pods.filter((pod) => pod.phase === 'Pending').length,
      slowest_pod_start_ms: slowestPodStart(pods, this.#deps.clock.now()),
      duplicates: twins.length,
      unreadable_objects: cluster.unreadable(),
    });
    return planReconcile({ runs, gone, jobs, pods, isComplete, events, policy, now: this.#deps.clock.now() });
  }

  /** Runs of Jobs that were not among the unfinished ones; nothing is concluded there from a Job's absence. */
  async #readRunsOfJobs(unfinished: readonly FlowRun[], jobs: readonly JobSnapshot[]): Promise<RunsKnown> {
    const runs = new Map(unfinished.map((run) => [run.id, run]));
    const asked = [...new Set(jobs.flatMap((job) => (job.runId === null || runs.has(job.runId) ? [] : [job.runId])))];
    if (asked.length === 0) return { runs, gone: new Set() };
    const read = await this.#deps.prefect.readRuns(asked, this.#budget.signal(requestMs), { marks: true });
    for (const run of read.runs) runs.set(run.id, run);
    for (const { id, problem } of read.unreadable) this.#reportUnreadable(id, problem);
    // An unreadable run without an id could be any of them: then none is taken for gone.
    const nameless = read.unreadable.some(({ id }) => id === null);
    const known = new Set<string>([...runs.keys(), ...read.unreadable.flatMap(({ id }) => (id === null ? [] : [id]))]);
    return { runs, gone: new Set(nameless ? [] : asked.filter((id) => !known.has(id))) };
  }

  /** Events are words for a diagnosis, never evidence: a list that fails stops nothing. */
  async #readEvents(cluster: ReconcileCluster, wanted: boolean) {
    if (!wanted) return [];
    try {
      const { events, isWhole } = await cluster.listEvents(this.#budget.signal(requestMs));
      if (!isWhole) this.#record.set({ events_in_part: 1 });
      return events;
    } catch (error) {
      const why = error instanceof Error ? error.message : 'no readable answer';
      this.#record.report({
        kind: 'unknown',
        rule: 'events-unreadable',
        action: 'list-events',
        runId: null,
        job: null,
        why,
      });
      return [];
    }
  }

  #reportUnreadable(id: string | null, why: string): void {
    this.#record.report({ kind: 'unknown', rule: 'run-unreadable', action: 'read-run', runId: id, job: null, why });
  }

  #reportDuplicates(group: readonly JobSnapshot[]): void {
    const why = `active at the same time: ${group.map((job) => job.name).join(', ')}`;
    const runId = group[0]?.runId ?? null;
    this.#record.report({
      kind: 'refused',
      rule: 'more-than-one-active-job',
      action: 'alarm',
      runId,
      job: group[0]?.name ?? null,
      why,
      class: 'duplicate',
    });
  }
}

/** A Job whose pods and events matter: one that is over tells nothing more once its run is finished, and stays for a day. */
function isUnsettled({ phase, runId }: JobSnapshot, runs: RunsKnown['runs']): boolean {
  if (phase === 'complete') return false;
  const run = runId === null ? undefined : runs.get(runId);
  return phase !== 'failed' || run === undefined || !isFinished(run.state);
}

function isAnyWithoutRunningPod(jobs: readonly JobSnapshot[], pods: readonly PodSnapshot[]): boolean {
  const running = new Set(pods.flatMap(({ phase, jobUid }) => (phase === 'Running' ? [jobUid] : [])));
  return jobs.some(({ uid }) => !running.has(uid));
}

/** A run at work, or told to stop, without a Job: what is left of it can only be seen among the pods. */
function mayHavePodsAlone(runs: readonly FlowRun[], jobs: readonly JobSnapshot[]): boolean {
  const withJobs = new Set(jobs.map((job) => job.runId));
  return runs.some((run) => run.state !== 'Submitted' && !withJobs.has(run.id));
}

/** A pod counts in the one tick of the minute in which its flow began, because reconcile remembers nothing. */
const justNowMs = 60_000;

/** Two ticks: what was said of a pod until its flow began is told even when the first of them is late. */
const lately = 2 * justNowMs;

const hasBegunLately = ({ containers }: PodSnapshot, now: Date): boolean =>
  containers.some(
    ({ role, startedAt }) => role === 'main' && startedAt !== null && now.getTime() - startedAt.getTime() <= lately,
  );

function slowestPodStart(pods: readonly PodSnapshot[], now: Date): number {
  const starts = pods.flatMap(({ createdAt, containers }) =>
    containers.flatMap(({ role, startedAt }) => {
      if (role !== 'main' || startedAt === null || now.getTime() - startedAt.getTime() > justNowMs) return [];
      return [startedAt.getTime() - createdAt.getTime()];
    }),
  );
  return Math.max(0, ...starts);
}

function oldestSubmittedAge(runs: readonly FlowRun[], now: Date): number {
  const claimed = runs
    .filter((run) => run.state === 'Submitted' && claimTokenOf(run.serializedState) !== null)
    .map((run) => (run.history.at(-1)?.createdMicros ?? now.getTime() * 1000) / 1000);
  return claimed.length === 0 ? 0 : Math.max(0, now.getTime() - Math.min(...claimed));
}

/**
 * One tick of reconcile: read runs, Jobs, pods and events, plan, re-read, write only differences, report. Never throws
 * for what Prefect or the cluster answer: the report's `problem` says when the tick itself could not work.
 */
export async function runReconcileTick(
  deps: ReconcileDeps,
  settings: ReconcileSettings,
  invocation: Invocation,
): Promise<TickReport> {
  return new ReconcileTick(deps, settings, invocation).run();
}
