import type { Context } from 'aws-lambda';

import { machineOutside, type Outside, type Tick } from './composition.ts';
import { describeProblems, parseConfig, type Config } from './config.ts';
import { doctorWishOf, type DoctorWish } from './doctor-event.ts';
import type { DoctorReport } from './doctor/finding.ts';
import { BoundaryError, type ErrorCode } from './errors.ts';
import { functionLimitMs } from './limits.ts';
import { tickInPeriod } from './period.ts';
import { examinationLog, Telemetry, tickRefused } from './telemetry.ts';

/** What an invocation returns: counts, never ids, so that it stays small and holds nothing secret. */
export interface TickSummary {
  readonly function: 'dispatch' | 'reconcile';
  /** Over all ticks of the invocation. */
  readonly counts: Readonly<Record<string, number>>;
}

type Compose = (config: Config, outside: Outside) => Tick;
type Reports = Awaited<ReturnType<typeof tickInPeriod>>;

interface Container {
  readonly config: Config;
  readonly outside: Outside;
  readonly tick: Tick;
  readonly telemetry: Telemetry;
}

function startContainer(compose: Compose, outside: Outside, requestId: string): Container {
  const parsed = parseConfig(outside.env);
  if (!parsed.ok) {
    const refused = new BoundaryError('CONFIG_INVALID', describeProblems(parsed.problems), { retry: 'never' });
    tickRefused(requestId, refused);
    throw refused;
  }
  const { config } = parsed;
  return { config, outside, tick: compose(config, outside), telemetry: new Telemetry(config) };
}

/** Every tick has had its turn when one that could not work ends the invocation as an error. */
function throwProblem(reports: Reports): void {
  const failed = reports.flatMap(({ problem }) => problem ?? []);
  const [first] = failed;
  if (first === undefined) return;
  const many = reports.length === 1 ? '' : `${failed.length} of ${reports.length} ticks could not work, the first: `;
  throw new BoundaryError(first.code as ErrorCode, `${many}${first.message}`);
}

function summaryOf(reports: Reports): TickSummary {
  const counts: Record<string, number> = {};
  for (const report of reports) {
    for (const [kind, count] of Object.entries(report.counts)) counts[kind] = (counts[kind] ?? 0) + count;
  }
  return { function: reports[0].function, counts };
}

const endOf = (context: Context, clock: Outside['clock']): Date =>
  new Date(clock.now().getTime() + Math.min(context.getRemainingTimeInMillis(), functionLimitMs));

/**
 * Examines in place of a tick. The doctor is loaded here, when somebody asks for it, and shares nothing with the ticks of
 * this container. What it finds is its answer and no error: an invocation that fails would be taken for a failed tick.
 */
async function examine(wish: DoctorWish, context: Context, outside: Outside): Promise<DoctorReport> {
  const { runDoctor } = await import('./doctor/run-doctor.ts');
  const tell = examinationLog(context.awsRequestId);
  return runDoctor({ env: outside.env, wish, endsAt: endOf(context, outside.clock), outside, tell });
}

/**
 * The Lambda handler of a function. The container is made once; each invocation gets its own budget. A tick that could
 * not work has written its report; the invocation then throws, so that Lambda's Errors metric and its alarm tell the
 * truth. `machine` is what surrounds the container: Lambda, or a test's clock and environment.
 */
export function entry(compose: Compose, machine: (env: Outside['env']) => Outside = machineOutside) {
  let container: Container | null = null;
  return async (event: unknown, context: Context): Promise<TickSummary | DoctorReport> => {
    const wish = doctorWishOf(event);
    if (wish !== null) return examine(wish, context, machine(process.env));
    container ??= startContainer(compose, machine(process.env), context.awsRequestId);
    const { config, outside, tick, telemetry } = container;
    telemetry.begin(context.awsRequestId);
    const { clock } = outside;
    const endsAt = endOf(context, clock);
    const invocation = { endsAt, requestId: context.awsRequestId };
    const { periodMs } = config;
    const reports = await tickInPeriod(() => tick(invocation, telemetry), { clock, endsAt, periodMs });
    throwProblem(reports);
    return summaryOf(reports);
  };
}
