import { BoundaryError } from '../errors.ts';
import { summarise, type Outcome, type TickReport } from '../core/tick-report.ts';
import type { Clock } from '../clock.ts';
import type { PrefectClient, WriteAnswers } from '../prefect/contract.ts';
import type { Budget } from './budget.ts';
import type { TickEvents } from './ports.ts';

export interface TickRecordDeps {
  readonly prefect: Pick<PrefectClient, 'traffic'>;
  readonly clock: Clock;
  readonly events: TickEvents;
  readonly budget: Budget;
}

/** Outcomes that somebody should read. */
const loud: ReadonlySet<Outcome['kind']> = new Set(['refused', 'unknown', 'warned']);

/** A Job that was wanted and is not there, or may not be. */
const isFailedCreate = ({ kind, action }: Outcome): boolean =>
  action === 'create-job' && (kind === 'refused' || kind === 'unknown');

/** What a tick has to report so far: outcomes as they come, facts as they are counted, and one report in the end. */
export class TickRecord {
  readonly #tick: 'dispatch' | 'reconcile';
  readonly #deps: TickRecordDeps;
  readonly #outcomes: Outcome[] = [];
  readonly #facts: Record<string, number> = {};

  constructor(tick: 'dispatch' | 'reconcile', deps: TickRecordDeps) {
    this.#tick = tick;
    this.#deps = deps;
  }

  /**
   * Runs the tick between its first and its last event. A BoundaryError is the tick's problem, told in its report;
   * anything else is a fault of ours and goes on.
   */
  async run(work: () => Promise<TickReport['problem']>): Promise<TickReport> {
    const { clock, events, prefect, budget } = this.#deps;
    const begun = clock.now();
    events.tickStarted(this.#tick);
    const problem = await work().catch((error: unknown) => {
      if (error instanceof BoundaryError) return { code: error.code, message: error.message };
      throw error;
    });
    const { requests, milliseconds, throttled } = prefect.traffic();
    this.add({ throttled });
    this.set({
      prefect_requests: requests,
      prefect_ms: milliseconds,
      duration_ms: clock.now().getTime() - begun.getTime(),
      remaining_ms: budget.leftMs(),
    });
    if (this.#tick === 'dispatch') this.set({ create_failed: this.#outcomes.filter(isFailedCreate).length });
    const report = summarise(this.#tick, this.#outcomes, { facts: this.#facts, problem });
    events.tickFinished(report);
    return report;
  }

  /** Keeps an outcome and says it at once. */
  report(outcome: Outcome): void {
    this.#outcomes.push(outcome);
    if (loud.has(outcome.kind)) this.#deps.events.failed(outcome);
    else this.#deps.events.applied(outcome);
  }

  /** Keeps an outcome whose decision was said already. */
  keep(outcome: Outcome): void {
    this.#outcomes.push(outcome);
  }

  /** How many outcomes of a kind there are so far. */
  countOf(kind: Outcome['kind']): number {
    return this.#outcomes.filter((outcome) => outcome.kind === kind).length;
  }

  set(facts: Readonly<Record<string, number>>): void {
    Object.assign(this.#facts, facts);
  }

  /** Adds to the facts: the rounds of one tick add up. */
  add(facts: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(facts)) this.#facts[name] = (this.#facts[name] ?? 0) + value;
  }

  /** Counts lines and heartbeats that Prefect did not take; a tick that lost none says nothing of it. */
  addLosses({ lostLogs, lostHeartbeats }: Pick<WriteAnswers, 'lostLogs' | 'lostHeartbeats'>): void {
    if (lostLogs > 0) this.add({ lost_logs: lostLogs });
    if (lostHeartbeats > 0) this.add({ lost_heartbeats: lostHeartbeats });
  }

  /** Keeps the largest: the rounds of one tick share them. */
  raise(facts: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(facts)) this.#facts[name] = Math.max(this.#facts[name] ?? 0, value);
  }

  /** Sets facts that have no value yet: the first round's. */
  setFirst(facts: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(facts)) this.#facts[name] ??= value;
  }
}
