import type { RowOf } from './catalogue.ts';
import type { JsonRecord } from './jsonb.ts';
import type { PrefectState } from './state.ts';
import type { Micros } from './timestamps.ts';

export interface StateView {
  readonly version: number;
  readonly state: string;
  readonly message: string | null;
  readonly created: Date;
  readonly serializedState: JsonRecord;
}

export interface TaskRunView {
  readonly id: string;
  /** Slug of the task. */
  readonly task: string | null;
  readonly mapIndex: number;
  readonly state: string;
  readonly startTime: Date | null;
}

export interface LogView {
  readonly level: string | null;
  readonly name: string | null;
  readonly message: string | null;
  readonly timestamp: Date;
}

export interface FlowRunView {
  readonly id: string;
  readonly name: string | null;
  readonly state: string;
  readonly message: string | null;
  readonly version: number;
  readonly serializedState: JsonRecord;
  readonly labels: readonly string[];
  readonly scheduledStartTime: Date | null;
  readonly heartbeat: Date | null;
  readonly timesResurrected: number;
  /** Name of the agent that submitted it last. */
  readonly agent: string | null;
  /** In order of insertion. */
  readonly states: readonly StateView[];
  readonly taskRuns: readonly TaskRunView[];
  readonly logs: readonly LogView[];
}

const dateOf = (micros: Micros): Date => new Date(Math.floor(micros / 1000));
const dateOrNull = (micros: Micros | null): Date | null => (micros === null ? null : dateOf(micros));

const viewState = (row: RowOf<'flow_run_state'>): StateView => ({
  version: row.version ?? 0,
  state: row.state,
  message: row.message,
  created: dateOf(row.created),
  serializedState: row.serialized_state as JsonRecord,
});

const viewLog = (row: RowOf<'log'>): LogView => ({
  level: row.level,
  name: row.name,
  message: row.message,
  timestamp: dateOf(row.timestamp),
});

function viewTaskRun(state: PrefectState, row: RowOf<'task_run'>): TaskRunView {
  return {
    id: row.id,
    task: state.tables.task.get(row.task_id)?.slug ?? null,
    mapIndex: row.map_index,
    state: row.state ?? 'Pending',
    startTime: dateOrNull(row.state_start_time),
  };
}

function viewFlowRun(state: PrefectState, run: RowOf<'flow_run'>): FlowRunView {
  const { tables } = state;
  return {
    id: run.id,
    name: run.name,
    state: run.state ?? 'Pending',
    message: run.state_message,
    version: run.version ?? 0,
    serializedState: run.serialized_state as JsonRecord,
    labels: run.labels as readonly string[],
    scheduledStartTime: dateOrNull(run.scheduled_start_time),
    heartbeat: dateOrNull(run.heartbeat),
    timesResurrected: run.times_resurrected ?? 0,
    agent: tables.agent.get(run.agent_id)?.name ?? null,
    states: tables.flow_run_state.by('flow_run_id', run.id).map(viewState),
    taskRuns: tables.task_run.by('flow_run_id', run.id).map((row) => viewTaskRun(state, row)),
    logs: tables.log.by('flow_run_id', run.id).map(viewLog),
  };
}

/** A flow run with its history, task runs and logs, for assertions and tables. Null: there is none. */
export function readFlowRun(state: PrefectState, runId: string): FlowRunView | null {
  const run = state.tables.flow_run.get(runId);
  return run === null ? null : viewFlowRun(state, run);
}
