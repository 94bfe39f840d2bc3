import { columnType, shapes, type AnyRow, type RowOf, type TableName } from './catalogue.ts';
import { deleteFlowRun } from './flow-runs.ts';
import { readOperand, select, type Scope } from './hasura.ts';
import { isRecord } from './jsonb.ts';
import { insertRow, type Moment } from './rows.ts';
import { copyToRun } from './transitions.ts';

/** Rows that a mutation of Hasura touched. */
export interface Touched {
  readonly table: TableName;
  readonly rows: readonly AnyRow[];
}

function readValues(table: TableName, values: unknown): Record<string, unknown> {
  const entries = isRecord(values) ? Object.entries(values) : [];
  return Object.fromEntries(
    entries.map(([column, value]) => [column, readOperand(columnType(table, column) ?? 'String', value)]),
  );
}

function matching({ state }: Moment, table: TableName, where: unknown): readonly AnyRow[] {
  const scope: Scope = { state, table };
  return select(scope, state.tables[table].all(), { where });
}

function update(moment: Moment, table: TableName, args: AnyRow): Touched {
  const values = readValues(table, args['_set']);
  const rows = matching(moment, table, args['where']);
  const stamp = 'updated' in shapes[table].columns ? { updated: moment.state.tick(moment.now) } : {};
  for (const row of rows) Object.assign(row, values, stamp);
  return { table, rows };
}

/** A row of the history fires the trigger whoever inserts it. */
function fireTrigger(moment: Moment, table: TableName, row: AnyRow): void {
  const { flow_run: flowRuns, task_run: taskRuns } = moment.state.tables;
  if (table === 'flow_run_state') {
    const inserted = row as RowOf<'flow_run_state'>;
    copyToRun(moment, flowRuns.get(inserted.flow_run_id), inserted);
  }
  if (table === 'task_run_state') {
    const inserted = row as RowOf<'task_run_state'>;
    copyToRun(moment, taskRuns.get(inserted.task_run_id), inserted);
  }
}

function insert(moment: Moment, table: TableName, args: AnyRow): Touched {
  const objects = Array.isArray(args['objects']) ? args['objects'] : [];
  const rows = objects.map((values: unknown) => insertRow(moment, table, readValues(table, values)));
  for (const row of rows) fireTrigger(moment, table, row);
  return { table, rows };
}

function remove(moment: Moment, table: TableName, args: AnyRow): Touched {
  const rows = matching(moment, table, args['where']);
  for (const row of rows) {
    if (table === 'flow_run') deleteFlowRun(moment, String(row['id']));
    else moment.state.tables[table].delete(row as never);
  }
  return { table, rows };
}

const verbs = { update, insert, delete: remove };

/**
 * A generic mutation of Hasura, as `update_task_run`: reachable through the gateway of a self-hosted server, without
 * locks, versions or hooks. Null: this is no such field.
 */
export function runRawMutation(moment: Moment, field: string, args: AnyRow): Touched | null {
  const [, verb = '', table = ''] = /^(update|insert|delete)_(\w+)$/.exec(field) ?? [];
  if (!Object.hasOwn(shapes, table)) return null;
  return verbs[verb as keyof typeof verbs](moment, table as TableName, args);
}
