import { markQueried, registerAgent } from './agents.ts';
import type { RowOf } from './catalogue.ts';
import { beat, createFlowRun, writeLogs } from './flow-runs.ts';
import { isRecord, toJsonb, type JsonRecord, type JsonValue } from './jsonb.ts';
import { createFlow, createProject, createTenant } from './registration.ts';
import { updateRow, type Moment } from './rows.ts';
import type { PrefectState } from './state.ts';
import { formatIso, microsOf, type Micros } from './timestamps.ts';
import { applyFlowRunState, cancelFlowRunOf, prepareFlowRunState, setTaskRunStateOf } from './transitions.ts';

/** When things were seeded that nobody gave a time. */
const longAgo = new Date(0);

/** Creates a tenant and returns its id. A client without a tenant of its own takes the first. */
export function seedTenant(
  state: PrefectState,
  tenant: { readonly name?: string; readonly slug?: string } = {},
  now: Date = longAgo,
): string {
  const name = tenant.name ?? 'default';
  return createTenant({ state, now }, name, tenant.slug ?? name);
}

function someTenant(moment: Moment): string {
  const [first] = moment.state.tables.tenant.all();
  return first?.id ?? seedTenant(moment.state, {}, moment.now);
}

export interface SeedProject {
  readonly name: string;
  readonly tenantId?: string;
}

/** Id of the project of this name; created where it does not exist. */
export function seedProject(state: PrefectState, project: SeedProject, now: Date = longAgo): string {
  const tenantId = project.tenantId ?? someTenant({ state, now });
  const found = state.tables.project.by('tenant_id', tenantId).find(({ name }) => name === project.name);
  return found?.id ?? createProject({ state, now }, { tenantId, name: project.name, description: null });
}

export interface SeedTask {
  readonly slug: string;
  readonly maxRetries?: number;
  readonly retryDelaySeconds?: number;
}

export interface SeedFlow {
  readonly name?: string;
  readonly tenantId?: string;
  readonly projectName?: string;
  /** Version of Prefect that registered the flow; null for none. */
  readonly coreVersion?: string | null;
  readonly storage?: JsonValue;
  readonly runConfig?: JsonValue;
  readonly environment?: JsonValue;
  readonly parameters?: JsonValue;
  readonly tasks?: readonly SeedTask[];
  /** Merged into the settings of the flow group, as `{ lazarus_enabled: false }`. */
  readonly settings?: JsonRecord;
  readonly flowGroupLabels?: readonly string[];
}

const moduleStorage: JsonRecord = { type: 'Module', module: 'flows', flows: {}, secrets: [], __version__: '1.4.1' };

const serializedTask = ({ slug, maxRetries = 0, retryDelaySeconds = 0 }: SeedTask): JsonRecord => ({
  slug,
  name: slug,
  type: 'prefect.tasks.core.function.FunctionTask',
  max_retries: maxRetries,
  retry_delay: retryDelaySeconds,
});

function serializedFlow(flow: SeedFlow): JsonRecord {
  return {
    name: flow.name ?? 'seeded-flow',
    type: 'prefect.core.flow.Flow',
    storage: flow.storage ?? moduleStorage,
    run_config: flow.runConfig ?? null,
    environment: flow.environment ?? null,
    parameters: flow.parameters ?? [],
    tasks: (flow.tasks ?? []).map(serializedTask),
    schedule: null,
    __version__: flow.coreVersion === undefined ? '1.4.1' : flow.coreVersion,
  };
}

/** Gives the group of a flow what registration cannot: settings and labels. The flow shows its group's settings. */
function configureGroup(moment: Moment, flow: RowOf<'flow'>, wanted: SeedFlow): void {
  const group = moment.state.tables.flow_group.get(flow.flow_group_id);
  if (group === null) return;
  const before = isRecord(group.settings) ? group.settings : {};
  const settings = toJsonb({ ...before, ...wanted.settings });
  updateRow(moment, group, { settings, labels: wanted.flowGroupLabels ?? null });
  updateRow(moment, flow, { settings });
}

/** Registers a flow, in the tenant and project named or the first ones, and returns its id. */
export function seedFlow(state: PrefectState, flow: SeedFlow = {}, now: Date = longAgo): string {
  const moment = { state, now };
  const tenantId = flow.tenantId ?? someTenant(moment);
  const projectId = seedProject(state, { name: flow.projectName ?? 'seeded', tenantId }, now);
  const id = createFlow(moment, { projectId, serializedFlow: toJsonb(serializedFlow(flow)) });
  const row = state.tables.flow.get(id);
  if (row !== null) configureGroup(moment, row, flow);
  return id;
}

export interface SeedFlowRun {
  /** The first flow there is without; one is seeded where there is none. */
  readonly flowId?: string;
  readonly name?: string;
  readonly labels?: readonly string[];
  readonly runConfig?: JsonValue;
  readonly parameters?: JsonValue;
  readonly context?: JsonValue;
  /** Default: now. */
  readonly startTime?: Date;
  readonly idempotencyKey?: string;
  /** Created by the scheduler, not by a person. */
  readonly autoScheduled?: boolean;
}

/** Schedules a flow run as `create_flow_run` does and returns its id: version 1, Scheduled. Throws ServiceError. */
export function seedFlowRun(state: PrefectState, run: SeedFlowRun, now: Date): string {
  const moment = { state, now };
  const { flowId, startTime, autoScheduled, ...wanted } = run;
  const [first] = state.tables.flow.all();
  const id = createFlowRun(moment, {
    ...wanted,
    flowId: flowId ?? first?.id ?? seedFlow(state, {}, now),
    startTime: startTime === undefined ? null : microsOf(startTime),
  });
  const row = state.tables.flow_run.get(id);
  if (row !== null && autoScheduled === true) updateRow(moment, row, { auto_scheduled: true });
  return id;
}

export interface SeedFlowRunState {
  readonly runId: string;
  readonly state: JsonValue;
  /** Of the agent that sets it, whose run it is from a Submitted on. Default: nobody that the server knows. */
  readonly agentId?: string;
}

/** Sets the state of a flow run the way the service does: lock, cascade, heartbeat. Throws ServiceError. */
export function setFlowRunState(state: PrefectState, write: SeedFlowRunState, now: Date): void {
  const moment = { state, now };
  const { runId, agentId = null } = write;
  applyFlowRunState(moment, prepareFlowRunState(moment, runId, write.state), () => agentId);
}

/** Sets the state of a task run the way the service does. Throws ServiceError. */
export function setTaskRunState(
  state: PrefectState,
  write: { readonly taskRunId: string; readonly state: JsonValue },
  now: Date,
): void {
  setTaskRunStateOf({ state, now }, write.taskRunId, write.state);
}

/** What a user's click on Cancel does; returns the name of the state afterwards. Throws ServiceError. */
export function cancelFlowRun(state: PrefectState, runId: string, now: Date): string {
  return cancelFlowRunOf({ state, now }, runId);
}

/** What the flow process does every 30 s. */
export function heartbeatFlowRun(state: PrefectState, runId: string, now: Date): void {
  beat({ state, now }, state.tables.flow_run.get(runId));
}

export interface SeedLog {
  readonly runId: string;
  readonly message: string;
  readonly level?: string;
  readonly name?: string;
  readonly timestamp?: Date;
}

/** Writes one run log. Throws ServiceError when there is no such run. */
export function writeRunLog(state: PrefectState, log: SeedLog, now: Date): void {
  const entry = {
    flowRunId: log.runId,
    taskRunId: null,
    timestamp: microsOf(log.timestamp ?? now),
    name: log.name ?? 'prefect.CloudFlowRunner',
    level: log.level ?? 'INFO',
    message: log.message,
    info: null,
  };
  writeLogs({ state, now }, [entry]);
}

/** Registers an agent, or finds it again, and marks it as having asked for work now. Returns its id. */
export function seedAgent(
  state: PrefectState,
  agent: { readonly name: string; readonly labels?: readonly string[]; readonly type?: string },
  now: Date,
): string {
  const moment = { state, now };
  const id = registerAgent(moment, {
    tenantId: someTenant(moment),
    labels: agent.labels ?? [],
    agentConfigId: null,
    type: agent.type ?? 'KubernetesAgent',
    name: agent.name,
    coreVersion: '1.4.1',
  });
  markQueried(moment, id);
  return id;
}

/** Moves the start time that a task run waits for, in its state, its column and its history, to `startTime`. */
export function moveTaskRunStart(state: PrefectState, taskRunId: string, startTime: Date): void {
  const run = state.tables.task_run.get(taskRunId);
  if (run === null || !isRecord(run.serialized_state)) throw new RangeError(`no task run ${taskRunId}`);
  const at: Micros = microsOf(startTime);
  const serialized = toJsonb({ ...run.serialized_state, start_time: formatIso(at) });
  run.state_start_time = at;
  run.serialized_state = serialized;
  const latest = state.tables.task_run_state.by('task_run_id', taskRunId).at(-1);
  if (latest !== undefined) Object.assign(latest, { start_time: at, serialized_state: serialized });
}
