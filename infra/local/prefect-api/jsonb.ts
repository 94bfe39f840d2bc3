/** A JSON value as a table keeps it. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonRecord;

export interface JsonRecord {
  readonly [key: string]: JsonValue;
}

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Postgres sorts the keys of a `jsonb` object by their length, then by their bytes. */
function compareKeys(left: string, right: string): number {
  const byLength = Buffer.byteLength(left) - Buffer.byteLength(right);
  return byLength === 0 ? Buffer.compare(Buffer.from(left), Buffer.from(right)) : byLength;
}

/** A copy with the key order in which Postgres would give the value back. */
export function toJsonb(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map((item: JsonValue) => toJsonb(item));
  if (!isRecord(value)) return value;
  const keys = Object.keys(value).sort(compareKeys);
  return Object.fromEntries(keys.map((key) => [key, toJsonb(value[key] ?? null)]));
}

const isScalar = (value: JsonValue): boolean => typeof value !== 'object' || value === null;

function arrayContains(left: readonly JsonValue[], right: readonly JsonValue[]): boolean {
  return right.every((wanted) => left.some((item) => containsNested(item, wanted)));
}

function containsNested(left: JsonValue, right: JsonValue): boolean {
  if (Array.isArray(left) && Array.isArray(right)) return arrayContains(left, right);
  if (isRecord(left) && isRecord(right)) {
    return Object.entries(right).every(([key, wanted]) => {
      const found = left[key];
      return found !== undefined && containsNested(found, wanted);
    });
  }
  return left === right;
}

/** The `@>` of Postgres: does `left` contain `right`? At the top an array also contains a bare scalar. */
export function jsonbContains(left: JsonValue, right: JsonValue): boolean {
  if (Array.isArray(left) && isScalar(right)) return arrayContains(left, [right]);
  return containsNested(left, right);
}

/** Equality of two `jsonb` values; the order of keys does not count. */
export function jsonbEquals(left: JsonValue, right: JsonValue): boolean {
  return JSON.stringify(toJsonb(left)) === JSON.stringify(toJsonb(right));
}
