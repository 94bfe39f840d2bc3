import { judgeClaim } from '../core/claim.ts';
import type { Reject, Submit } from '../core/dispatch-plan.ts';
import type { FlowRun, FlowRunId } from '../core/flow-run.ts';
import { sameTruth } from '../core/guarded-write.ts';
import { claimsOf, isCancelled } from '../core/history.ts';
import { failedState, restoredState, submittedState } from '../core/states.ts';
import type { Outcome, OutcomeKind } from '../core/tick-report.ts';
import type { CreateAnswer, Refusal } from '../kubernetes/contract.ts';
import type { PrefectClient, RunLog, StateWrite } from '../prefect/contract.ts';
import type { Budget } from './budget.ts';
import type { JobCreator, NotSent } from './create-job.ts';
import { writeGuarded, type Intent } from './guarded-write.ts';
import { nextPace, startingPace, type Pace } from './pace.ts';
import { apiServerRequestMs, claimLimitMs, createLimitMs, freshMs } from './ports.ts';

type Item = Submit | Reject;

export interface WaveSettings {
  readonly stackId: string;
  /** Logger name of our lines in the run log. */
  readonly agentName: string;
  /** A run refused by quota for longer than this fails with that refusal; 0: never. */
  readonly pendingGraceMs: number;
  /** When Lambda ends the invocation: a claim's lease counts from here. */
  readonly endsAt: Date;
}

export interface WaveDeps {
  readonly prefect: Pick<PrefectClient, 'readRuns' | 'write'>;
  /** One for all waves of a tick: it knows what the API server bears. */
  readonly creator: JobCreator;
  readonly budget: Budget;
  readonly now: () => Date;
  readonly report: (outcome: Outcome) => void;
}

/** What the rounds of a tick hand on: the read that found the runs, and log lines that have not been sent. */
interface Start extends TimedRead {
  readonly logs: readonly RunLog[];
}

/** A read of runs and when it was asked for: its age decides whether a claim may rest on it. */
interface TimedRead {
  readonly at: Date;
  readonly runs: ReadonlyMap<FlowRunId, FlowRun>;
}

/** What became of one verified item, before anything further is written. */
interface Settlement {
  readonly restores: StateWrite[];
  readonly intents: Intent[];
}

/** Time a first wave is assumed to need: one claim write, one read, before any create. */
const firstWaveMs = 5_000;

/**
 * Claims, verifies and creates in waves: the verifying read of one wave is the fresh read of the next (protocol rules
 * 5 to 9). Nothing is claimed that cannot be created in the time left; the first refusal by quota, RBAC or login ends
 * the claiming.
 */
export class ClaimWaves {
  readonly #deps: WaveDeps;
  readonly #settings: WaveSettings;
  #read: TimedRead;
  #pace: Pace = startingPace;
  #lastWaveMs = firstWaveMs;
  #unanswered = false;
  #logs: RunLog[] = [];
  readonly #waiting = new Set<FlowRunId>();
  #waves = 0;
  #claimed = 0;
  #slowestStartMs = 0;
  #lostLogs = 0;

  constructor(deps: WaveDeps, settings: WaveSettings, start: Start) {
    this.#deps = deps;
    this.#settings = settings;
    this.#read = start;
    this.#logs = [...start.logs];
  }

  /** Number of waves sent. */
  get waves(): number {
    return this.#waves;
  }

  /** Number of claims that the history confirmed. */
  get claimed(): number {
    return this.#claimed;
  }

  /** Longest time from the due start of a run to its Job. */
  get slowestStartMs(): number {
    return this.#slowestStartMs;
  }

  /** Log lines that rode along with a claim batch and were not accepted. */
  get lostLogs(): number {
    return this.#lostLogs;
  }

  /** Runs with a claim of ours whose turn did not come: kept alive until it does. */
  get waiting(): ReadonlySet<FlowRunId> {
    return this.#waiting;
  }

  /** The refusal that ended the claiming, or null. */
  get end(): Refusal | null {
    return this.#deps.creator.end;
  }

  /** True when no create of a whole wave was answered: the API server is away. */
  get unanswered(): boolean {
    return this.#unanswered;
  }

  /** Lines for the run logs that have not ridden along with a claim batch yet. */
  takeLogs(): readonly RunLog[] {
    const logs = this.#logs;
    this.#logs = [];
    return logs;
  }

  async run(items: readonly Item[]): Promise<void> {
    let rest = items;
    while (rest[0] !== undefined && this.#mayClaim()) {
      await this.#deps.budget.wait(rest[0].startAt);
      // The wait for a start may have taken the time that the create needs.
      if (!this.#mayClaim()) break;
      const now = this.#deps.now();
      const due = rest.slice(0, this.#pace.size).filter((item) => item.startAt <= now);
      if (due.length === 0) break;
      rest = rest.slice(due.length);
      await this.#wave(due, rest);
    }
    this.#hold(rest);
  }

  #hold(items: readonly Item[]): void {
    for (const item of items) {
      this.#say(item, 'held', this.#whyNoMore());
      if (item.run.state === 'Submitted') this.#waiting.add(item.run.id);
    }
  }

  #mayClaim(): boolean {
    if (this.#deps.creator.end !== null || this.#unanswered) return false;
    return this.#deps.budget.leftMs() > createLimitMs + this.#lastWaveMs;
  }

  #whyNoMore(): string {
    if (this.#deps.creator.end !== null) return `the claiming ended: ${this.#deps.creator.end.message}`;
    return this.#unanswered ? 'the API server did not answer' : 'no time left in this invocation';
  }

  async #wave(due: readonly Item[], rest: readonly Item[]): Promise<void> {
    const begun = this.#deps.now().getTime();
    this.#waves += 1;
    let ready = due;
    try {
      ready = await this.#freshen(due);
      // The read may have taken the time that the create needs.
      if (this.#mayClaim()) await this.#claimAndCreate(ready, rest);
      else this.#hold(ready);
    } catch (error) {
      // A read that fails creates nothing: the claims heal by protocol rule 10.
      const why = error instanceof Error ? error.message : 'no readable answer';
      for (const item of ready) this.#say(item, 'unknown', why);
    }
    this.#lastWaveMs = Math.max(1_000, this.#deps.now().getTime() - begun);
  }

  async #claimAndCreate(ready: readonly Item[], rest: readonly Item[]): Promise<void> {
    await this.#claim(ready.filter((item) => item.mode === 'claim'));
    await this.#readAgain([...ready, ...rest.slice(0, this.#pace.size)]);
    await this.#settle(ready);
  }

  async #readAgain(items: readonly Item[]): Promise<void> {
    const at = this.#deps.now();
    const ids = items.map((item) => item.run.id);
    const { runs } = await this.#deps.prefect.readRuns(ids, this.#deps.budget.signal(claimLimitMs));
    this.#read = { at, runs: new Map(runs.map((run) => [run.id, run])) };
  }

  /** The items that are still what the plan saw, on a read at most 2 s old. */
  async #freshen(due: readonly Item[]): Promise<readonly Item[]> {
    const age = this.#deps.now().getTime() - this.#read.at.getTime();
    if (age > freshMs || due.some(({ run }) => !this.#read.runs.has(run.id))) await this.#readAgain(due);
    return due.filter((item) => {
      const fresh = this.#read.runs.get(item.run.id);
      const same = fresh !== undefined && sameTruth(item.run, fresh);
      if (!same) this.#say(item, 'superseded', 'the run changed before it was claimed');
      return same;
    });
  }

  async #claim(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return;
    const { stackId, endsAt } = this.#settings;
    const until = new Date(endsAt.getTime() + apiServerRequestMs);
    const states = items.map(({ run, key, claimId }) => ({
      runId: run.id,
      version: run.version,
      state: submittedState(run, { stack: stackId, claim: claimId, key, until }),
    }));
    const begun = this.#deps.now().getTime();
    const logs = this.takeLogs();
    const answers = await this.#deps.prefect.write({
      states,
      logs,
      heartbeats: [],
      signal: this.#deps.budget.signal(claimLimitMs),
    });
    this.#lostLogs += answers.lostLogs;
    this.#pace = nextPace(this.#pace, {
      milliseconds: this.#deps.now().getTime() - begun,
      readable: answers.states.some((answer) => answer.kind !== 'unknown'),
    });
  }

  /** Whatever the claim's answer was, the history decides (protocol rule 7). */
  async #settle(items: readonly Item[]): Promise<void> {
    const settlement: Settlement = { restores: [], intents: [] };
    const verified = items.filter((item) => this.#isVerified(item, settlement));
    for (const item of verified) {
      if (item.kind === 'reject') settlement.intents.push(this.#failure(item, item.message));
    }
    const submits = verified.filter((item) => item.kind === 'submit');
    const answers = await Promise.all(
      submits.map(async (submit) => ({ submit, answer: await this.#deps.creator.create(submit) })),
    );
    for (const { submit, answer } of answers) this.#note(submit, answer, settlement);
    this.#unanswered =
      answers.length > 0 && answers.every(({ answer }) => answer.kind === 'refused' && answer.class === 'unknown');
    await this.#writeSettlement(settlement);
  }

  #isVerified(item: Item, settlement: Settlement): boolean {
    const fresh = this.#read.runs.get(item.run.id);
    if (fresh === undefined) return this.#stop(item, 'unknown', 'the run could not be read after the claim');
    if (item.mode === 'retry') {
      const { stackId } = this.#settings;
      const due = fresh.state === 'Running' && fresh.dueTaskRuns > 0 && !isCancelled(fresh, stackId);
      return due || this.#stop(item, 'superseded', `the run is ${fresh.state}, no task retry is due`);
    }
    const { stackId } = this.#settings;
    const verdict = judgeClaim(fresh, { claimId: item.claimId, stackId, now: this.#deps.now() });
    if (verdict.kind === 'held') {
      this.#claimed += 1;
      return true;
    }
    if (verdict.kind === 'lost') return this.#stop(item, 'lost', 'another claim or state stands');
    const state = restoredState(verdict.by, this.#settings.stackId);
    settlement.restores.push({ runId: fresh.id, version: fresh.version, state });
    return this.#stop(item, 'restored', `${verdict.by.state} had come in between`);
  }

  #stop(item: Item, kind: OutcomeKind, why: string): false {
    this.#say(item, kind, why);
    return false;
  }

  #note(submit: Submit, answer: CreateAnswer | NotSent, settlement: Settlement): void {
    switch (answer.kind) {
      case 'created':
        this.#slowestStartMs = Math.max(this.#slowestStartMs, this.#deps.now().getTime() - submit.startAt.getTime());
        this.#say(submit, 'created', submit.rule);
        this.#logCreated(submit, [...submit.warnings, ...answer.warnings]);
        return;
      case 'already-exists':
        this.#say(submit, 'already-exists', 'a Job of ours with this name is there');
        return;
      case 'not-sent':
        this.#say(submit, 'held', answer.why);
        return;
      case 'refused':
        this.#sayRefused(submit, answer);
        if (this.#isFinal(submit, answer)) settlement.intents.push(this.#failure(submit, answer.message));
    }
  }

  /** Admission and validation fail a run at once, quota when it has lasted; nothing else does (protocol rules 9, 10). */
  #isFinal(submit: Submit, refusal: Refusal): boolean {
    if (refusal.class === 'invalid') return true;
    const { pendingGraceMs, stackId } = this.#settings;
    if (refusal.class !== 'quota' || pendingGraceMs === 0 || submit.mode === 'retry') return false;
    const first = claimsOf(submit.run.history, stackId).find((claim) => claim.key === submit.key);
    return first !== undefined && this.#deps.now().getTime() - first.at.getTime() > pendingGraceMs;
  }

  #failure(item: Item, message: string): Intent {
    const { stackId } = this.#settings;
    return {
      basis: this.#read.runs.get(item.run.id) ?? item.run,
      state: failedState(message, stackId, item.key),
      rule: item.rule,
      action: 'fail-run',
      job: jobNameIn(item),
      why: message,
    };
  }

  #logCreated(submit: Submit, warnings: readonly string[]): void {
    const common = { runId: submit.run.id, name: this.#settings.agentName };
    const job = jobNameIn(submit);
    this.#logs.push({ ...common, level: 'INFO', message: `Submitted for execution: Job ${job}` });
    for (const message of warnings) this.#logs.push({ ...common, level: 'WARNING', message });
  }

  async #writeSettlement({ restores, intents }: Settlement): Promise<void> {
    const { prefect, budget } = this.#deps;
    if (restores.length > 0) {
      await prefect.write({ states: restores, logs: [], heartbeats: [], signal: budget.signal(claimLimitMs) });
    }
    const settled = await writeGuarded({ prefect, budget, stackId: this.#settings.stackId }, intents);
    for (const { intent, outcome } of settled) {
      this.#deps.report(outcome);
      if (outcome.kind === 'applied') {
        this.#logs.push({
          runId: intent.basis.id,
          level: 'ERROR',
          name: this.#settings.agentName,
          message: intent.why,
        });
      }
    }
  }

  #say(item: Item, kind: OutcomeKind, why: string): void {
    this.#deps.report(outcomeOf(item, kind, why));
  }

  #sayRefused(item: Item, refusal: Refusal): void {
    const kind = refusal.class === 'unknown' ? 'unknown' : 'refused';
    this.#deps.report({ ...outcomeOf(item, kind, refusal.message), class: refusal.class });
  }
}

const jobNameIn = (item: Item): string | null => (item.kind === 'submit' ? (item.job.metadata?.name ?? null) : null);

const outcomeOf = (item: Item, kind: OutcomeKind, why: string): Outcome => ({
  kind,
  rule: item.rule,
  action: item.kind === 'submit' ? 'create-job' : 'fail-run',
  runId: item.run.id,
  job: jobNameIn(item),
  why,
});
