import type { RowOf } from './catalogue.ts';
import { ServiceError } from './errors.ts';
import { isRecord, type JsonValue } from './jsonb.ts';
import { pythonJsonLength } from './python.ts';
import { insertRow, updateRow, type Moment } from './rows.ts';
import { isFinished, isRunning, reserialize, type ReadState } from './state-json.ts';
import { microsOf } from './timestamps.ts';

/** How long the service keeps other Submitted writes off a run (PrefectHQ/server, since 2021-10-21). */
const submittedLockMs = 30_000;
/** `sys.getsizeof` of the JSON text may not exceed this; an ASCII string costs 49 bytes more than its length. */
const payloadLimit = 1_000_000;
const stringOverhead = 49;

type Run = RowOf<'flow_run'> | RowOf<'task_run'>;
type HistoryRow = RowOf<'flow_run_state'> | RowOf<'task_run_state'>;

const endsRun: ReadonlySet<string> = new Set(['Success', 'Failed', 'Cached', 'TimedOut', 'Looped', 'Cancelled']);

function startAndEnd(run: Run, { state, timestamp }: HistoryRow): Partial<Run> {
  if (state === 'Running') return { start_time: Math.min(run.start_time ?? timestamp, timestamp) };
  return endsRun.has(state) ? { end_time: Math.max(run.end_time ?? timestamp, timestamp) } : {};
}

/**
 * The row trigger of the database: a state row is copied to its run when its version is at least the run's, so equal
 * versions overwrite and the last insert wins.
 */
export function copyToRun(moment: Moment, run: Run | null, row: HistoryRow): void {
  const version = row.version ?? 0;
  if (run === null || version < (run.version ?? 0)) return;
  updateRow(moment, run, {
    version,
    state: row.state,
    serialized_state: row.serialized_state,
    state_start_time: row.start_time,
    state_timestamp: row.timestamp,
    state_message: row.message,
    state_result: row.result,
    ...startAndEnd(run, row),
  });
}

function historyValues(moment: Moment, state: ReadState, version: number) {
  return {
    version,
    state: state.type,
    timestamp: microsOf(moment.now),
    message: state.message,
    result: state.result,
    start_time: state.startTime,
    serialized_state: state.serialized,
  };
}

/** Adds a row to the history of a flow run, at a version of the caller's choice, and lets the trigger act. */
export function insertFlowRunState(
  moment: Moment,
  run: RowOf<'flow_run'>,
  { state, version }: { readonly state: ReadState; readonly version: number },
): RowOf<'flow_run_state'> {
  const values = { ...historyValues(moment, state, version), tenant_id: run.tenant_id, flow_run_id: run.id };
  const row = insertRow(moment, 'flow_run_state', values);
  copyToRun(moment, run, row);
  return row;
}

function insertTaskRunState(
  moment: Moment,
  run: RowOf<'task_run'>,
  { state, version }: { readonly state: ReadState; readonly version: number },
): void {
  const values = { ...historyValues(moment, state, version), tenant_id: run.tenant_id, task_run_id: run.id };
  copyToRun(moment, run, insertRow(moment, 'task_run_state', values));
}

/** Creates a task run the way the database does: Pending, version 1, without the defaults of the serialiser. */
export function insertTaskRun(
  moment: Moment,
  task: RowOf<'task'>,
  place: { readonly flowRunId: string; readonly mapIndex: number },
): RowOf<'task_run'> {
  const run = insertRow(moment, 'task_run', {
    tenant_id: task.tenant_id,
    flow_run_id: place.flowRunId,
    task_id: task.id,
    map_index: place.mapIndex,
    cache_key: task.cache_key,
  });
  const message = 'Task run created';
  const pending = {
    type: 'Pending',
    message,
    startTime: null,
    result: null,
    serialized: { type: 'Pending', message },
  };
  insertTaskRunState(moment, run, { state: pending, version: 1 });
  return run;
}

function readPayload(payload: JsonValue, now: Date): ReadState {
  if (pythonJsonLength(payload) + stringOverhead > payloadLimit) throw new ServiceError('State payload is too large.');
  return reserialize(payload, now);
}

/** Holds the run for 30 s. The lock is not tied to the state of the run, and nothing releases it early. */
function takeSubmittedLock({ state, now }: Moment, runId: string): void {
  const lockedUntil = state.submittedLocks.get(runId);
  if (lockedUntil !== undefined && now.getTime() < lockedUntil) {
    throw new ServiceError('State update failed: this run has already been submitted.');
  }
  state.submittedLocks.set(runId, now.getTime() + submittedLockMs);
}

function unfinishedTaskRuns(moment: Moment, runId: string): RowOf<'task_run'>[] {
  const taskRuns = moment.state.tables.task_run.by('flow_run_id', runId);
  return taskRuns.filter((taskRun) => !isFinished(taskRun.state ?? 'Pending'));
}

function storeAgent(moment: Moment, run: RowOf<'flow_run'>, agentId: string | null): void {
  const agent = moment.state.tables.agent.get(agentId);
  if (agent !== null) updateRow(moment, run, { agent_id: agent.id });
}

/** A state on its way into a flow run: read, and the run loaded, but nothing written. */
interface FlowRunWrite {
  readonly run: RowOf<'flow_run'>;
  readonly state: ReadState;
  /** The version that was current when the run was loaded. */
  readonly version: number;
}

/** Steps 1 to 3 of a write: size, deserialisation, the run. `version` of the input is for Cloud and is not looked at. */
export function prepareFlowRunState(moment: Moment, runId: string, payload: JsonValue): FlowRunWrite {
  const state = readPayload(payload, moment.now);
  const run = moment.state.tables.flow_run.get(runId);
  if (run === null) throw new ServiceError(`State update failed for flow run ID ${runId}`);
  return { run, state, version: run.version ?? 0 };
}

/**
 * The rest of a write. No transition is refused, and nothing compares versions (PrefectHQ/server
 * src/prefect_server/api/states.py): a finished run can be Submitted again.
 */
export function applyFlowRunState(moment: Moment, write: FlowRunWrite, readAgentId: () => string | null): void {
  const { run, state } = write;
  if (state.type === 'Submitted') takeSubmittedLock(moment, run.id);
  if (state.type === 'Cancelled') {
    for (const taskRun of unfinishedTaskRuns(moment, run.id)) writeTaskRunState(moment, taskRun, state);
  }
  insertFlowRunState(moment, run, { state, version: write.version + 1 });
  if (!isRunning(state.type) && state.type !== 'Submitted') return;
  updateRow(moment, run, { heartbeat: microsOf(moment.now) });
  // An agent id that is no UUID fails here, after the state has been written.
  if (state.type === 'Submitted') storeAgent(moment, run, readAgentId());
}

/** Sets the state of a flow run without an agent. Throws ServiceError. */
export function setFlowRunStateOf(moment: Moment, runId: string, payload: JsonValue): void {
  applyFlowRunState(moment, prepareFlowRunState(moment, runId, payload), () => null);
}

function carryCachedInputs(run: RowOf<'task_run'>, state: ReadState): ReadState {
  const before = isRecord(run.serialized_state) ? run.serialized_state['cached_inputs'] : null;
  const now = state.serialized['cached_inputs'];
  if (!isRecord(before) || !isRecord(now) || Object.keys(now).length > 0) return state;
  return { ...state, serialized: { ...state.serialized, cached_inputs: before } };
}

function writeTaskRunState(moment: Moment, run: RowOf<'task_run'>, state: ReadState): void {
  insertTaskRunState(moment, run, { state: carryCachedInputs(run, state), version: (run.version ?? 0) + 1 });
  if (isRunning(state.type)) updateRow(moment, run, { heartbeat: microsOf(moment.now) });
}

/** Sets the state of a task run. A running one is refused while the flow run's state is not exactly Running. */
export function setTaskRunStateOf(moment: Moment, taskRunId: string, payload: JsonValue): void {
  const state = readPayload(payload, moment.now);
  const run = moment.state.tables.task_run.get(taskRunId);
  if (run === null) throw new ServiceError(`State update failed for task run ID ${taskRunId}`);
  const flowRun = moment.state.tables.flow_run.get(run.flow_run_id);
  if (isRunning(state.type) && flowRun?.state !== 'Running') {
    throw new ServiceError(
      `State update failed for task run ID ${taskRunId}: provided a running state but associated flow run ` +
        `${run.flow_run_id} is not in a running state.`,
    );
  }
  writeTaskRunState(moment, run, state);
}

/** Cancels a flow run and returns the name of its state afterwards. Finished: nothing happens. Throws ServiceError. */
export function cancelFlowRunOf(moment: Moment, runId: string): string {
  const run = moment.state.tables.flow_run.get(runId);
  if (run === null) throw new ServiceError(`Invalid flow run ID: ${runId}.`);
  const current = run.state ?? 'Pending';
  if (isFinished(current)) return current;
  const cancelled = isRunning(current)
    ? { type: 'Cancelling', message: 'Flow run is cancelling' }
    : { type: 'Cancelled', message: 'Flow run is cancelled' };
  setFlowRunStateOf(moment, runId, cancelled);
  return cancelled.type;
}
