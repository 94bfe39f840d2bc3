import {
  planDispatch,
  type DispatchDecision,
  type DispatchPolicy,
  type DueKind,
  type DueRun,
  type JobDraft,
} from '../core/dispatch-plan.ts';
import type { JobSnapshot } from '../core/cluster.ts';
import { detectHidden } from '../core/detectors.ts';
import type { FlowRun, FlowRunId } from '../core/flow-run.ts';
import { isUntouched } from '../core/history.ts';
import { anyRunSelector } from '../core/job-identity.ts';
import type { Outcome, TickReport } from '../core/tick-report.ts';
import type { RefusalClass } from '../kubernetes/contract.ts';
import type { DueRuns } from '../prefect/contract.ts';
import { Budget } from './budget.ts';
import { ClaimWaves } from './claim-waves.ts';
import { JobCreator } from './create-job.ts';
import { Limiter } from './limiter.ts';
import { claimLimitMs, createLimitMs, type Invocation, type TickDeps } from './ports.ts';
import { TickRecord } from './tick-record.ts';
import { WaveCreates } from './wave-creates.ts';

type Deps = TickDeps<'listDueRuns' | 'readRuns' | 'write', 'listJobs' | 'createJob'> & {
  /** Resolves what the Jobs of these runs need from outside, once; what it returns is pure. */
  readonly drafter: (
    runs: readonly FlowRun[],
    signal: AbortSignal,
  ) => Promise<(run: FlowRun, identity: { readonly key: string; readonly claimId: string }) => JobDraft>;
  /** Throws a BoundaryError where nothing could be claimed, whatever is due: it is told at once, and not in the night. */
  readonly check?: (signal: AbortSignal) => Promise<void>;
  /** In-flight caps by label that have to be read first; where the policy has one too, the smaller holds. */
  readonly labelCaps?: (signal: AbortSignal) => Promise<ReadonlyMap<string, number>>;
};

type Cluster = Awaited<ReturnType<Deps['cluster']>>;

/** What claims and what creates, for all rounds of a tick. */
interface Waves {
  readonly claims: ClaimWaves;
  readonly creates: WaveCreates;
}

/** The Jobs of the namespace, and when they were asked for. */
interface JobList {
  readonly at: Date;
  readonly jobs: readonly JobSnapshot[];
}

/** Something that is so because it is configured so, and that somebody should look at. */
export interface StandingWarning {
  readonly rule: string;
  readonly why: string;
}

export interface DispatchSettings {
  readonly policy: DispatchPolicy;
  readonly agentName: string;
  readonly createConcurrency: number;
  readonly pendingGraceMs: number;
  /** Q of the protocol: time limit of dispatch + 60 s + 10 s. */
  readonly quietAgeMs: number;
  /** Said once per tick. */
  readonly warnings?: readonly StandingWarning[];
}

/** Runs due this far ahead are pulled and waited for, as the peer does (prefect 1.4.1, agent/agent.py). */
const prefetchMs = 10_000;

/** The flow process takes a due task itself if it still lives; an agent waits this long (prefect 1.4.1, agent/agent.py). */
const retryBufferMs = 3_000;

const pollLimitMs = 15_000;

/** Another poll is worth it only while there is time for a wave after it. */
const roundMs = 20_000;

const listLimitMs = 30_000;

/** How long a list may serve the pages that come after it: a Job that ended since keeps its place that long. */
const listFreshMs = 10_000;

const dueRuns = (due: DueRuns): readonly DueRun[] =>
  (['scheduled', 'retry', 'claim'] as const).flatMap((kind: DueKind) =>
    readOf(due, kind).runs.map((run) => ({ kind, run })),
  );

function readOf(due: DueRuns, kind: DueKind) {
  return { scheduled: due.scheduled, retry: due.retries, claim: due.claims }[kind];
}

/** One dispatch tick at work: what it has been handed, and what it has to report so far. */
class DispatchTick {
  readonly #deps: Deps;
  readonly #settings: DispatchSettings;
  readonly #invocation: Invocation;
  readonly #budget: Budget;
  readonly #record: TickRecord;
  readonly #kept = new Set<FlowRunId>();
  readonly #fullLabels = new Set<string>();
  readonly #said = new Set<string>();
  #cluster: Cluster | null = null;
  #waves: Waves | null = null;
  #list: JobList | null = null;

  constructor(deps: Deps, settings: DispatchSettings, invocation: Invocation) {
    this.#deps = deps;
    this.#settings = settings;
    this.#invocation = invocation;
    this.#budget = new Budget(deps.clock, invocation);
    this.#record = new TickRecord('dispatch', { ...deps, budget: this.#budget });
  }

  async run(): Promise<TickReport> {
    return this.#record.run(async () => {
      for (const { rule, why } of this.#settings.warnings ?? []) {
        this.#record.report({ kind: 'warned', rule, action: 'create-job', runId: null, job: null, why });
      }
      await this.#deps.check?.(this.#budget.signal(claimLimitMs));
      try {
        return await this.#rounds();
      } finally {
        this.#noteWaves();
        await this.#sayLast();
        this.#closeCluster();
      }
    });
  }

  async #rounds(): Promise<TickReport['problem']> {
    try {
      let goesOn = true;
      while (goesOn) goesOn = await this.#page();
    } finally {
      // Nothing outlives the handler, whatever ended the rounds (protocol rule 8).
      await this.#waves?.claims.settled();
    }
    return this.#waves === null ? null : problemOf(this.#waves.creates);
  }

  /**
   * A poll returns at most 500 runs of a kind: while more are waiting, it is asked again when some were created, or when
   * runs of a label that has reached its cap filled the page. Meanwhile the last wave of the page before is created.
   *
   * @returns whether there may be more to do
   */
  async #page(): Promise<boolean> {
    const readAt = this.#deps.clock.now();
    const { runs, more } = await this.#poll(readAt);
    if (runs.length === 0) return false;
    const before = this.#progress();
    const waves = await this.#dispatch(runs, readAt);
    return more && (await this.#isWorthAnotherPoll(waves, before));
  }

  async #isWorthAnotherPoll({ claims, creates }: Waves, before: number): Promise<boolean> {
    if (this.#progress() === before) await claims.settled();
    const isFull = creates.asked.length >= this.#settings.policy.maxPerTick;
    return problemOf(creates) === null && !isFull && this.#progress() > before && this.#budget.leftMs() > roundMs;
  }

  async #policy(): Promise<DispatchPolicy> {
    const { policy } = this.#settings;
    const caps = (await this.#deps.labelCaps?.(this.#budget.signal(claimLimitMs))) ?? new Map<string, number>();
    const labelLimits = new Map(policy.labelLimits);
    for (const [label, cap] of caps) labelLimits.set(label, Math.min(cap, labelLimits.get(label) ?? cap));
    return { ...policy, labelLimits };
  }

  #progress(): number {
    return this.#record.countOf('created') + this.#fullLabels.size;
  }

  async #openCluster(): Promise<Cluster> {
    this.#cluster ??= await this.#deps.cluster();
    return this.#cluster;
  }

  #closeCluster(): void {
    if (this.#cluster === null) return;
    const { requests, connections, milliseconds, throttled } = this.#cluster.traffic();
    this.#record.add({
      cluster_requests: requests,
      cluster_connections: connections,
      cluster_ms: milliseconds,
      throttled,
    });
    this.#cluster.close();
  }

  async #poll(now: Date): Promise<{ readonly runs: readonly DueRun[]; readonly more: boolean }> {
    const ago = (ms: number): Date => new Date(now.getTime() - ms);
    const { lateRunLimitMs } = this.#settings.policy;
    const due = await this.#deps.prefect.listDueRuns({
      dueBefore: new Date(now.getTime() + prefetchMs),
      retryBefore: ago(retryBufferMs),
      quietBefore: ago(this.#settings.quietAgeMs),
      lateBefore: lateRunLimitMs === null ? null : ago(lateRunLimitMs),
      withoutLabels: [...this.#fullLabels],
      signal: this.#budget.signal(pollLimitMs),
    });
    for (const kind of ['scheduled', 'retry', 'claim'] as const) this.#noteUnreadable(due, kind);
    this.#warn(due);
    const runs = dueRuns(due);
    this.#record.setFirst({ oldest_due_age_ms: oldestAge(due, now) });
    this.#record.set({ more_due: Number(due.more) });
    this.#record.add({ due: runs.length });
    return { runs, more: due.more };
  }

  /** What keeps runs of ours out of sight: one line a tick, and one fact. */
  #warn(due: DueRuns): void {
    for (const { rule, count, why } of detectHidden(due)) {
      this.#record.raise({ [rule.replaceAll('-', '_')]: count });
      if (this.#isNew(rule)) {
        this.#record.report({ kind: 'warned', rule, action: 'list-due-runs', runId: null, job: null, why });
      }
    }
  }

  /** True the first time: the rounds of a tick see the same again. */
  #isNew(said: string): boolean {
    const { size } = this.#said;
    return this.#said.add(said).size > size;
  }

  #noteUnreadable(due: DueRuns, kind: DueKind): void {
    for (const { id, problem } of readOf(due, kind).unreadable) {
      this.#record.report({
        kind: 'unknown',
        rule: 'run-unreadable',
        action: 'read-run',
        runId: id,
        job: null,
        why: problem,
      });
    }
  }

  /**
   * The Jobs, asked for again where one of these runs may have one that an older list lacks: a run that was claimed or
   * started, ever. For all others an older list says too much at worst (protocol rule 5).
   */
  async #jobsFor(runs: readonly FlowRun[]): Promise<readonly JobSnapshot[]> {
    const at = this.#deps.clock.now();
    const isFresh = this.#list !== null && at.getTime() - this.#list.at.getTime() <= listFreshMs;
    if (this.#list !== null && isFresh && runs.every(isUntouched)) return this.#list.jobs;
    const cluster = await this.#openCluster();
    this.#list = { at, jobs: await cluster.listJobs(anyRunSelector, this.#budget.signal(listLimitMs)) };
    this.#record.set({ unreadable_jobs: cluster.unreadable() });
    return this.#list.jobs;
  }

  async #dispatch(due: readonly DueRun[], readAt: Date): Promise<Waves> {
    const runs = due.map(({ run }) => run);
    const jobs = await this.#jobsFor(runs);
    const waves = this.#openWaves(await this.#openCluster());
    const decisions = planDispatch({
      due,
      jobs,
      policy: await this.#policy(),
      asked: waves.creates.asked,
      now: this.#deps.clock.now(),
      horizon: new Date(this.#budget.deadline.getTime() - createLimitMs),
      newClaimId: this.#deps.newId,
      draft: await this.#deps.drafter(runs, this.#budget.signal(claimLimitMs)),
    });
    this.#noteHolds(decisions);
    const wanted = decisions.filter((decision) => decision.kind !== 'hold');
    await waves.claims.run(wanted, { at: readAt, runs: new Map(runs.map((run) => [run.id, run])) });
    return waves;
  }

  #openWaves(cluster: Cluster): Waves {
    if (this.#waves !== null) return this.#waves;
    const { clock, prefect } = this.#deps;
    const budget = this.#budget;
    const now = (): Date => clock.now();
    const limiter = new Limiter(clock, this.#settings.createConcurrency);
    const creator = new JobCreator({ cluster, limiter, budget, now });
    const report = (outcome: Outcome): void => this.#record.report(outcome);
    const deps = { prefect, creator, budget, now, report };
    const { agentName, pendingGraceMs } = this.#settings;
    const { stackId } = this.#settings.policy;
    const settings = { stackId, agentName, pendingGraceMs, endsAt: this.#invocation.endsAt };
    const creates = new WaveCreates(deps, settings);
    this.#waves = { creates, claims: new ClaimWaves(deps, settings, creates) };
    return this.#waves;
  }

  #noteWaves(): void {
    if (this.#waves === null) return;
    const { claims, creates } = this.#waves;
    this.#record.add({ waves: claims.waves, claimed: creates.claimed });
    this.#record.addLosses({ lostLogs: claims.lostLogs, lostHeartbeats: 0 });
    this.#record.raise({ slowest_start_ms: creates.slowestStartMs });
  }

  /** Log lines that no claim batch took along, and the heartbeats of claims that have to wait: one request, if any. */
  async #sayLast(): Promise<void> {
    const logs = this.#waves?.creates.takeLogs() ?? [];
    const heartbeats = [...new Set([...this.#kept, ...(this.#waves?.claims.waiting ?? [])])];
    if (logs.length + heartbeats.length === 0) return;
    const answers = await this.#deps.prefect.write({
      states: [],
      logs,
      heartbeats,
      signal: this.#budget.signal(claimLimitMs),
    });
    this.#record.addLosses(answers);
  }

  #noteHolds(decisions: readonly DispatchDecision[]): void {
    for (const decision of decisions) {
      if (decision.kind === 'hold' && decision.fullLabel !== undefined) this.#fullLabels.add(decision.fullLabel);
      if (decision.kind === 'hold' && !this.#isNew(`${decision.rule} ${decision.run.id}`)) continue;
      this.#deps.events.decided(decision);
      if (decision.kind !== 'hold') continue;
      if (decision.heartbeat) this.#kept.add(decision.run.id);
      const { rule, run, why } = decision;
      this.#record.keep({ kind: 'held', rule, action: 'create-job', runId: run.id, job: null, why });
    }
  }
}

function oldestAge(due: DueRuns, now: Date): number {
  const starts = due.scheduled.runs.flatMap((run) =>
    run.scheduledStartTime === null ? [] : [run.scheduledStartTime.getTime()],
  );
  return starts.length === 0 ? 0 : Math.max(0, now.getTime() - Math.min(...starts));
}

/** Refusals that somebody has to do something about; a quota and a busy server heal by themselves. */
const problematic: ReadonlySet<RefusalClass> = new Set(['forbidden', 'login', 'namespace']);

/** RBAC, login and an API server that is away are problems of the tick, not only of its runs. */
function problemOf(creates: WaveCreates): TickReport['problem'] {
  if (creates.unanswered)
    return { code: 'CLUSTER_UNREACHABLE', message: 'The API server did not answer any create of a whole wave.' };
  const { end } = creates;
  if (end === null || !problematic.has(end.class)) return null;
  return {
    code: 'CLUSTER_FORBIDDEN',
    message: `The API server refused to create a Job (${end.status}): ${end.message}`,
  };
}

/**
 * One tick of dispatch: poll, plan, claim in waves, create, report. Never throws for what Prefect or the cluster answer:
 * the report's `problem` says when the tick itself could not work.
 */
export async function runDispatchTick(
  deps: Deps,
  settings: DispatchSettings,
  invocation: Invocation,
): Promise<TickReport> {
  return new DispatchTick(deps, settings, invocation).run();
}
