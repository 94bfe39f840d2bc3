const isoText = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d(?::?\d\d)?)?$/u;

/** `Z`, `+00` and `+0530` as the ISO form that `Date` reads; the server means UTC when it gives no zone. */
function zoneOf(text: string | undefined): string {
  if (text === undefined || text === 'Z' || text === '+00:00') return 'Z';
  const digits = text.slice(1).replace(':', '').padEnd(4, '0');
  return `${text.charAt(0)}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

/**
 * Microseconds since the epoch of a timestamp as Postgres prints it. `Date` keeps milliseconds only, and rows of one
 * batch differ by less.
 *
 * @returns NaN for text that is no timestamp.
 */
export function microsOf(text: string): number {
  const parts = isoText.exec(text);
  if (parts === null) return Number.NaN;
  const [, day, time, fraction, zone] = parts;
  const seconds = Date.parse(`${day}T${time}${zoneOf(zone)}`) * 1000;
  return fraction === undefined ? seconds : seconds + Number(fraction.padEnd(6, '0'));
}
