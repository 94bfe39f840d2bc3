import { createHash } from 'node:crypto';

import { shapes, tableNames, type AnyRow, type RowOf, type TableName } from './catalogue.ts';
import { microsOf, type Micros } from './timestamps.ts';

interface Identified {
  readonly id: string;
}

/** The rows of one table in order of insertion, found by id or by a column that a relationship uses. */
export class Table<Row extends Identified> {
  readonly #rows = new Map<string, Row>();
  readonly #indexes = new Map<string, Map<unknown, Set<Row>>>();

  constructor(indexed: readonly string[]) {
    for (const column of indexed) this.#indexes.set(column, new Map());
  }

  insert(row: Row): Row {
    this.#rows.set(row.id, row);
    for (const [column, index] of this.#indexes) {
      const key = (row as AnyRow)[column];
      const rows = index.get(key) ?? new Set<Row>();
      index.set(key, rows.add(row));
    }
    return row;
  }

  get(id: string | null): Row | null {
    return id === null ? null : (this.#rows.get(id) ?? null);
  }

  delete(row: Row): void {
    this.#rows.delete(row.id);
    for (const [column, index] of this.#indexes) index.get((row as AnyRow)[column])?.delete(row);
  }

  all(): Iterable<Row> {
    return this.#rows.values();
  }

  /** Rows whose column has this value. An indexed column never changes after the insert. */
  by(column: string, value: unknown): Row[] {
    const index = this.#indexes.get(column);
    if (index !== undefined) return [...(index.get(value) ?? [])];
    return [...this.#rows.values()].filter((row) => (row as AnyRow)[column] === value);
  }
}

export type Tables = { readonly [Name in TableName]: Table<RowOf<Name>> };

/** Everything a Prefect Server keeps: its database, and the locks that live in its service process. */
export interface PrefectState {
  readonly tables: Tables;
  /** When the Submitted lock of a flow run ends, in milliseconds since the epoch. */
  readonly submittedLocks: Map<string, number>;
  nextId(): string;
  /** The database's clock: at or after `now`, and later than every instant it gave before. */
  tick(now: Date): Micros;
}

export interface PrefectStateOptions {
  /** Two states with the same seed hand out the same ids in the same order. */
  readonly seed: string | number;
}

/** Columns that change after the insert, and so are never indexed. */
const changing: ReadonlySet<string> = new Set(['agent_id', 'agent_config_id', 'project_id']);

function indexedColumns(name: TableName): string[] {
  const { objects } = shapes[name];
  return Object.values(objects)
    .map(({ from }) => from)
    .filter((column) => !changing.has(column));
}

/** A version 4 UUID drawn from a seed and a counter. */
function seededUuid(seed: string, count: number): string {
  const hex = createHash('sha256').update(`${seed}/${count}`).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** An empty Prefect Server. It reads no clock and draws nothing at random: identity follows from the seed. */
export function createPrefectState(options: PrefectStateOptions): PrefectState {
  const tables = Object.fromEntries(tableNames.map((name) => [name, new Table(indexedColumns(name))]));
  let count = 0;
  let latest = 0;
  return {
    tables: tables as Tables,
    submittedLocks: new Map(),
    nextId: () => {
      count += 1;
      return seededUuid(String(options.seed), count);
    },
    tick: (now) => {
      latest = Math.max(microsOf(now), latest + 1);
      return latest;
    },
  };
}
