import { markQueried, registerAgent } from './agents.ts';
import { ServiceError } from './errors.ts';
import { beat, createFlowRun, deleteFlowRun, getOrCreateTaskRun, writeLogs, type TaskRunPlace } from './flow-runs.ts';
import { readUuid } from './hasura.ts';
import { isRecord, toJsonb, type JsonRecord, type JsonValue } from './jsonb.ts';
import { dueRuns } from './queue.ts';
import {
  archiveFlow,
  createFlow,
  createProject,
  createTenant,
  decompressFlow,
  registerEdges,
  registerTasks,
  setScheduleActive,
} from './registration.ts';
import { insertRow, updateRow, type Moment } from './rows.ts';
import { parseTimestamp, type Micros } from './timestamps.ts';
import { applyFlowRunState, cancelFlowRunOf, prepareFlowRunState, setTaskRunStateOf } from './transitions.ts';

/** Where, when and for whom a mutation is carried out. */
export interface Call extends Moment {
  /** Lower-case names; only those that begin with `x-prefect` reach the service. */
  readonly headers: Readonly<Record<string, string>>;
}

type Mutation = (call: Call, input: JsonRecord) => unknown;

const text = (input: JsonRecord, key: string): string | null => {
  const value = input[key];
  return typeof value === 'string' ? value : null;
};
const required = (input: JsonRecord, key: string): string => text(input, key) ?? '';
const texts = (value: JsonValue | undefined): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
const records = (value: JsonValue | undefined): JsonRecord[] => (Array.isArray(value) ? value.filter(isRecord) : []);
const instant = (input: JsonRecord, key: string): Micros | null =>
  parseTimestamp(text(input, key) ?? '')?.micros ?? null;
const jsonb = (input: JsonRecord, key: string): JsonValue => toJsonb(input[key] ?? null);

const succeeded = (success: boolean) => ({ success, error: null });

/** The agent's id of the request; anything but a UUID fails in the database. */
function agentId({ headers }: Call): string | null {
  const id = headers['x-prefect-agent-id'];
  return id === undefined ? null : readHeaderUuid(id);
}

function readHeaderUuid(id: string): string {
  try {
    return readUuid(id);
  } catch {
    const problem = `invalid input syntax for type uuid: "${id}"`;
    throw new ServiceError(`[{'extensions': {'path': '$', 'code': 'data-exception'}, 'message': '${problem}'}]`);
  }
}

type Attempt<Value> = { readonly value: Value } | { readonly error: unknown };

function attempt<Value>(work: () => Value): Attempt<Value> {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

/** What `asyncio.gather` does: everything is carried out, and the first failure is all the caller hears of. */
function throwFirst(attempts: readonly Attempt<unknown>[]): void {
  const failed = attempts.find((result) => 'error' in result);
  if (failed !== undefined) throw failed.error;
}

const written = (id: string) => ({ id, status: 'SUCCESS', message: null });

/** All items are loaded before any is written: two of the same run get the same version. */
function setFlowRunStates(call: Call, input: JsonRecord) {
  const items = records(input['states']);
  const loaded = items.map((item) =>
    attempt(() => prepareFlowRunState(call, required(item, 'flow_run_id'), item['state'] ?? null)),
  );
  const applied = loaded.map((result) =>
    'error' in result ? result : attempt(() => applyFlowRunState(call, result.value, () => agentId(call))),
  );
  throwFirst(applied);
  return { states: items.map((item) => written(required(item, 'flow_run_id'))) };
}

function setTaskRunStates(call: Call, input: JsonRecord) {
  const items = records(input['states']);
  throwFirst(
    items.map((item) => attempt(() => setTaskRunStateOf(call, required(item, 'task_run_id'), item['state'] ?? null))),
  );
  return { states: items.map((item) => written(required(item, 'task_run_id'))) };
}

const placeOf = (input: JsonRecord): TaskRunPlace => ({
  flowRunId: required(input, 'flow_run_id'),
  taskId: required(input, 'task_id'),
  mapIndex: typeof input['map_index'] === 'number' ? input['map_index'] : -1,
});

function newLog(log: JsonRecord) {
  return {
    flowRunId: required(log, 'flow_run_id'),
    taskRunId: text(log, 'task_run_id'),
    timestamp: instant(log, 'timestamp'),
    name: text(log, 'name'),
    level: text(log, 'level'),
    message: text(log, 'message'),
    info: jsonb(log, 'info'),
  };
}

function newFlow(input: JsonRecord, serializedFlow: JsonValue) {
  return {
    projectId: required(input, 'project_id'),
    serializedFlow: toJsonb(serializedFlow),
    versionGroupId: text(input, 'version_group_id'),
    description: text(input, 'description'),
    idempotencyKey: text(input, 'idempotency_key'),
  };
}

/** The schedule is turned on right away unless the caller says no, and only where there is one. */
function created(call: Call, input: JsonRecord, serializedFlow: JsonValue) {
  const id = createFlow(call, newFlow(input, serializedFlow));
  const flow = call.state.tables.flow.get(id);
  if (input['set_schedule_active'] !== false && flow?.schedule !== null) setScheduleActive(call, id, true);
  return { id };
}

function getRunsInQueue(call: Call, input: JsonRecord) {
  if (input['labels'] === null) {
    throw new ServiceError('Unable to complete operation. An internal API error occurred.');
  }
  const question = {
    tenantId: required(input, 'tenant_id'),
    before: instant(input, 'before'),
    labels: texts(input['labels']),
  };
  const ids = dueRuns(call, question);
  const agent = agentId(call);
  if (agent !== null) markQueried(call, agent);
  return { flow_run_ids: ids };
}

const runOf = ({ state }: Call, input: JsonRecord) => state.tables.flow_run.get(required(input, 'flow_run_id'));

const registration: Readonly<Record<string, Mutation>> = {
  create_tenant: (call, input) => ({ id: createTenant(call, required(input, 'name'), required(input, 'slug')) }),
  create_project: (call, input) => ({
    id: createProject(call, {
      tenantId: required(input, 'tenant_id'),
      name: required(input, 'name'),
      description: text(input, 'description'),
    }),
  }),
  create_flow: (call, input) => created(call, input, input['serialized_flow'] ?? null),
  create_flow_from_compressed_string: (call, input) =>
    created(call, input, decompressFlow(required(input, 'serialized_flow'))),
  archive_flow: (call, input) => {
    const flow = call.state.tables.flow.get(required(input, 'flow_id'));
    if (flow !== null) archiveFlow(call, flow);
    return succeeded(flow !== null);
  },
  register_tasks: (call, input) => {
    registerTasks(call, required(input, 'flow_id'), jsonb(input, 'serialized_tasks'));
    return succeeded(true);
  },
  register_edges: (call, input) => {
    registerEdges(call, required(input, 'flow_id'), jsonb(input, 'serialized_edges'));
    return succeeded(true);
  },
  set_schedule_active: (call, input) => succeeded(setScheduleActive(call, required(input, 'flow_id'), true)),
  set_schedule_inactive: (call, input) => succeeded(setScheduleActive(call, required(input, 'flow_id'), false)),
};

const runs: Readonly<Record<string, Mutation>> = {
  create_flow_run: (call, input) => ({
    id: createFlowRun(call, {
      flowId: text(input, 'flow_id'),
      versionGroupId: text(input, 'version_group_id'),
      parameters: input['parameters'] ?? null,
      context: input['context'] ?? null,
      labels: Array.isArray(input['labels']) ? texts(input['labels']) : null,
      runConfig: input['run_config'] ?? null,
      startTime: instant(input, 'scheduled_start_time'),
      idempotencyKey: text(input, 'idempotency_key'),
      name: text(input, 'flow_run_name'),
    }),
  }),
  delete_flow_run: (call, input) => succeeded(deleteFlowRun(call, required(input, 'flow_run_id'))),
  set_flow_run_name: (call, input) => {
    const run = runOf(call, input);
    if (run !== null) updateRow(call, run, { name: required(input, 'name') });
    return succeeded(run !== null);
  },
  set_flow_run_labels: (call, input) => {
    const run = runOf(call, input);
    if (run !== null) updateRow(call, run, { labels: texts(input['labels']).sort() });
    return succeeded(run !== null);
  },
  set_task_run_name: (call, input) => {
    const run = call.state.tables.task_run.get(required(input, 'task_run_id'));
    if (run !== null) updateRow(call, run, { name: required(input, 'name') });
    return succeeded(run !== null);
  },
  set_flow_run_states: setFlowRunStates,
  set_task_run_states: setTaskRunStates,
  cancel_flow_run: (call, input) => ({ state: cancelFlowRunOf(call, required(input, 'flow_run_id')) }),
  get_or_create_task_run: (call, input) => ({ id: getOrCreateTaskRun(call, placeOf(input)).id }),
  get_or_create_task_run_info: (call, input) => getOrCreateTaskRun(call, placeOf(input)),
  update_flow_run_heartbeat: (call, input) => {
    beat(call, runOf(call, input));
    return succeeded(true);
  },
  update_task_run_heartbeat: (call, input) => {
    beat(call, call.state.tables.task_run.get(required(input, 'task_run_id')));
    return succeeded(true);
  },
  write_run_logs: (call, input) => {
    writeLogs(call, records(input['logs']).map(newLog));
    return succeeded(true);
  },
};

const agents: Readonly<Record<string, Mutation>> = {
  get_runs_in_queue: getRunsInQueue,
  register_agent: (call, input) => ({
    id: registerAgent(call, {
      tenantId: text(input, 'tenant_id'),
      labels: texts(input['labels']),
      agentConfigId: text(input, 'agent_config_id'),
      type: required(input, 'type'),
      name: text(input, 'name'),
      coreVersion: call.headers['x-prefect-core-version'] ?? null,
    }),
  }),
  delete_agent: (call, input) => {
    const agent = call.state.tables.agent.get(required(input, 'agent_id'));
    if (agent !== null) call.state.tables.agent.delete(agent);
    return succeeded(agent !== null);
  },
  create_agent_config: (call, input) => {
    const settings = toJsonb(input['settings'] ?? {});
    return insertRow(call, 'agent_config', {
      tenant_id: required(input, 'tenant_id'),
      name: text(input, 'name'),
      settings,
    });
  },
  update_agent_config: (call, input) => {
    const config = call.state.tables.agent_config.get(required(input, 'agent_config_id'));
    const name = text(input, 'name');
    const settings = jsonb(input, 'settings');
    const changes = { ...(name === null ? {} : { name }), ...(settings === null ? {} : { settings }) };
    if (config !== null) updateRow(call, config, changes);
    return succeeded(config !== null);
  },
  delete_agent_config: (call, input) => {
    const config = call.state.tables.agent_config.get(required(input, 'agent_config_id'));
    if (config !== null) call.state.tables.agent_config.delete(config);
    return succeeded(config !== null);
  },
};

/** Every mutation of the service, by its name. Each throws ServiceError with the service's text. */
export const mutations: Readonly<Record<string, Mutation>> = { ...registration, ...runs, ...agents };
