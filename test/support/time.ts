/** The instant at which every test's world begins. Literal, so that a wrong unit shows. */
export const T0 = new Date('2026-03-01T02:00:00.000Z');

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `at('+5m')`, `at('-30s')`, `at('+1500ms')`: an instant relative to T0. */
export function at(offset: string): Date {
  const match = /^([+-])(\d+)(ms|s|m|h)$/u.exec(offset);
  if (match === null) throw new Error(`not an offset: ${offset}`);
  const ms = Number(match[2]) * (unitMs[match[3] ?? ''] ?? Number.NaN);
  return new Date(T0.getTime() + (match[1] === '-' ? -ms : ms));
}
