import { shapes, tableNames, type RowOf, type TableName } from './catalogue.ts';
import type { PrefectState } from './state.ts';

/** What the columns are set to when nobody says otherwise (the defaults of the tables in Postgres). */
const defaults: { readonly [Name in TableName]?: Partial<RowOf<Name>> } = {
  tenant: { settings: {} },
  flow_group: { settings: {}, default_parameters: {} },
  flow: { archived: false, is_schedule_active: false, parameters: [], settings: {} },
  task: {
    max_retries: 0,
    retry_delay: '00:00:00',
    tags: [],
    mapped: false,
    auto_generated: false,
    is_root_task: false,
    is_terminal_task: false,
    is_reference_task: false,
  },
  edge: { mapped: false },
  flow_run: { version: 0, labels: [], parameters: {}, context: {}, auto_scheduled: false, times_resurrected: 0 },
  task_run: { version: 0, map_index: -1 },
  agent: { labels: [] },
  agent_config: { settings: {} },
};

/** Where and when a write happens. */
export interface Moment {
  readonly state: PrefectState;
  readonly now: Date;
}

/** A row of each table with every column null, over which values are laid. */
const emptyRows: ReadonlyMap<TableName, Readonly<Record<string, unknown>>> = new Map(
  tableNames.map((name) => [
    name,
    Object.fromEntries(Object.keys(shapes[name].columns).map((column) => [column, null])),
  ]),
);

/** Inserts a row: id, `created` and `updated` from the database, the rest from the values or the defaults. */
export function insertRow<Name extends TableName>(
  { state, now }: Moment,
  name: Name,
  values: Partial<RowOf<Name>>,
): RowOf<Name> {
  const at = state.tick(now);
  const stamps = 'updated' in shapes[name].columns ? { created: at, updated: at } : { created: at };
  const row = { ...emptyRows.get(name), id: state.nextId(), ...stamps, ...defaults[name], ...values };
  // The shape of every table lists all its columns: the row is complete.
  state.tables[name].insert(row as never);
  return row as RowOf<Name>;
}

/** Updates a row in place; the trigger of the database moves `updated`. */
export function updateRow<Row extends { updated: number }>(
  { state, now }: Moment,
  row: Row,
  values: Partial<Row>,
): void {
  Object.assign(row, values, { updated: state.tick(now) });
}
