import { Telemetry, type TelemetryOptions } from '../../functions/telemetry.ts';
import type { TickEvents } from '../../functions/ticks/ports.ts';

/** Runs something that logs and does not wait, and gives the lines that it wrote instead of writing them. */
export function linesOf(work: () => void): readonly string[] {
  const written: string[] = [];
  const take = (text: string | Uint8Array): boolean => written.push(String(text)) > 0;
  const streams = [process.stdout, process.stderr].map((stream) => ({
    stream,
    own: Object.getOwnPropertyDescriptor(stream, 'write'),
  }));
  for (const { stream } of streams) Object.assign(stream, { write: take });
  try {
    work();
  } finally {
    for (const { stream, own } of streams) {
      Reflect.deleteProperty(stream, 'write');
      Object.defineProperties(stream, own === undefined ? {} : { write: own });
    }
  }
  return written
    .join('')
    .split('\n')
    .filter((line) => line !== '');
}

/** The telemetry of the functions, with its lines in hand. */
export class CapturedTelemetry {
  readonly #telemetry: Telemetry;
  #lines: string[] = [];

  constructor(options: TelemetryOptions) {
    this.#telemetry = new Telemetry(options);
  }

  /** Begins an invocation. */
  begin(requestId: string): void {
    this.#telemetry.begin(requestId);
  }

  /** The lines since the last time. */
  take(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  readonly events: TickEvents = {
    tickStarted: (tick) => this.#keep((telemetry) => telemetry.tickStarted(tick)),
    decided: (decision) => this.#keep((telemetry) => telemetry.decided(decision)),
    applied: (outcome) => this.#keep((telemetry) => telemetry.applied(outcome)),
    failed: (outcome) => this.#keep((telemetry) => telemetry.failed(outcome)),
    tickFinished: (report) => this.#keep((telemetry) => telemetry.tickFinished(report)),
  };

  #keep(say: (telemetry: Telemetry) => void): void {
    this.#lines.push(...linesOf(() => say(this.#telemetry)));
  }
}
