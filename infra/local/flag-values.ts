/** Bad usage: the message is all there is to say. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Flags as they were given, by name without the dashes. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** The text of a flag; undefined: it was not given. */
export function textOf(given: Flags, flag: string): string | undefined {
  const value = given[flag];
  return typeof value === 'string' ? value : undefined;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

/**
 * `20ms`, `2s` or `1m`, in milliseconds.
 *
 * @throws UsageError
 */
export function durationOf(flag: string, text: string): number {
  const match = /^(\d{1,6})(ms|s|m)$/u.exec(text);
  const unit = unitMs[match?.[2] ?? ''];
  if (match !== null && unit !== undefined) return Number(match[1]) * unit;
  throw new UsageError(`--${flag} ${text}: write a time such as 20ms, 2s or 1m.`);
}

/**
 * A whole number from 1.
 *
 * @throws UsageError
 */
export function wholeOf(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/u.test(text) && value >= 1 && value <= most) return value;
  throw new UsageError(`--${flag} ${text}: write a whole number from 1 to ${most}.`);
}

/** How what happens is shown: to people, to a program, or as the functions' own log lines. */
export type Output = 'text' | 'json' | 'logs';

/**
 * One of the ways to show it.
 *
 * @throws UsageError
 */
export function outputOf(given: Flags): Output {
  if (given['logs'] !== true) return given['json'] === true ? 'json' : 'text';
  refuseBeside(given, ['json'], 'beside --logs: nothing but the lines of the functions is written.');
  return 'logs';
}

/** Refuses the first of these flags that was given. */
export function refuseBeside(given: Flags, flags: readonly string[], why: string): void {
  const asked = flags.find((flag) => given[flag] !== undefined);
  if (asked !== undefined) throw new UsageError(`--${asked} says nothing ${why}`);
}
