import fc from 'fast-check';

import type { Json, JsonObject } from '../../functions/core/json.ts';

/** Texts that have broken parsers and terminals: NUL, ANSI, CRLF, half a surrogate pair, names of JavaScript, dates. */
const hostileTexts = [
  '',
  '\0',
  '\u001B[2J\u001B]0;owned\u0007',
  '\u009B31m',
  'a\r\nset-cookie: b',
  '\uD800',
  '\u202Eevil',
  '__proto__',
  'constructor',
  'toString',
  '-0',
  '1e999',
  'NaN',
  '+275760-09-13T00:00:00.000Z',
  '0000-00-00T00:00:00Z',
  '2026-02-30T25:61:61Z',
  '2026-11-25T00:00:60Z',
  '00000000-0000-0000-0000-000000000000',
  '%00%ff',
  '../../etc/passwd',
  '${jndi:ldap://x}',
  'x'.repeat(70_000),
];

const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostileTexts) },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 2_000 }) },
);

const numbers = [0, -0, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53) - 2, 1e308, -1e308, 5e-324];
const scalar = fc.oneof(text, fc.constantFrom(...numbers), fc.integer(), fc.boolean(), fc.constant(null));

/** A value so deep that whoever walks it by recursion has to say so. */
const deep = fc.constantFrom(70, 1_000, 20_000).map((levels) => {
  let value: Json = 'end';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { down: value };
  // Whoever prints a counterexample walks by recursion as well.
  return Object.defineProperty(value, fc.toStringMethod, { value: () => `${levels} levels` });
});

const key = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'type', 'name', 'id', ''),
  fc.string({ maxLength: 8 }),
);

/** Objects as JSON.parse makes them, with `__proto__` as a key of their own. */
const objectOf = (value: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
  fc
    .array(fc.tuple(key, value), { maxLength: 5 })
    .map((entries) => JSON.parse(`{${entries.map((each) => pairOf(each)).join(',')}}`) as Json);

const pairOf = ([name, value]: readonly [string, Json]): string => `${JSON.stringify(name)}:${JSON.stringify(value)}`;

const shallow = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 5 }),
    objectOf(tie('value')),
  ),
})).value;

/** Any JSON that a liar may send in place of what was asked for. */
export const hostileJson: fc.Arbitrary<Json> = fc.oneof(
  { weight: 30, arbitrary: shallow },
  { weight: 1, arbitrary: deep },
);

/** Any text that a liar may send. */
export const hostileText: fc.Arbitrary<string> = text;

/** JSON as a liar writes it, however deep: `JSON.stringify` itself gives up on some. */
export function textOfJson(value: Json): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '['.repeat(100_000);
  }
}

type Path = readonly (string | number)[];

function pathsIn(value: Json, path: Path = []): readonly Path[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((each: Json, index) => pathsIn(each, [...path, index]))];
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, each]) => pathsIn(each, [...path, name]))];
}

function replacedAt(value: Json, [step, ...rest]: Path, by: Json | undefined): Json | undefined {
  if (step === undefined) return by;
  if (Array.isArray(value)) {
    return value.flatMap((each: Json, index) => (index === step ? (replacedAt(each, rest, by) ?? []) : [each]));
  }
  const entries = Object.entries(value as JsonObject).flatMap(([name, each]) => {
    const kept = name === step ? replacedAt(each, rest, by) : each;
    return kept === undefined ? [] : [[name, kept] as const];
  });
  return Object.fromEntries(entries);
}

/** A good document in which up to three parts were taken away, or are something else now. */
export function twisted(good: JsonObject): fc.Arbitrary<Json> {
  const paths = pathsIn(good);
  const twist = fc.record({ path: fc.constantFrom(...paths), by: fc.option(hostileJson, { nil: undefined }) });
  return fc.array(twist, { minLength: 1, maxLength: 3 }).map((twists) =>
    twists.reduce<Json>((value, { path, by }) => {
      // An earlier twist may have taken the way there.
      const isThere = path.reduce<Json | undefined>((at, step) => stepInto(at, step), value) !== undefined;
      return isThere ? (replacedAt(value, path, by) ?? null) : value;
    }, good),
  );
}

function stepInto(value: Json | undefined, step: string | number): Json | undefined {
  if (Array.isArray(value)) return value[Number(step)] as Json | undefined;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
  return (value as JsonObject)[step];
}
