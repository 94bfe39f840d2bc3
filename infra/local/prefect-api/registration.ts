import { gunzipSync } from 'node:zlib';

import type { RowOf } from './catalogue.ts';
import { ServiceError } from './errors.ts';
import { deleteFlowRun } from './flow-runs.ts';
import { isRecord, type JsonRecord, type JsonValue } from './jsonb.ts';
import { insertRow, updateRow, type Moment } from './rows.ts';
import { setFlowRunStateOf } from './transitions.ts';

export interface NewFlow {
  readonly projectId: string;
  readonly serializedFlow: JsonValue;
  readonly versionGroupId?: string | null;
  readonly description?: string | null;
  readonly idempotencyKey?: string | null;
  readonly setScheduleActive?: boolean | null;
}

const listIn = (value: JsonValue | undefined): readonly JsonRecord[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
const textIn = (value: JsonValue | undefined): string | null => (typeof value === 'string' ? value : null);

/** Core writes another task as a dictionary with its slug, or as the slug itself. */
const slugOf = (value: JsonValue | undefined): string | null => textIn(isRecord(value) ? value['slug'] : value);

/** Decodes what `prefect.client.Client.register` sends: base64 of gzip of JSON. Throws ServiceError. */
export function decompressFlow(compressed: string): JsonValue {
  try {
    return JSON.parse(gunzipSync(Buffer.from(compressed, 'base64')).toString()) as JsonValue;
  } catch {
    throw new ServiceError('Unable to decompress the serialized flow.');
  }
}

const groupSettings = { heartbeat_enabled: true, lazarus_enabled: true, version_locking_enabled: false };

function groupFor(moment: Moment, tenantId: string, flow: NewFlow & { group: string }): RowOf<'flow_group'> {
  const found = moment.state.tables.flow_group.by('name', flow.group).find((group) => group.tenant_id === tenantId);
  const idempotencyKey = flow.idempotencyKey ?? null;
  if (found !== undefined) return found;
  return insertRow(moment, 'flow_group', {
    tenant_id: tenantId,
    name: flow.group,
    settings: { ...groupSettings, idempotency_key: idempotencyKey },
  });
}

/** Archives a flow: its auto-scheduled runs vanish, its other scheduled runs are cancelled. */
export function archiveFlow(moment: Moment, flow: RowOf<'flow'>): void {
  updateRow(moment, flow, { archived: true });
  const scheduled = moment.state.tables.flow_run.by('flow_id', flow.id).filter((run) => run.state === 'Scheduled');
  for (const run of scheduled) {
    if (run.auto_scheduled) deleteFlowRun(moment, run.id);
    else setFlowRunStateOf(moment, run.id, { type: 'Cancelled', message: `Flow ${flow.id} was archived.` });
  }
}

interface Placement {
  readonly project: RowOf<'project'>;
  readonly group: RowOf<'flow_group'>;
  readonly versions: readonly RowOf<'flow'>[];
}

function serializedColumns(serialized: JsonRecord): Partial<RowOf<'flow'>> {
  const orNull = (key: string): JsonValue => serialized[key] ?? null;
  return {
    name: textIn(serialized['name']) ?? 'unnamed',
    core_version: textIn(serialized['__version__']),
    environment: orNull('environment'),
    run_config: orNull('run_config'),
    storage: orNull('storage'),
    parameters: serialized['parameters'] ?? [],
    schedule: orNull('schedule'),
    serialized_flow: serialized,
  };
}

function insertFlow(moment: Moment, wanted: NewFlow, { project, group, versions }: Placement): RowOf<'flow'> {
  const serialized = isRecord(wanted.serializedFlow) ? wanted.serializedFlow : {};
  const flow = insertRow(moment, 'flow', {
    ...serializedColumns(serialized),
    tenant_id: project.tenant_id,
    project_id: project.id,
    flow_group_id: group.id,
    description: wanted.description ?? null,
    version: Math.max(0, ...versions.map((flow) => flow.version ?? 0)) + 1,
    version_group_id: group.name,
    settings: group.settings,
  });
  registerTasks(moment, flow.id, serialized['tasks']);
  registerEdges(moment, flow.id, serialized['edges']);
  return flow;
}

/** Same key as the group's last registration: the newest flow that is not archived is returned instead of a new one. */
function earlierFlow({ versions, group }: Placement, key: string | null): RowOf<'flow'> | undefined {
  const last = isRecord(group.settings) ? group.settings['idempotency_key'] : null;
  if (key === null || last !== key) return undefined;
  return versions.findLast((flow) => !flow.archived);
}

/** Without a version group, flows are grouped by project and name, as the GraphQL layer of the service does. */
function placeFlow(moment: Moment, wanted: NewFlow): Placement {
  const { tables } = moment.state;
  const project = tables.project.get(wanted.projectId);
  if (project === null) throw new ServiceError('Invalid project.');
  const name = isRecord(wanted.serializedFlow) ? wanted.serializedFlow['name'] : null;
  const sibling = tables.flow.by('project_id', project.id).find((flow) => flow.name === name);
  const groupName = wanted.versionGroupId ?? sibling?.version_group_id ?? moment.state.nextId();
  const group = groupFor(moment, project.tenant_id, { ...wanted, group: groupName });
  return { project, group, versions: tables.flow.by('flow_group_id', group.id) };
}

/**
 * Registers a flow and returns its id; older versions of its group are archived (PrefectHQ/server
 * src/prefect_server/api/flows.py create_flow). Throws ServiceError.
 */
export function createFlow(moment: Moment, wanted: NewFlow): string {
  const place = placeFlow(moment, wanted);
  const key = wanted.idempotencyKey ?? null;
  const earlier = earlierFlow(place, key);
  if (earlier !== undefined) return earlier.id;
  const { group, versions } = place;
  if (isRecord(group.settings)) updateRow(moment, group, { settings: { ...group.settings, idempotency_key: key } });
  for (const flow of versions.filter((version) => !version.archived)) archiveFlow(moment, flow);
  return insertFlow(moment, wanted, place).id;
}

function findFlow({ state }: Moment, flowId: string): RowOf<'flow'> {
  const flow = state.tables.flow.get(flowId);
  if (flow === null) throw new ServiceError('Invalid flow.');
  return flow;
}

/** Core writes a retry delay as seconds; the column is an interval. */
function intervalOf(seconds: JsonValue | undefined): string {
  const total = typeof seconds === 'number' ? Math.round(seconds) : 0;
  const two = (part: number) => String(part).padStart(2, '0');
  return `${two(Math.floor(total / 3600))}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
}

const count = (value: JsonValue | undefined): number => (typeof value === 'number' ? value : 0);

/** Adds tasks to a flow; a task that it has already (same slug) is left alone. Throws ServiceError. */
export function registerTasks(moment: Moment, flowId: string, serializedTasks: JsonValue | undefined): void {
  const flow = findFlow(moment, flowId);
  const known = new Set(moment.state.tables.task.by('flow_id', flowId).map((task) => task.slug));
  for (const task of listIn(serializedTasks)) {
    const slug = textIn(task['slug']);
    if (known.has(slug)) continue;
    const trigger = task['trigger'];
    insertRow(moment, 'task', {
      tenant_id: flow.tenant_id,
      flow_id: flow.id,
      slug,
      name: textIn(task['name']),
      type: textIn(task['type']),
      max_retries: count(task['max_retries']),
      retry_delay: intervalOf(task['retry_delay']),
      trigger: textIn(isRecord(trigger) ? trigger['fn'] : trigger),
      tags: task['tags'] ?? [],
      mapped: task['mapped'] === true,
      auto_generated: task['auto_generated'] === true,
      cache_key: textIn(task['cache_key']),
      is_root_task: task['is_root_task'] === true,
      is_terminal_task: task['is_terminal_task'] === true,
      is_reference_task: task['is_reference_task'] === true,
    });
  }
}

/** Adds edges between tasks that the flow has. Throws ServiceError. */
export function registerEdges(moment: Moment, flowId: string, serializedEdges: JsonValue | undefined): void {
  const flow = findFlow(moment, flowId);
  const tasks = new Map(moment.state.tables.task.by('flow_id', flowId).map((task) => [task.slug, task.id]));
  for (const edge of listIn(serializedEdges)) {
    const upstream = tasks.get(slugOf(edge['upstream_task']));
    const downstream = tasks.get(slugOf(edge['downstream_task']));
    if (upstream === undefined || downstream === undefined) throw new ServiceError('Foreign key violation.');
    insertRow(moment, 'edge', {
      tenant_id: flow.tenant_id,
      flow_id: flow.id,
      upstream_task_id: upstream,
      downstream_task_id: downstream,
      key: textIn(edge['key']),
      mapped: edge['mapped'] === true,
    });
  }
}

/** Turns a flow's schedule on or off. False: there is no such flow. Runs are not scheduled ahead here. */
export function setScheduleActive(moment: Moment, flowId: string, active: boolean): boolean {
  const flow = moment.state.tables.flow.get(flowId);
  if (flow !== null) updateRow(moment, flow, { is_schedule_active: active });
  return flow !== null;
}

export function createTenant(moment: Moment, name: string, slug: string): string {
  const taken = moment.state.tables.tenant.by('slug', slug).length > 0;
  if (taken) throw new ServiceError('Uniqueness violation.');
  return insertRow(moment, 'tenant', { name, slug }).id;
}

export function createProject(
  moment: Moment,
  wanted: { readonly tenantId: string; readonly name: string; readonly description: string | null },
): string {
  const { project, tenant } = moment.state.tables;
  if (tenant.get(wanted.tenantId) === null) throw new ServiceError('Foreign key violation.');
  const taken = project.by('tenant_id', wanted.tenantId).some(({ name }) => name === wanted.name);
  if (taken) throw new ServiceError('Uniqueness violation.');
  const values = { tenant_id: wanted.tenantId, name: wanted.name, description: wanted.description };
  return insertRow(moment, 'project', values).id;
}
