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

const textProblem = (value: Json): string | null => (isText(value) ? null : 'Not a valid string.');
const textsProblem = (value: Json): string | null =>
  Array.isArray(value) ? elementProblem(value) : 'Not a valid list.';
const mapProblem = (value: Json): string | null => (isJsonObject(value) ? null : 'Not a valid mapping type.');
const flagProblem = (value: Json): string | null => (flags.has(value) ? null : 'Not a valid boolean.');

/** Why a value that is not null is none of the kind. */
const problemOf: Readonly<Record<FieldKind, (value: Json) => string | null>> = {
  text: textProblem,
  'text?': textProblem,
  texts: textsProblem,
  'texts?': textsProblem,
  map: mapProblem,
  'map?': mapProblem,
  'text-map': (value) => (isJsonObject(value) ? elementProblem(Object.values(value)) : mapProblem(value)),
  flag: flagProblem,
  'flag?': flagProblem,
  'int?': (value) => (isWholeNumber(value) ? null : 'Not a valid integer.'),
};

function fieldProblem(kind: FieldKind, value: Json): string | null {
  if (value === null) return kind.endsWith('?') ? null : 'Field may not be null.';
  return problemOf[kind](value);
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
