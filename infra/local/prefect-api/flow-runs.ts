import type { RowOf } from './catalogue.ts';
import { ServiceError } from './errors.ts';
import { isRecord, toJsonb, type JsonRecord, type JsonValue } from './jsonb.ts';
import { insertRow, updateRow, type Moment } from './rows.ts';
import { formatIso, microsOf, type Micros } from './timestamps.ts';
import { insertTaskRun, setFlowRunStateOf } from './transitions.ts';

export interface NewFlowRun {
  readonly flowId?: string | null;
  readonly versionGroupId?: string | null;
  readonly parameters?: JsonValue;
  readonly context?: JsonValue;
  readonly labels?: readonly string[] | null;
  readonly runConfig?: JsonValue;
  /** Null or absent: now. */
  readonly startTime?: Micros | null;
  readonly idempotencyKey?: string | null;
  readonly name?: string | null;
}

const isText = (value: unknown): value is string => typeof value === 'string';

function newestUnarchived({ state }: Moment, versionGroupId: string): RowOf<'flow'> | null {
  const flows = state.tables.flow.by('version_group_id', versionGroupId).filter((flow) => !flow.archived);
  return flows.sort((left, right) => (right.version ?? 0) - (left.version ?? 0))[0] ?? null;
}

function findFlow(moment: Moment, { flowId, versionGroupId }: NewFlowRun): RowOf<'flow'> {
  if (!isText(flowId) && !isText(versionGroupId)) {
    throw new ServiceError('One of flow_id or version_group_id must be provided.');
  }
  const flow = isText(flowId) ? moment.state.tables.flow.get(flowId) : newestUnarchived(moment, versionGroupId ?? '');
  if (flow === null) {
    throw new ServiceError(
      isText(flowId) ? `Flow ${flowId} not found` : `Version group ${versionGroupId} has no unarchived flows.`,
    );
  }
  if (flow.archived) throw new ServiceError(`Flow ${flow.id} is archived.`);
  return flow;
}

const labelsIn = (config: JsonValue | undefined): JsonValue => (isRecord(config) ? (config['labels'] ?? null) : null);

/** First that is not null: the call, its run config, the group, the group's run config, the flow's, its environment. */
function chooseLabels(wanted: NewFlowRun, flow: RowOf<'flow'>, group: RowOf<'flow_group'> | null): string[] {
  const candidates = [
    (wanted.labels ?? null) as JsonValue,
    labelsIn(wanted.runConfig),
    group?.labels ?? null,
    labelsIn(group?.run_config ?? null),
    labelsIn(flow.run_config),
    labelsIn(flow.environment),
    [],
  ];
  const chosen = candidates.find((labels) => labels !== null);
  return Array.isArray(chosen) ? chosen.filter(isText).sort() : [];
}

const recordOr = (value: JsonValue | undefined): JsonRecord => (isRecord(value) ? value : {});

function chooseParameters(wanted: NewFlowRun, flow: RowOf<'flow'>, group: RowOf<'flow_group'> | null): JsonRecord {
  const declared = (Array.isArray(flow.parameters) ? flow.parameters : []).filter(isRecord);
  const byDefault = declared.filter((parameter) => parameter['required'] !== true);
  const given = { ...recordOr(group?.default_parameters), ...recordOr(wanted.parameters) };
  const missing = declared
    .filter((parameter) => parameter['required'] === true)
    .map((parameter) => parameter['name'])
    .filter(isText)
    .filter((name) => !Object.hasOwn(given, name));
  if (missing.length > 0) {
    const names = missing.map((name) => `'${name}'`).join(', ');
    throw new ServiceError(`Required parameters were not supplied: {${names}}`);
  }
  const defaults = byDefault.map((parameter) => [parameter['name'], parameter['default'] ?? null]);
  return { ...Object.fromEntries(defaults), ...given };
}

const adjectives = ['amber', 'brisk', 'calm', 'eager', 'gentle', 'nimble', 'quiet', 'sturdy'];
const animals = ['badger', 'crane', 'dolphin', 'heron', 'lynx', 'otter', 'sparrow', 'wombat'];

/** A two-word name, drawn from the run's id: nothing here is random. */
function nameFor(id: string): string {
  const draw = (from: number, words: readonly string[]) =>
    words[Number.parseInt(id.slice(from, from + 2), 16) % words.length];
  return `${draw(0, adjectives)}-${draw(2, animals)}`;
}

function earlierRun({ state }: Moment, flow: RowOf<'flow'>, key: string | null): RowOf<'flow_run'> | null {
  if (key === null) return null;
  return state.tables.flow_run.by('flow_id', flow.id).find((run) => run.idempotency_key === key) ?? null;
}

/** Inserts the run with one Pending task run per task, as the trigger of the database does. */
function insertFlowRun(moment: Moment, wanted: NewFlowRun, flow: RowOf<'flow'>): RowOf<'flow_run'> {
  const group = moment.state.tables.flow_group.get(flow.flow_group_id);
  const id = moment.state.nextId();
  const run = insertRow(moment, 'flow_run', {
    id,
    tenant_id: flow.tenant_id,
    flow_id: flow.id,
    labels: chooseLabels(wanted, flow, group),
    parameters: toJsonb(chooseParameters(wanted, flow, group)),
    context: toJsonb(recordOr(wanted.context)),
    run_config: toJsonb(wanted.runConfig ?? group?.run_config ?? flow.run_config),
    scheduled_start_time: wanted.startTime ?? microsOf(moment.now),
    idempotency_key: wanted.idempotencyKey ?? null,
    name: wanted.name ?? nameFor(id),
  });
  for (const task of moment.state.tables.task.by('flow_id', flow.id)) {
    insertTaskRun(moment, task, { flowRunId: run.id, mapIndex: -1 });
  }
  return run;
}

/**
 * Schedules a run of a flow and returns its id; the same idempotency key on the same flow returns the first run's id
 * (PrefectHQ/server src/prefect_server/api/runs.py create_flow_run). Throws ServiceError.
 */
export function createFlowRun(moment: Moment, wanted: NewFlowRun): string {
  const flow = findFlow(moment, wanted);
  const earlier = earlierRun(moment, flow, wanted.idempotencyKey ?? null);
  if (earlier !== null) return earlier.id;
  const run = insertFlowRun(moment, wanted, flow);
  const startTime = formatIso(run.scheduled_start_time ?? microsOf(moment.now));
  setFlowRunStateOf(moment, run.id, { type: 'Scheduled', message: 'Flow run scheduled.', start_time: startTime });
  return run.id;
}

/** Deletes a run with everything that belongs to it. False: there was none. */
export function deleteFlowRun({ state }: Moment, runId: string): boolean {
  const { tables } = state;
  const run = tables.flow_run.get(runId);
  if (run === null) return false;
  for (const taskRun of tables.task_run.by('flow_run_id', runId)) {
    for (const row of tables.task_run_state.by('task_run_id', taskRun.id)) tables.task_run_state.delete(row);
    tables.task_run.delete(taskRun);
  }
  for (const row of tables.flow_run_state.by('flow_run_id', runId)) tables.flow_run_state.delete(row);
  for (const row of tables.log.by('flow_run_id', runId)) tables.log.delete(row);
  tables.flow_run.delete(run);
  return true;
}

export interface TaskRunPlace {
  readonly flowRunId: string;
  readonly taskId: string;
  readonly mapIndex: number;
}

export interface TaskRunAnswer {
  readonly id: string;
  readonly version: number | null;
  readonly state: string | null;
  readonly serialized_state: JsonValue;
}

/** The task run at this place, created when absent; a created one reports version 0. Throws ServiceError. */
export function getOrCreateTaskRun(moment: Moment, place: TaskRunPlace): TaskRunAnswer {
  const { task, task_run: taskRuns, flow_run: flowRuns } = moment.state.tables;
  const found = taskRuns
    .by('flow_run_id', place.flowRunId)
    .find((run) => run.task_id === place.taskId && run.map_index === place.mapIndex);
  if (found !== undefined) return found;
  const owner = task.get(place.taskId);
  if (owner === null) throw new ServiceError('Invalid task ID');
  if (flowRuns.get(place.flowRunId) === null) throw new ServiceError('Foreign key violation.');
  return { ...insertTaskRun(moment, owner, place), version: 0 };
}

export interface NewLog {
  readonly flowRunId: string;
  readonly taskRunId: string | null;
  readonly timestamp: Micros | null;
  readonly name: string | null;
  readonly level: string | null;
  readonly message: string | null;
  readonly info: JsonValue;
}

/** Stores the logs in one insert: one entry of an unknown run, and nothing is stored. Throws ServiceError. */
export function writeLogs(moment: Moment, logs: readonly NewLog[]): void {
  const { flow_run: flowRuns, task_run: taskRuns } = moment.state.tables;
  const known = logs.every(
    ({ flowRunId, taskRunId }) =>
      flowRuns.get(flowRunId) !== null && (taskRunId === null || taskRuns.get(taskRunId) !== null),
  );
  if (!known) throw new ServiceError('Foreign key violation.');
  for (const log of logs) {
    insertRow(moment, 'log', {
      tenant_id: flowRuns.get(log.flowRunId)?.tenant_id ?? null,
      flow_run_id: log.flowRunId,
      task_run_id: log.taskRunId,
      timestamp: log.timestamp ?? microsOf(moment.now),
      name: log.name,
      level: log.level ?? 'INFO',
      message: log.message,
      info: log.info,
    });
  }
}

/** Moves the heartbeat of a run that exists; the service answers success for any id. */
export function beat(moment: Moment, run: RowOf<'flow_run'> | RowOf<'task_run'> | null): void {
  if (run !== null) updateRow<RowOf<'flow_run'> | RowOf<'task_run'>>(moment, run, { heartbeat: microsOf(moment.now) });
}
