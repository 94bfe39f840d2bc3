import type { GraphQLFieldResolver, GraphQLResolveInfo } from 'graphql-14';

import { columnType, shapes, tableNames, type AnyRow, type TableName } from './catalogue.ts';
import { follow, readUuid, select } from './hasura.ts';
import { readInput } from './inputs.ts';
import type { JsonRecord } from './jsonb.ts';
import { mutations, type Call } from './operations.ts';
import { runRawMutation, type Touched } from './raw-mutations.ts';
import { coreVersion } from './state-json.ts';
import { formatColumn } from './timestamps.ts';

/** The release whose answers were recorded. */
const api = {
  backend: 'SERVER',
  mode: 'normal',
  version: '2022.09.23+25.gcd87420',
  core_version: coreVersion,
  release_timestamp: null,
};

type Resolve = (call: Call, args: AnyRow, info: GraphQLResolveInfo) => unknown;

/** The argument as the service reads it; `input` for its mutations. */
function readArgument(info: GraphQLResolveInfo, name: string, value: unknown): JsonRecord {
  const field = info.parentType.getFields()[info.fieldName];
  const declared = field?.args.find((argument) => argument.name === name);
  const given = info.fieldNodes[0]?.arguments?.find((argument) => argument.name.value === name);
  if (declared === undefined) throw new TypeError(`${info.fieldName} has no argument ${name}`);
  return readInput(declared.type, value, given?.value ?? null);
}

const serviceQueries: Readonly<Record<string, Resolve>> = {
  hello: () => '👋',
  api: () => api,
  get_task_run_info: ({ state }, args, info) => {
    const id: unknown = readArgument(info, 'task_run_id', args['task_run_id']);
    return state.tables.task_run.get(String(id));
  },
};

const isTable = (name: string): name is TableName => (tableNames as readonly string[]).includes(name);

function queryTable({ state }: Call, args: AnyRow, field: string): unknown {
  if (isTable(field)) return select({ state, table: field }, state.tables[field].all(), args);
  const [, table = '', kind = ''] = /^(\w+)_(by_pk|aggregate)$/.exec(field) ?? [];
  if (!isTable(table)) throw new TypeError(`no resolver for ${field}`);
  if (kind === 'by_pk') return state.tables[table].get(readUuid(args['id']));
  return { table, rows: select({ state, table }, state.tables[table].all(), args) };
}

function resolveQuery(call: Call, args: AnyRow, info: GraphQLResolveInfo): unknown {
  const service = serviceQueries[info.fieldName];
  return service === undefined ? queryTable(call, args, info.fieldName) : service(call, args, info);
}

function resolveMutation(call: Call, args: AnyRow, info: GraphQLResolveInfo): unknown {
  const mutation = mutations[info.fieldName];
  if (mutation !== undefined) return mutation(call, readArgument(info, 'input', args['input']));
  const touched = runRawMutation(call, info.fieldName, args);
  if (touched === null) throw new TypeError(`no resolver for ${info.fieldName}`);
  return touched;
}

function resolveColumn(row: AnyRow, table: TableName, column: string): unknown {
  const cell = row[column];
  return columnType(table, column) === 'timestamptz' && typeof cell === 'number' ? formatColumn(cell) : cell;
}

interface Field {
  readonly table: TableName;
  readonly name: string;
}

/** A column or a relationship of one row. */
function resolveRow(row: AnyRow, args: AnyRow, { call, table, name }: Field & { readonly call: Call }): unknown {
  const scope = { state: call.state, table };
  if (shapes[table].objects[name] !== undefined) return follow(scope, name, row).rows[0] ?? null;
  const relationship = name.replace(/_aggregate$/, '');
  if (shapes[table].arrays[relationship] === undefined) return resolveColumn(row, table, name);
  const found = follow(scope, relationship, row);
  const rows = select({ state: call.state, table: found.table }, found.rows, args);
  return relationship === name ? rows : { table: found.table, rows };
}

const touchedFields: Readonly<Record<string, (touched: Touched) => unknown>> = {
  aggregate: (touched) => touched,
  count: ({ rows }) => rows.length,
  nodes: ({ rows }) => rows,
  affected_rows: ({ rows }) => rows.length,
  returning: ({ rows }) => rows,
};

function resolveValue(source: unknown, info: GraphQLResolveInfo): unknown {
  const ofRows = /_(aggregate|aggregate_fields|mutation_response)$/.test(info.parentType.name);
  if (ofRows) return touchedFields[info.fieldName]?.(source as Touched);
  return (source as AnyRow)[info.fieldName];
}

/** Resolves every field of the schema; the root value is nothing, the context is the call. */
export const resolveField: GraphQLFieldResolver<unknown, Call, AnyRow> = (...[source, args, call, info]) => {
  const parent = info.parentType.name;
  if (parent === 'Query') return resolveQuery(call, args, info);
  if (parent === 'Mutation') return resolveMutation(call, args, info);
  if (!isTable(parent)) return resolveValue(source, info);
  return resolveRow(source as AnyRow, args, { call, table: parent, name: info.fieldName });
};
