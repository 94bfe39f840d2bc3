/** Microseconds since the epoch, UTC: what Postgres keeps in a `timestamptz`. Fits a double until the year 2255. */
export type Micros = number;

/** The instant of a `Date`, which knows milliseconds only. */
export function microsOf(date: Date): Micros {
  return date.getTime() * 1000;
}

export interface ParsedTimestamp {
  readonly micros: Micros;
  /** Minutes east of UTC as written; a text without a zone is UTC. */
  readonly offsetMinutes: number;
}

const dateAndTime =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d+))?)?)?\s*(?:([Zz])|([+-])(\d{2}):?(\d{2})?)?$/;

function offsetOf(sign: string | undefined, hours = '0', minutes = '0'): number {
  const total = Number(hours) * 60 + Number(minutes);
  return sign === '-' ? -total : total;
}

/** Reads a timestamp the way Postgres and marshmallow do for the forms Prefect sends. Null: it is none. */
export function parseTimestamp(text: string): ParsedTimestamp | null {
  const match = dateAndTime.exec(text.trim());
  if (match === null) return null;
  const [, day, time = '00:00', seconds = '00', fraction = '', , sign, hours, minutes] = match;
  const wholeSeconds = Date.parse(`${day}T${time}:${seconds}Z`);
  if (Number.isNaN(wholeSeconds)) return null;
  const offsetMinutes = offsetOf(sign, hours, minutes);
  const micros = (wholeSeconds - offsetMinutes * 60_000) * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
  return { micros, offsetMinutes };
}

/** True when the text names a time of day, which marshmallow demands and Postgres does not. */
export function hasTimeOfDay(text: string): boolean {
  return /^\s*\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(text);
}

const wholeSecondsOf = (micros: Micros): string =>
  new Date(Math.floor(micros / 1_000_000) * 1000).toISOString().slice(0, 19);

const fractionOf = (micros: Micros): string =>
  String(micros - Math.floor(micros / 1_000_000) * 1_000_000).padStart(6, '0');

/** `2024-03-01T02:00:00.12+00:00`: as Postgres prints it in JSON, without trailing zeros (AppendTimestampSeconds). */
export function formatColumn(micros: Micros): string {
  const fraction = fractionOf(micros).replace(/0+$/, '');
  return `${wholeSecondsOf(micros)}${fraction === '' ? '' : `.${fraction}`}+00:00`;
}

/** `2024-03-01T02:00:00.120000+00:00`: as Python's `isoformat` prints it, six digits or none. */
export function formatIso(micros: Micros, offsetMinutes = 0): string {
  const local = micros + offsetMinutes * 60_000_000;
  const fraction = fractionOf(local);
  const hours = String(Math.trunc(Math.abs(offsetMinutes) / 60)).padStart(2, '0');
  const minutes = String(Math.abs(offsetMinutes) % 60).padStart(2, '0');
  const zone = `${offsetMinutes < 0 ? '-' : '+'}${hours}:${minutes}`;
  return `${wholeSecondsOf(local)}${fraction === '000000' ? '' : `.${fraction}`}${zone}`;
}
