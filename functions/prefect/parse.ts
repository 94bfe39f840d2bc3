import type { FlowOfRun, FlowRun, FlowRunId, StateRow } from '../core/flow-run.ts';
import { isJsonObject } from '../core/json.ts';
import type { RunsRead, UnreadableRun } from './contract.ts';
import { Row, type RowProblem } from './row.ts';

const stateRowOf = (row: Row): StateRow => ({
  id: row.text('id'),
  version: row.integer('version'),
  state: row.text('state'),
  createdMicros: row.micros('created'),
  message: row.textOrNull('message'),
  serializedState: row.object('serialized_state'),
});

const flowOf = (row: Row): FlowOfRun => ({
  id: row.text('id'),
  name: row.textOrNull('name'),
  coreVersion: row.textOrNull('core_version'),
  storage: row.jsonOrNull('storage'),
  settings: row.rowOrNull('flow_group')?.objectOrNull('settings') ?? {},
});

/** The mark that a line of ours carries in `info`; lines of others carry none. */
function marksIn(row: Row): readonly string[] {
  const info = row.json('info');
  return isJsonObject(info) && typeof info['event'] === 'string' ? [info['event']] : [];
}

function waitingTasks(row: Row, dueAt: Date): Pick<FlowRun, 'dueTaskRuns' | 'waitingTaskRuns'> {
  const starts = row.rows('task_runs', (task) => task.instantOrNull('state_start_time'));
  const due = starts.filter((start) => start !== null && start <= dueAt);
  return { dueTaskRuns: due.length, waitingTaskRuns: starts.length };
}

const runOf = (row: Row, dueAt: Date): FlowRun => ({
  // Only a UUID may become a label and part of a name in the cluster.
  id: row.uuid('id') as FlowRunId,
  name: row.textOrNull('name'),
  version: row.integer('version'),
  state: row.text('state'),
  serializedState: row.object('serialized_state'),
  labels: row.textsOrNull('labels') ?? [],
  scheduledStartTime: row.instantOrNull('scheduled_start_time'),
  heartbeat: row.instantOrNull('heartbeat'),
  timesResurrected: row.integerOrNull('times_resurrected') ?? 0,
  runConfig: row.jsonOrNull('run_config'),
  flow: flowOf(row.row('flow')),
  ...waitingTasks(row, dueAt),
  history: row.rows('states', stateRowOf),
  // Absent where the read did not ask for them.
  eventMarks: row.has('logs') ? row.rows('logs', marksIn).flat() : [],
});

function unreadable(row: unknown, { path, message }: RowProblem): UnreadableRun {
  const id = isJsonObject(row) && typeof row['id'] === 'string' ? row['id'] : null;
  return { id, problem: `${path === '' ? 'the run' : path}: ${message}` };
}

/**
 * Rows of `flow_run` as they come from the query engine. A row that cannot be parsed is reported beside the others: it
 * is never evidence for anything.
 *
 * @param dueAt a waiting task run counts as due from this instant on
 */
export function parseRuns(rows: readonly unknown[], dueAt: Date): RunsRead {
  const runs: FlowRun[] = [];
  const bad: UnreadableRun[] = [];
  for (const raw of rows) {
    const row = Row.of(raw);
    const run = runOf(row, dueAt);
    if (row.problem === null) runs.push(run);
    else bad.push(unreadable(raw, row.problem));
  }
  return { runs, unreadable: bad };
}
