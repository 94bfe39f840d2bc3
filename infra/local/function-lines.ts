import type { Config } from '../../functions/config.ts';
import { Telemetry } from '../../functions/telemetry.ts';
import type { TickEvents } from '../../functions/ticks/ports.ts';

/** Where the functions say what they do, invocation by invocation. */
export interface FunctionLines extends TickEvents {
  begin(requestId: string): void;
}

const silent: FunctionLines = {
  begin: () => undefined,
  tickStarted: () => undefined,
  decided: () => undefined,
  applied: () => undefined,
  failed: () => undefined,
  tickFinished: () => undefined,
};

/**
 * The lines and metrics that the deployed functions write, on the streams of this process: what fails is an error, and goes
 * to standard error. Without `logs` nothing: what a tick did is shown from its report.
 */
export const functionLines = (logs: boolean, config: Config): FunctionLines => (logs ? new Telemetry(config) : silent);
