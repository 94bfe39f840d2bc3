import type { JsonValue } from './jsonb.ts';
import type { Micros } from './timestamps.ts';

/** Types of the columns, by the names Hasura gives them. */
export type ColumnType = 'uuid' | 'String' | 'Int' | 'Boolean' | 'jsonb' | 'timestamptz' | 'interval';

interface Relationship {
  readonly table: TableName;
  /** Column of this table. */
  readonly from: string;
  /** Column of the other table. */
  readonly to: string;
}

export interface TableShape {
  /** A trailing `!` marks a column that is never null. */
  readonly columns: Readonly<Record<string, ColumnType | `${ColumnType}!`>>;
  readonly objects: Readonly<Record<string, Relationship>>;
  readonly arrays: Readonly<Record<string, Relationship>>;
}

export const tableNames = [
  'tenant',
  'project',
  'flow_group',
  'flow',
  'task',
  'edge',
  'flow_run',
  'flow_run_state',
  'task_run',
  'task_run_state',
  'log',
  'agent',
  'agent_config',
] as const;

export type TableName = (typeof tableNames)[number];

const base = { id: 'uuid!', created: 'timestamptz!', updated: 'timestamptz!' } as const;
const stateColumns = {
  version: 'Int',
  state: 'String',
  serialized_state: 'jsonb',
  state_timestamp: 'timestamptz',
  state_message: 'String',
  state_result: 'jsonb',
  state_start_time: 'timestamptz',
  heartbeat: 'timestamptz',
  start_time: 'timestamptz',
  end_time: 'timestamptz',
  name: 'String',
} as const;
const historyColumns = {
  ...base,
  tenant_id: 'uuid!',
  version: 'Int',
  state: 'String!',
  timestamp: 'timestamptz!',
  message: 'String',
  result: 'jsonb',
  start_time: 'timestamptz',
  serialized_state: 'jsonb!',
} as const;

const one = (table: TableName, from: string): Relationship => ({ table, from, to: 'id' });
const many = (table: TableName, to: string): Relationship => ({ table, from: 'id', to });

/**
 * Tables, columns and relationships that Hasura publishes (PrefectHQ/server src/prefect_server/database/models.py and
 * the Hasura metadata of release 2022.09), as far as Prefect 1.4.1 and an agent read them.
 */
const catalogue = {
  tenant: {
    columns: { ...base, name: 'String!', slug: 'String!', info: 'jsonb', settings: 'jsonb!' },
    objects: {},
    arrays: { projects: many('project', 'tenant_id'), flows: many('flow', 'tenant_id') },
  },
  project: {
    columns: { ...base, tenant_id: 'uuid!', name: 'String!', description: 'String' },
    objects: { tenant: one('tenant', 'tenant_id') },
    arrays: { flows: many('flow', 'project_id') },
  },
  flow_group: {
    columns: {
      ...base,
      tenant_id: 'uuid',
      name: 'String',
      description: 'String',
      settings: 'jsonb!',
      default_parameters: 'jsonb!',
      schedule: 'jsonb',
      labels: 'jsonb',
      run_config: 'jsonb',
    },
    objects: { tenant: one('tenant', 'tenant_id') },
    arrays: { flows: many('flow', 'flow_group_id') },
  },
  flow: {
    columns: {
      ...base,
      tenant_id: 'uuid!',
      project_id: 'uuid',
      flow_group_id: 'uuid!',
      name: 'String!',
      description: 'String',
      version: 'Int',
      version_group_id: 'String',
      core_version: 'String',
      archived: 'Boolean!',
      environment: 'jsonb',
      run_config: 'jsonb',
      storage: 'jsonb',
      parameters: 'jsonb',
      schedule: 'jsonb',
      is_schedule_active: 'Boolean!',
      serialized_flow: 'jsonb',
      settings: 'jsonb!',
    },
    objects: {
      tenant: one('tenant', 'tenant_id'),
      project: one('project', 'project_id'),
      flow_group: one('flow_group', 'flow_group_id'),
    },
    arrays: { flow_runs: many('flow_run', 'flow_id'), tasks: many('task', 'flow_id'), edges: many('edge', 'flow_id') },
  },
  task: {
    columns: {
      ...base,
      tenant_id: 'uuid!',
      flow_id: 'uuid!',
      name: 'String',
      slug: 'String',
      description: 'String',
      type: 'String',
      max_retries: 'Int',
      retry_delay: 'interval',
      trigger: 'String',
      tags: 'jsonb!',
      mapped: 'Boolean!',
      auto_generated: 'Boolean!',
      cache_key: 'String',
      is_root_task: 'Boolean!',
      is_terminal_task: 'Boolean!',
      is_reference_task: 'Boolean!',
    },
    objects: { flow: one('flow', 'flow_id') },
    arrays: { task_runs: many('task_run', 'task_id') },
  },
  edge: {
    columns: {
      ...base,
      tenant_id: 'uuid!',
      flow_id: 'uuid!',
      upstream_task_id: 'uuid!',
      downstream_task_id: 'uuid!',
      key: 'String',
      mapped: 'Boolean!',
    },
    objects: {
      flow: one('flow', 'flow_id'),
      upstream_task: one('task', 'upstream_task_id'),
      downstream_task: one('task', 'downstream_task_id'),
    },
    arrays: {},
  },
  flow_run: {
    columns: {
      ...base,
      ...stateColumns,
      tenant_id: 'uuid!',
      flow_id: 'uuid!',
      labels: 'jsonb!',
      parameters: 'jsonb',
      context: 'jsonb',
      run_config: 'jsonb',
      scheduled_start_time: 'timestamptz',
      auto_scheduled: 'Boolean!',
      times_resurrected: 'Int',
      idempotency_key: 'String',
      agent_id: 'uuid',
    },
    objects: {
      tenant: one('tenant', 'tenant_id'),
      flow: one('flow', 'flow_id'),
      agent: one('agent', 'agent_id'),
    },
    arrays: {
      task_runs: many('task_run', 'flow_run_id'),
      states: many('flow_run_state', 'flow_run_id'),
      logs: many('log', 'flow_run_id'),
    },
  },
  flow_run_state: {
    columns: { ...historyColumns, flow_run_id: 'uuid!' },
    objects: { flow_run: one('flow_run', 'flow_run_id') },
    arrays: {},
  },
  task_run: {
    columns: {
      ...base,
      ...stateColumns,
      tenant_id: 'uuid!',
      flow_run_id: 'uuid!',
      task_id: 'uuid!',
      map_index: 'Int!',
      cache_key: 'String',
    },
    objects: {
      tenant: one('tenant', 'tenant_id'),
      flow_run: one('flow_run', 'flow_run_id'),
      task: one('task', 'task_id'),
    },
    arrays: { states: many('task_run_state', 'task_run_id'), logs: many('log', 'task_run_id') },
  },
  task_run_state: {
    columns: { ...historyColumns, task_run_id: 'uuid!' },
    objects: { task_run: one('task_run', 'task_run_id') },
    arrays: {},
  },
  log: {
    columns: {
      ...base,
      tenant_id: 'uuid',
      flow_run_id: 'uuid',
      task_run_id: 'uuid',
      timestamp: 'timestamptz!',
      name: 'String',
      level: 'String',
      message: 'String',
      info: 'jsonb',
    },
    objects: { flow_run: one('flow_run', 'flow_run_id'), task_run: one('task_run', 'task_run_id') },
    arrays: {},
  },
  agent: {
    columns: {
      id: 'uuid!',
      created: 'timestamptz!',
      tenant_id: 'uuid!',
      agent_config_id: 'uuid',
      name: 'String',
      type: 'String',
      core_version: 'String',
      labels: 'jsonb!',
      last_queried: 'timestamptz',
    },
    objects: { tenant: one('tenant', 'tenant_id'), agent_config: one('agent_config', 'agent_config_id') },
    arrays: { flow_runs: many('flow_run', 'agent_id') },
  },
  agent_config: {
    columns: { ...base, tenant_id: 'uuid!', name: 'String', settings: 'jsonb!' },
    objects: { tenant: one('tenant', 'tenant_id') },
    arrays: { agents: many('agent', 'agent_config_id') },
  },
} as const satisfies Readonly<Record<TableName, TableShape>>;

/** The same, for code that does not know which table it handles. */
export const shapes: Readonly<Record<TableName, TableShape>> = catalogue;

/** Type of a column without its mark; null: the table has no such column. */
export function columnType(table: TableName, column: string): ColumnType | null {
  const declared = shapes[table].columns[column];
  return declared === undefined ? null : (declared.replace('!', '') as ColumnType);
}

interface CellTypes {
  uuid: string;
  String: string;
  interval: string;
  Int: number;
  Boolean: boolean;
  jsonb: JsonValue;
  timestamptz: Micros;
}

type CellOf<Declared> = Declared extends `${infer Type extends ColumnType}!`
  ? CellTypes[Type]
  : Declared extends ColumnType
    ? CellTypes[Declared] | null
    : never;

type Columns<Name extends TableName> = (typeof catalogue)[Name]['columns'];

/** A row of a table: every column present, null where it is empty. */
export type RowOf<Name extends TableName> = {
  -readonly [Column in keyof Columns<Name>]: CellOf<Columns<Name>[Column]>;
};

/** A row of some table. */
export type AnyRow = Readonly<Record<string, unknown>>;
