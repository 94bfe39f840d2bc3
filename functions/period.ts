import type { Clock } from './clock.ts';
import type { TickReport } from './core/tick-report.ts';
import { leastTickMs } from './limits.ts';

export interface PeriodOptions {
  readonly clock: Clock;
  /** When the invocation ends. */
  readonly endsAt: Date;
  /** From the beginning of one tick to that of the next, at the least; null: one tick. Milliseconds. */
  readonly periodMs: number | null;
}

/**
 * Ticks one after the other in one invocation, never two at once. A tick that took longer than the period is followed at
 * once; none begins without the time that it needs, so that the invocation ends before its limit. A tick that could not
 * work is no reason to leave out the next: that is its retry.
 *
 * @returns the report of each tick, in order; at least one
 */
export async function tickInPeriod(
  tick: () => Promise<TickReport>,
  { clock, endsAt, periodMs }: PeriodOptions,
): Promise<readonly [TickReport, ...TickReport[]]> {
  const now = (): number => clock.now().getTime();
  const isTimeAt = (instant: number): boolean => instant + leastTickMs <= endsAt.getTime();
  let begun = now();
  const reports: [TickReport, ...TickReport[]] = [await tick()];
  if (periodMs === null) return reports;
  for (;;) {
    const next = Math.max(begun + periodMs, now());
    if (!isTimeAt(next)) return reports;
    await clock.sleep(next - now());
    // A timer may come late, after a thaw much too late.
    if (!isTimeAt(now())) return reports;
    begun = now();
    reports.push(await tick());
  }
}
