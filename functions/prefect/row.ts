import { isDeeperThan, isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { microsOf } from './timestamp.ts';

/** The first thing that is wrong with a row: where, and what was expected there; never the value, which may be a secret. */
export interface RowProblem {
  /** Names and positions, with dots between them; empty: the row itself. */
  readonly path: string;
  readonly message: string;
}

/** A state has a few levels, and is written again as JSON, which takes as much stack as it has levels. */
const mostLevels = 200;

const unexpected = 'Invalid input';
const uuidText = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/iu;

const isText = (value: unknown): value is string => typeof value === 'string';

/**
 * A row of an answer, read field by field and in full. What is not what it has to be is noted, and something of its type
 * stands in for it: nothing that was read counts once there is a `problem`. Where a method ends in `OrNull` the field may
 * also be null or absent.
 *
 * By hand, because a tick reads each run two or three times, and its history with it: a schema of zod/mini takes twice as
 * long when it is warm, and four times as long in a container that has just started.
 */
export class Row {
  readonly #fields: JsonObject;
  readonly #parent: Row | null;
  readonly #place: string;
  #problem: RowProblem | null = null;

  private constructor(value: unknown, parent: Row | null, place: string) {
    this.#parent = parent;
    this.#place = place;
    const isRow = isJsonObject(value);
    this.#fields = isRow ? value : {};
    if (!isRow) this.#note('', unexpected);
  }

  static of(value: unknown): Row {
    return new Row(value, null, '');
  }

  /** Of this row and of all that was read within it; rows within it know none of theirs. */
  get problem(): RowProblem | null {
    return this.#problem;
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  /** For a field that may be null, but was asked for: an answer without it is none. */
  answered(name: string): this {
    if (!this.has(name)) this.#note(name, unexpected);
    return this;
  }

  /** The word of a mutation that has nothing else to say. */
  success(): boolean {
    const isSuccess = this.#fields['success'] === true;
    if (!isSuccess) this.#note('success', unexpected);
    return isSuccess;
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (isText(value)) return value;
    this.#note(name, unexpected);
    return '';
  }

  textOrNull(name: string): string | null {
    return this.#isNothing(name) ? null : this.text(name);
  }

  textsOrNull(name: string): readonly string[] | null {
    if (this.#isNothing(name)) return null;
    const list = this.list(name);
    const texts = list.filter(isText);
    if (texts.length < list.length) this.#note(`${name}.${list.findIndex((value) => !isText(value))}`, unexpected);
    return texts;
  }

  /** Of any version and variant. */
  uuid(name: string): string {
    const value = this.text(name);
    if (!uuidText.test(value)) this.#note(name, unexpected);
    return value;
  }

  uuidOrNull(name: string): string | null {
    return this.#isNothing(name) ? null : this.uuid(name);
  }

  integer(name: string): number {
    const value = this.#fields[name];
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    this.#note(name, unexpected);
    return 0;
  }

  integerOrNull(name: string): number | null {
    return this.#isNothing(name) ? null : this.integer(name);
  }

  /** A timestamp, in microseconds since the epoch. */
  micros(name: string): number {
    const value = microsOf(this.text(name));
    if (Number.isNaN(value)) this.#note(name, 'not a timestamp');
    return value;
  }

  /** A timestamp, to the millisecond before it. */
  instantOrNull(name: string): Date | null {
    return this.#isNothing(name) ? null : new Date(Math.floor(this.micros(name) / 1000));
  }

  json(name: string): Json {
    return this.answered(name).jsonOrNull(name);
  }

  jsonOrNull(name: string): Json {
    return this.#fields[name] ?? null;
  }

  /** JSON that is kept as it is, such as a state. */
  object(name: string): JsonObject {
    const value = this.#fields[name];
    if (isJsonObject(value) && !isDeeperThan(mostLevels, value)) return value;
    this.#note(name, `expected a JSON object of at most ${mostLevels} levels`);
    return {};
  }

  objectOrNull(name: string): JsonObject | null {
    return this.#isNothing(name) ? null : this.object(name);
  }

  /** Of anything. */
  list(name: string): readonly Json[] {
    const value = this.#fields[name];
    if (Array.isArray(value)) return value;
    this.#note(name, unexpected);
    return [];
  }

  row(name: string): Row {
    return new Row(this.#fields[name], this, name);
  }

  rowOrNull(name: string): Row | null {
    return this.#isNothing(name) ? null : this.row(name);
  }

  rows<T>(name: string, read: (row: Row) => T): readonly T[] {
    return this.list(name).map((value, position) => read(new Row(value, this, `${name}.${position}`)));
  }

  #isNothing(name: string): boolean {
    return (this.#fields[name] ?? null) === null;
  }

  #note(path: string, message: string): void {
    if (this.#parent === null) this.#problem ??= { path, message };
    else this.#parent.#note(path === '' ? this.#place : `${this.#place}.${path}`, message);
  }
}
