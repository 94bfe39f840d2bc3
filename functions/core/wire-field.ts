import { isJsonObject, type Json, type JsonObject } from './json.ts';

/**
 * What a field of a serialised run config or storage may hold; a `?` allows null. A missing field is always allowed
 * here, because the peer's schemas leave that to the constructors.
 */
export type FieldKind = 'text' | 'text?' | 'texts' | 'texts?' | 'map' | 'map?' | 'text-map' | 'flag' | 'flag?' | 'int?';

const isText = (value: Json): boolean => typeof value === 'string';

/** What marshmallow 3.26 takes for a boolean. */
const flags: ReadonlySet<Json> = new Set<Json>([
  ...'t T true True TRUE on On ON y Y yes Yes YES 1'.split(' '),
  ...'f F false False FALSE off Off OFF n N no No NO 0'.split(' '),
  1,
  0,
  true,
  false,
]);

const isWholeNumber = (value: Json): boolean =>
  typeof value === 'number' || (typeof value === 'string' && /^\s*[+-]?\d+(_\d+)*\s*$/u.test(value));

function elementProblem(values: readonly Json[]): string | null {
  if (values.includes(null)) return 'Field may not be null.';
  return values.every(isText) ? null : 'Not a valid string.';
}

const problemOf: Readonly<Record<string, (value: Json) => string | null>> = {
  text: (value) => (isText(value) ? null : 'Not a valid string.'),
  texts: (value) => (Array.isArray(value) ? elementProblem(value) : 'Not a valid list.'),
  map: (value) => (isJsonObject(value) ? null : 'Not a valid mapping type.'),
  'text-map': (value) => (isJsonObject(value) ? elementProblem(Object.values(value)) : 'Not a valid mapping type.'),
  flag: (value) => (flags.has(value) ? null : 'Not a valid boolean.'),
  int: (value) => (isWholeNumber(value) ? null : 'Not a valid integer.'),
};

function fieldProblem(kind: FieldKind, value: Json): string | null {
  const nullable = kind.endsWith('?');
  if (value === null) return nullable ? null : 'Field may not be null.';
  return problemOf[nullable ? kind.slice(0, -1) : kind]?.(value) ?? null;
}

/**
 * The first field of a wire object that does not hold what it must, as `field: reason` in the words of the peer's
 * validation (marshmallow 3.26 behind prefect 1.4.1, serialization/run_config.py and storage.py); null when all do.
 * Unknown fields are ignored, as there.
 */
export function firstFieldProblem(wire: JsonObject, fields: Readonly<Record<string, FieldKind>>): string | null {
  for (const [name, kind] of Object.entries(fields)) {
    const value = Object.hasOwn(wire, name) ? wire[name] : undefined;
    const problem = value === undefined ? null : fieldProblem(kind, value);
    if (problem !== null) return `${name}: ${problem}`;
  }
  return null;
}

/** A text field as read; missing, null or of another kind is null. */
export function textOf(wire: JsonObject, name: string): string | null {
  const value = wire[name];
  return typeof value === 'string' ? value : null;
}
