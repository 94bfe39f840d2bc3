import assert from 'node:assert/strict';

/** A line as Logs Insights finds its fields: nested objects by dotted names, and `@timestamp`. */
export type Row = Readonly<Record<string, unknown>>;

/** What a field says; nothing where there is none. */
const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';

type Condition = (row: Row) => boolean;

function flat(value: object, prefix: string): readonly (readonly [string, unknown])[] {
  return Object.entries(value).flatMap(([key, one]: [string, unknown]) =>
    typeof one === 'object' && one !== null ? flat(one, `${prefix}${key}.`) : [[`${prefix}${key}`, one] as const],
  );
}

/** The rows of a log: every line has to be JSON. The order of the lines is the order of their time. */
export const rowsOf = (lines: readonly string[]): readonly Row[] =>
  lines.map((line, index) => ({ ...Object.fromEntries(flat(JSON.parse(line) as object, '')), '@timestamp': index }));

const tokenPattern = /"[^"]*"|\/(?:[^/\\]|\\.)+\/|[\w.@]+|!=|[=()[\],]/gu;

/** A condition of `filter`, from left to right: `or` of `and` of comparisons, as the documentation of the language has it. */
class ConditionParser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(tokenPattern) ?? [];
    assert.equal(this.#tokens.join(''), text.replaceAll(/\s(?=(?:[^"/]*["/][^"/]*["/])*[^"/]*$)/gu, ''), text);
  }

  parse(): Condition {
    const condition = this.#joined('or', () => this.#joined('and', () => this.#comparison()));
    assert.equal(this.#at, this.#tokens.length, `not understood: ${this.#tokens.slice(this.#at).join(' ')}`);
    return condition;
  }

  #next(): string {
    const token = this.#tokens[this.#at];
    assert.ok(token !== undefined, 'the condition ends too early');
    this.#at += 1;
    return token;
  }

  #takes(word: string): boolean {
    const isNext = this.#tokens[this.#at] === word;
    if (isNext) this.#at += 1;
    return isNext;
  }

  #joined(word: 'and' | 'or', part: () => Condition): Condition {
    const parts = [part()];
    while (this.#takes(word)) parts.push(part());
    return (row) => (word === 'or' ? parts.some((one) => one(row)) : parts.every((one) => one(row)));
  }

  #text(): string {
    const token = this.#next();
    assert.match(token, /^".*"$/u);
    return token.slice(1, -1);
  }

  #comparison(): Condition {
    const name = this.#next();
    if (name === 'ispresent') return this.#presence();
    const operator = this.#next();
    if (operator === 'in') return this.#membership(name);
    if (operator === 'like') {
      const pattern = new RegExp(this.#next().slice(1, -1), 'u');
      return (row) => pattern.test(textOf(row[name]));
    }
    const value = this.#text();
    assert.match(operator, /^!?=$/u);
    return (row) => (row[name] === value) === (operator === '=');
  }

  #presence(): Condition {
    assert.equal(this.#next(), '(');
    const name = this.#next();
    assert.equal(this.#next(), ')');
    return (row) => row[name] !== undefined;
  }

  #membership(name: string): Condition {
    assert.equal(this.#next(), '[');
    const values = [this.#text()];
    while (this.#takes(',')) values.push(this.#text());
    assert.equal(this.#next(), ']');
    return (row) => values.includes(textOf(row[name]));
  }
}

const list = (text: string): readonly string[] => text.split(',').map((one) => one.trim());

/** Numbers by size, everything else by its text. */
const compare = (a: unknown, b: unknown): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : textOf(a).localeCompare(textOf(b));

function aggregated(call: string, rows: readonly Row[]): unknown {
  const { of, field = '' } = /^(?<of>count|latest|max)\((?<field>[\w.@*]+)\)$/u.exec(call)?.groups ?? {};
  if (of === 'count') return rows.length;
  const values = rows.filter((row) => row[field] !== undefined).map((row) => row[field]);
  assert.ok(of === 'latest' || of === 'max', `not understood: ${call}`);
  return of === 'latest' ? values.at(-1) : values.toSorted(compare).at(-1);
}

function stats(text: string, rows: readonly Row[]): readonly Row[] {
  const [calls = '', by = ''] = text.split(/\sby\s/u);
  const groups = Map.groupBy(rows, (row) => JSON.stringify(list(by).map((name) => row[name])));
  return [...groups.values()].map((group) => ({
    ...Object.fromEntries(list(by).map((name) => [name, group[0]?.[name]])),
    ...Object.fromEntries(
      list(calls).map((call) => {
        const [function_ = '', name = call] = call.split(/\sas\s/u);
        return [name, aggregated(function_, group)];
      }),
    ),
  }));
}

function sorted(text: string, rows: readonly Row[]): readonly Row[] {
  const { field = '', order } = /^(?<field>[\w.@]+) (?<order>asc|desc)$/u.exec(text)?.groups ?? {};
  assert.ok(order !== undefined, `not understood: ${text}`);
  return rows.toSorted((a, b) => compare(a[field], b[field]) * (order === 'asc' ? 1 : -1));
}

const steps: Readonly<Record<string, (text: string, rows: readonly Row[]) => readonly Row[]>> = {
  filter: (text, rows) => rows.filter(new ConditionParser(text).parse()),
  fields: (text, rows) =>
    rows.map((row) =>
      Object.fromEntries(list(text).flatMap((name) => (row[name] === undefined ? [] : [[name, row[name]]]))),
    ),
  stats,
  sort: sorted,
  limit: (text, rows) => rows.slice(0, Number(text)),
};

/**
 * What a query of CloudWatch Logs Insights finds among the lines: the part of the language that our queries use. Anything
 * else in a query is an error and never an empty answer.
 */
export function insights(query: string, rows: readonly Row[]): readonly Row[] {
  const text = query.replaceAll(/^\s*#.*$/gmu, '');
  return text.split(/\s\|\s/u).reduce<readonly Row[]>((found, step) => {
    const [name = ''] = /^\w+/u.exec(step.trim()) ?? [];
    const work = steps[name];
    assert.ok(work !== undefined, `not understood: ${step}`);
    return work(step.trim().slice(name.length).trim(), found);
  }, rows);
}
