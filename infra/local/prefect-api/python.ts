import { isRecord, type JsonValue } from './jsonb.ts';

function reprOfText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`);
  return `${quote}${quote === "'" ? escaped.replaceAll("'", String.raw`\'`) : escaped}${quote}`;
}

function reprOfScalar(value: string | number | boolean | null): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'number' ? String(value) : reprOfText(value);
}

/** Python's `repr` of a JSON value: the service's messages contain it. */
export function pythonRepr(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => pythonRepr(item)).join(', ')}]`;
  if (!isRecord(value)) return reprOfScalar(value as string | number | boolean | null);
  const entries = Object.entries(value);
  return `{${entries.map(([key, item]) => `${reprOfText(key)}: ${pythonRepr(item)}`).join(', ')}}`;
}

/** Python's `str` of a JSON value. */
export function pythonStr(value: JsonValue): string {
  return typeof value === 'string' ? value : pythonRepr(value);
}

const asciiText = (text: string): string =>
  JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const lengthOfAll = (lengths: readonly number[]): number =>
  2 + lengths.reduce((sum, length) => sum + length, 0) + 2 * Math.max(0, lengths.length - 1);

/** Length of Python's `json.dumps(value)`: ASCII only, a blank after every comma and colon. */
export function pythonJsonLength(value: JsonValue): number {
  if (typeof value === 'string') return asciiText(value).length;
  if (Array.isArray(value)) return lengthOfAll(value.map((item: JsonValue) => pythonJsonLength(item)));
  if (!isRecord(value)) return JSON.stringify(value).length;
  return lengthOfAll(Object.entries(value).map(([key, item]) => asciiText(key).length + 2 + pythonJsonLength(item)));
}
