import { columnType, shapes, type AnyRow, type ColumnType, type TableName } from './catalogue.ts';
import { QueryEngineError } from './errors.ts';
import { isRecord, jsonbContains, jsonbEquals, type JsonValue } from './jsonb.ts';
import type { PrefectState } from './state.ts';
import { parseTimestamp } from './timestamps.ts';

/** SQL's three truths: a comparison with null is neither true nor false. */
type Truth = boolean | null;

const not = (truth: Truth): Truth => (truth === null ? null : !truth);

function allOf(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes(null) ? null : true;
}

function anyOf(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  return truths.includes(null) ? null : false;
}

const uuidPattern = /^\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?$/i;

/** Reads a UUID as Postgres does; the text of the error is Postgres's. */
export function readUuid(value: unknown): string {
  const text = String(value);
  if (!uuidPattern.test(text)) throw new QueryEngineError(`invalid input syntax for type uuid: "${text}"`);
  return text.toLowerCase();
}

/** Turns a value of a query into what the column holds. */
export function readOperand(type: ColumnType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'uuid') return readUuid(value);
  if (type !== 'timestamptz') return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const parsed = parseTimestamp(text);
  if (parsed !== null) return parsed.micros;
  throw new QueryEngineError(`invalid input syntax for type timestamp with time zone: "${text}"`);
}

function equals(left: unknown, right: unknown): boolean {
  if (typeof left === 'object' || typeof right === 'object') return jsonbEquals(left as JsonValue, right as JsonValue);
  return left === right;
}

const likePattern = (pattern: string, flags: string): RegExp => {
  const escaped = pattern.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('%', '.*').replaceAll('_', '.')}$`, `s${flags}`);
};

const like = (flags: string) => (cell: unknown, pattern: unknown) =>
  likePattern(String(pattern), flags).test(String(cell));

const contains = (left: unknown, right: unknown): boolean => jsonbContains(left as JsonValue, right as JsonValue);

const hasKey = (cell: unknown, key: unknown): boolean =>
  Array.isArray(cell) ? cell.includes(key) : isRecord(cell) && Object.hasOwn(cell, String(key));

/** A list of plain operands is read into a set, one of `jsonb` stays a list. */
const isOneOf = (cell: unknown, operands: unknown): boolean =>
  operands instanceof Set ? operands.has(cell) : (operands as unknown[]).some((operand) => equals(cell, operand));

type Compare = (cell: unknown, operand: unknown) => boolean;

/** Comparisons of a cell that is not null with one operand. */
const comparisons: Readonly<Record<string, Compare>> = {
  _eq: equals,
  _neq: (cell, operand) => !equals(cell, operand),
  _gt: (cell, operand) => (cell as string) > (operand as string),
  _gte: (cell, operand) => (cell as string) >= (operand as string),
  _lt: (cell, operand) => (cell as string) < (operand as string),
  _lte: (cell, operand) => (cell as string) <= (operand as string),
  _in: isOneOf,
  _nin: (cell, operands) => !isOneOf(cell, operands),
  _like: like(''),
  _nlike: (cell, pattern) => !like('')(cell, pattern),
  _ilike: like('i'),
  _nilike: (cell, pattern) => !like('i')(cell, pattern),
  _contains: contains,
  _contained_in: (cell, operand) => contains(operand, cell),
  _has_key: hasKey,
  _has_keys_any: (cell, keys) => (keys as unknown[]).some((key) => hasKey(cell, key)),
  _has_keys_all: (cell, keys) => (keys as unknown[]).every((key) => hasKey(cell, key)),
};

function compare(operator: string, cell: unknown, operand: unknown): Truth {
  // Null in a comparison filters nothing: HASURA_GRAPHQL_V1_BOOLEAN_NULL_COLLAPSE is on in the shipped configuration.
  if (operand === null || operand === undefined) return true;
  if (operator === '_is_null') return (cell === null) === operand;
  if (cell === null) return null;
  return comparisons[operator]?.(cell, operand) ?? false;
}

const operatorOnText: ReadonlySet<string> = new Set(['_has_key', '_has_keys_any', '_has_keys_all', '_is_null']);

function readOperands(type: ColumnType, operator: string, value: unknown): unknown {
  if (operatorOnText.has(operator)) return value;
  if (!operator.endsWith('in') || operator === '_contained_in') return readOperand(type, value);
  if (!Array.isArray(value)) return null;
  const operands = value.map((item: unknown) => readOperand(type, item));
  return type === 'jsonb' ? operands : new Set(operands);
}

/** Everything that a `where` may look at. */
export interface Scope {
  readonly state: PrefectState;
  readonly table: TableName;
}

/** A `where` with its operands read, ready to be asked of many rows. */
type Predicate = (row: AnyRow) => Truth;

const always: Predicate = () => true;

function columnPredicate(type: ColumnType, column: string, condition: unknown): Predicate {
  if (!isRecord(condition)) return always;
  const tests = Object.entries(condition).map(([operator, value]) => {
    const operand = readOperands(type, operator, value);
    return (row: AnyRow) => compare(operator, row[column], operand);
  });
  return (row) => allOf(tests.map((test) => test(row)));
}

/** Rows at the other end of a relationship. */
export function follow(scope: Scope, relationship: string, row: AnyRow): { table: TableName; rows: readonly AnyRow[] } {
  const shape = shapes[scope.table];
  const found = shape.objects[relationship] ?? shape.arrays[relationship];
  if (found === undefined) throw new TypeError(`${scope.table} has no relationship ${relationship}`);
  const { table, from, to } = found;
  const key = row[from];
  const target = scope.state.tables[table];
  if (to === 'id') {
    const other = target.get(typeof key === 'string' ? key : null);
    return { table, rows: other === null ? [] : [other] };
  }
  return { table, rows: target.by(to, key) };
}

/** A relationship in a `where` means: one row exists at its other end that satisfies the condition. */
function relationshipPredicate(scope: Scope, relationship: string, condition: unknown): Predicate {
  if (!isRecord(condition)) return always;
  const shape = shapes[scope.table];
  const target = (shape.objects[relationship] ?? shape.arrays[relationship])?.table ?? scope.table;
  const matches = wherePredicate({ ...scope, table: target }, condition);
  return (row) => follow(scope, relationship, row).rows.some((other) => matches(other) === true);
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);

function clausePredicate(scope: Scope, key: string, condition: unknown): Predicate {
  if (condition === null || condition === undefined) return always;
  const parts = (): Predicate[] => listOf(condition).map((item) => wherePredicate(scope, item));
  const type = columnType(scope.table, key);
  if (type !== null) return columnPredicate(type, key, condition);
  if (!key.startsWith('_')) return relationshipPredicate(scope, key, condition);
  const clauses = parts();
  if (key === '_not') return (row) => not(allOf(clauses.map((clause) => clause(row))));
  const join = key === '_or' ? anyOf : allOf;
  return (row) => join(clauses.map((clause) => clause(row)));
}

/** Compiles a `where` of Hasura. Throws QueryEngineError when an operand cannot be read, whatever the rows are. */
function wherePredicate(scope: Scope, where: unknown): Predicate {
  if (!isRecord(where)) return always;
  const clauses = Object.entries(where).map(([key, condition]) => clausePredicate(scope, key, condition));
  return (row) => allOf(clauses.map((clause) => clause(row)));
}

type Order = (left: AnyRow, right: AnyRow) => number;

function compareCells(left: unknown, right: unknown): number {
  if (left === right) return 0;
  return (left as string) < (right as string) ? -1 : 1;
}

/** Postgres puts nulls last when ascending and first when descending, unless told otherwise. */
function columnOrder(read: (row: AnyRow) => unknown, direction: string): Order {
  const descending = direction.startsWith('desc');
  const nullsFirst = direction.endsWith('nulls_first') || direction === 'desc';
  return (left, right) => {
    const [a, b] = [read(left) ?? null, read(right) ?? null];
    if (a === null || b === null) return (Number(a !== null) - Number(b !== null)) * (nullsFirst ? 1 : -1);
    return compareCells(a, b) * (descending ? -1 : 1);
  };
}

type Lookup = (row: AnyRow) => AnyRow | null;

/** One entry of `order_by`: a column, or a path through object relationships to one. */
function ordersOf(scope: Scope, entry: unknown, lookup: Lookup): Order[] {
  if (!isRecord(entry)) return [];
  return Object.entries(entry).flatMap(([key, value]) => {
    if (typeof value === 'string') return [columnOrder((row) => lookup(row)?.[key], value)];
    const target = shapes[scope.table].objects[key];
    if (target === undefined) return [];
    const next: Lookup = (row) => {
      const here = lookup(row);
      return here === null ? null : (follow(scope, key, here).rows[0] ?? null);
    };
    return ordersOf({ ...scope, table: target.table }, value, next);
  });
}

export interface Selection {
  readonly where?: unknown;
  readonly order_by?: unknown;
  readonly limit?: number | null;
  readonly offset?: number | null;
  readonly distinct_on?: unknown;
}

function distinct(rows: readonly AnyRow[], columns: unknown): readonly AnyRow[] {
  if (columns === null || columns === undefined) return rows;
  const seen = new Set<string>();
  return rows.filter((row) => {
    const key = JSON.stringify(listOf(columns).map((column) => row[String(column)]));
    return seen.has(key) ? false : seen.add(key);
  });
}

/** Applies `where`, `order_by`, `distinct_on`, `offset` and `limit` to rows of one table, like the SQL Hasura writes. */
export function select(scope: Scope, rows: Iterable<AnyRow>, selection: Selection): readonly AnyRow[] {
  const matches = wherePredicate(scope, selection.where);
  const found = [...rows].filter((row) => matches(row) === true);
  const orders = listOf(selection.order_by).flatMap((entry) => ordersOf(scope, entry, (row) => row));
  if (orders.length > 0) {
    found.sort((left, right) => orders.map((order) => order(left, right)).find((sign) => sign !== 0) ?? 0);
  }
  const start = selection.offset ?? 0;
  const end = typeof selection.limit === 'number' ? start + selection.limit : undefined;
  return distinct(found, selection.distinct_on).slice(start, end);
}
