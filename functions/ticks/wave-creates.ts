import { judgeClaim } from '../core/claim.ts';
import type { Reject, Submit } from '../core/dispatch-plan.ts';
import type { FlowRun, FlowRunId } from '../core/flow-run.ts';
import { claimsOf, isCancelled } from '../core/history.ts';
import type { AskedJob } from '../core/slots.ts';
import { failedState, restoredState } from '../core/states.ts';
import type { Outcome, OutcomeKind } from '../core/tick-report.ts';
import type { CreateAnswer, Refusal } from '../kubernetes/contract.ts';
import type { PrefectClient, RunLog, StateWrite } from '../prefect/contract.ts';
import type { Budget } from './budget.ts';
import type { JobCreator, NotSent } from './create-job.ts';
import { writeGuarded, type Intent } from './guarded-write.ts';
import { claimLimitMs, freshMs } from './ports.ts';

export type WaveItem = Submit | Reject;

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

/** A read of runs and when it was asked for: its age decides whether a claim may rest on it. */
export interface TimedRead {
  readonly at: Date;
  readonly runs: ReadonlyMap<FlowRunId, FlowRun>;
}

/** How the API server took a wave: `quick` is every Job there within 2 s of the read that verified the claims. */
export type Reception = 'quick' | 'slow';

/** A wave whose claims have been read back: what it holds, and that read. */
interface ReadWave {
  readonly items: readonly WaveItem[];
  readonly read: TimedRead;
}

/** What became of the verified items, before anything further is written. */
interface Settlement {
  readonly restores: StateWrite[];
  readonly intents: Intent[];
}

const stands = ({ kind }: CreateAnswer | NotSent): boolean => kind === 'created' || kind === 'already-exists';

const isUnanswered = (answer: CreateAnswer | NotSent): boolean =>
  answer.kind === 'refused' && answer.class === 'unknown';

/** Creates the Jobs of claimed waves and writes what is left to write of them (protocol rules 7 to 9). */
export class WaveCreates {
  readonly #deps: WaveDeps;
  readonly #settings: WaveSettings;
  readonly #asked = new Map<string, AskedJob>();
  #logs: RunLog[] = [];
  #claimed = 0;
  #slowestStartMs = 0;
  #unanswered = false;

  constructor(deps: WaveDeps, settings: WaveSettings) {
    this.#deps = deps;
    this.#settings = settings;
  }

  /** Number of claims that the history confirmed. */
  get claimed(): number {
    return this.#claimed;
  }

  /** Longest time from the due start of a run to its Job. */
  get slowestStartMs(): number {
    return this.#slowestStartMs;
  }

  /** Jobs that were asked for and not refused: created, there already, or without an answer so far. */
  get asked(): readonly AskedJob[] {
    return [...this.#asked.values()];
  }

  /** The refusal that ended the creating, or null. */
  get end(): Refusal | null {
    return this.#deps.creator.end;
  }

  /** True when no create of a whole wave was answered: the API server is away. */
  get unanswered(): boolean {
    return this.#unanswered;
  }

  /** Lines for the run logs that nobody has taken along yet. */
  takeLogs(): readonly RunLog[] {
    const logs = this.#logs;
    this.#logs = [];
    return logs;
  }

  /** Whatever the claim's answer was, the history decides (protocol rule 7). Never rejects. */
  async settle(wave: ReadWave): Promise<Reception> {
    const settlement: Settlement = { restores: [], intents: [] };
    const verified = wave.items.filter((item) => this.#isVerified(item, wave.read, settlement));
    for (const item of verified) {
      if (item.kind === 'reject') settlement.intents.push(this.#failure(item, wave.read, item.message));
    }
    const submits = verified.filter((item) => item.kind === 'submit');
    const answers = await Promise.all(submits.map(async (submit) => ({ submit, answer: await this.#ask(submit) })));
    const reception = this.#receptionOf(answers, wave.read);
    for (const { submit, answer } of answers) this.#note(submit, answer, { wave, settlement });
    this.#unanswered ||= answers.length > 0 && answers.every(({ answer }) => isUnanswered(answer));
    await this.#writeSettlement(settlement);
    return reception;
  }

  async #ask(submit: Submit): Promise<CreateAnswer | NotSent> {
    const name = submit.job.metadata?.name ?? '';
    this.#asked.set(name, { name, runLabels: submit.run.labels });
    const answer = await this.#deps.creator.create(submit);
    if (!stands(answer) && !isUnanswered(answer)) this.#asked.delete(name);
    return answer;
  }

  #receptionOf(answers: readonly { readonly answer: CreateAnswer | NotSent }[], { at }: TimedRead): Reception {
    const milliseconds = this.#deps.now().getTime() - at.getTime();
    return milliseconds <= freshMs && answers.every(({ answer }) => stands(answer)) ? 'quick' : 'slow';
  }

  #isVerified(item: WaveItem, { runs }: TimedRead, settlement: Settlement): boolean {
    const fresh = runs.get(item.run.id);
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

  #stop(item: WaveItem, kind: OutcomeKind, why: string): false {
    this.#say(item, kind, why);
    return false;
  }

  #note(submit: Submit, answer: CreateAnswer | NotSent, at: { wave: ReadWave; settlement: Settlement }): void {
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
        if (!this.#isFinal(submit, answer)) return;
        at.settlement.intents.push(this.#failure(submit, at.wave.read, answer.message));
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

  #failure(item: WaveItem, { runs }: TimedRead, message: string): Intent {
    const { stackId } = this.#settings;
    return {
      basis: runs.get(item.run.id) ?? item.run,
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

  #say(item: WaveItem, kind: OutcomeKind, why: string): void {
    this.#deps.report(outcomeOf(item, kind, why));
  }

  #sayRefused(item: WaveItem, refusal: Refusal): void {
    const kind = refusal.class === 'unknown' ? 'unknown' : 'refused';
    this.#deps.report({ ...outcomeOf(item, kind, refusal.message), class: refusal.class });
  }
}

const jobNameIn = (item: WaveItem): string | null =>
  item.kind === 'submit' ? (item.job.metadata?.name ?? null) : null;

/** What is said of one item of a wave. */
export const outcomeOf = (item: WaveItem, kind: OutcomeKind, why: string): Outcome => ({
  kind,
  rule: item.rule,
  action: item.kind === 'submit' ? 'create-job' : 'fail-run',
  runId: item.run.id,
  job: jobNameIn(item),
  why,
});
