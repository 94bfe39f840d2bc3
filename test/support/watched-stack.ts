import { tickRefused } from '../../functions/telemetry.ts';
import type { TickReport } from '../../functions/core/tick-report.ts';
import { metricOf, metricsIn, type Readings } from './alarms.ts';
import { STACK } from './builders.ts';
import { CapturedTelemetry, linesOf } from './captured-telemetry.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/**
 * What becomes of an invocation: a tick, or one that takes so many milliseconds longer; nothing, because nobody invokes;
 * or an end without a report: turned away by Lambda, killed at the time limit, refused for its configuration.
 */
export type Fate = 'tick' | 'absent' | 'throttled' | 'killed' | 'refused' | { readonly slowMs: number };

const minuteMs = 60_000;
const limitMs = 50_000;

/** An hour of events, as the queue keeps them. */
const keptMinutes = 60;

/** Both functions of a stack in a simulated world, minute by minute: their real lines, and what AWS counts about them. */
export class WatchedStack {
  readonly #world: SimulatedWorld;
  readonly #telemetry = new CapturedTelemetry({ stackId: STACK, namespace: 'flows', logLevel: 'INFO' });
  readonly #agent: ReturnType<SimulatedWorld['container']>;
  readonly minutes: Readings[] = [];
  readonly lines: string[] = [];
  readonly #failures: number[] = [];

  constructor(world: SimulatedWorld, env: Readonly<Record<string, string>> = {}) {
    this.#world = world;
    this.#agent = world.container(env, this.#telemetry.events);
  }

  /** A minute in which both functions are invoked once. */
  async minute(dispatch: Fate = 'tick', reconcile: Fate = 'tick'): Promise<void> {
    const begun = this.#world.clock.now().getTime();
    const first = await this.#invoke('dispatch', dispatch);
    const second = await this.#invoke('reconcile', reconcile);
    const failed = [first, second].filter(({ isFailure }) => isFailure).length;
    this.#failures.push(failed);
    const kept = this.#failures.slice(-keptMinutes).reduce((sum, one) => sum + one, 0);
    const depth = metricOf('AWS/SQS', 'ApproximateNumberOfMessagesVisible', { QueueName: 'FailedEvents' });
    const lines = [...first.lines, ...second.lines];
    this.lines.push(...lines);
    this.minutes.push(new Map([...metricsIn(lines), ...first.readings, ...second.readings, [depth, [kept]]]));
    this.#world.clock.advance(Math.max(0, begun + minuteMs - this.#world.clock.now().getTime()));
  }

  async #invoke(name: 'dispatch' | 'reconcile', fate: Fate) {
    const resource = name === 'dispatch' ? 'DispatchLambdaFunction' : 'ReconcileLambdaFunction';
    const lambda = (metric: string, value: number) =>
      [metricOf('AWS/Lambda', metric, { FunctionName: resource }), [value]] as const;
    if (fate === 'absent') return { lines: [], readings: [], isFailure: false };
    if (fate === 'throttled') return { lines: [], readings: [lambda('Throttles', 1)], isFailure: true };
    const { lines, ms, isFailure } = await this.#run(name, fate);
    const readings = [lambda('Errors', Number(isFailure)), lambda('Throttles', 0), lambda('Duration', ms)];
    return { lines, readings, isFailure };
  }

  async #run(name: 'dispatch' | 'reconcile', fate: Fate) {
    const problem = { code: 'CONFIG_INVALID', message: 'PREFECT_API is required.' };
    if (fate === 'killed') return { lines: [], ms: limitMs, isFailure: true };
    if (fate === 'refused') return { lines: linesOf(() => tickRefused('request', problem)), ms: 1, isFailure: true };
    this.#telemetry.begin(`request-${this.minutes.length}-${name}`);
    if (typeof fate === 'object') this.#delayNextAnswer(fate.slowMs);
    const report: TickReport = await this.#agent[name]();
    const ms = report.facts['duration_ms'] ?? 0;
    return { lines: this.#telemetry.take(), ms, isFailure: report.problem !== null };
  }

  #delayNextAnswer(ms: number): void {
    const { onPrefect } = this.#world;
    this.#world.onPrefect = (request, forward) => {
      this.#world.onPrefect = onPrefect;
      this.#world.clock.advance(ms);
      return onPrefect(request, forward);
    };
  }
}
