import type { Context } from 'aws-lambda';

import { machineOutside, type Outside, type Tick } from './composition.ts';
import { describeProblems, parseConfig, type Config } from './config.ts';
import { BoundaryError, type ErrorCode } from './errors.ts';
import { functionLimitMs } from './limits.ts';
import { Telemetry } from './telemetry.ts';

/** What an invocation returns: counts, never ids, so that it stays small and holds nothing secret. */
export interface TickSummary {
  readonly function: 'dispatch' | 'reconcile';
  readonly counts: Readonly<Record<string, number>>;
}

interface Container {
  readonly tick: Tick;
  readonly telemetry: Telemetry;
}

function startContainer(compose: (config: Config, outside: Outside) => Tick): Container {
  const parsed = parseConfig(process.env);
  if (!parsed.ok) throw new BoundaryError('CONFIG_INVALID', describeProblems(parsed.problems), { retry: 'never' });
  return { tick: compose(parsed.config, machineOutside(process.env)), telemetry: new Telemetry(parsed.config) };
}

/**
 * The Lambda handler of a function. The container is made once; each invocation gets its own budget. A tick that could
 * not work has written its report and then throws, so that Lambda's Errors metric and its alarm tell the truth.
 */
export function entry(compose: (config: Config, outside: Outside) => Tick) {
  let container: Container | null = null;
  return async (_event: unknown, context: Context): Promise<TickSummary> => {
    container ??= startContainer(compose);
    const { tick, telemetry } = container;
    telemetry.begin(context.awsRequestId);
    const left = Math.min(context.getRemainingTimeInMillis(), functionLimitMs);
    const invocation = { endsAt: new Date(Date.now() + left), requestId: context.awsRequestId };
    const report = await tick(invocation, telemetry);
    if (report.problem !== null) {
      throw new BoundaryError(report.problem.code as ErrorCode, report.problem.message);
    }
    return { function: report.function, counts: report.counts };
  };
}
