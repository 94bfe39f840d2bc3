import { buildSchema, type GraphQLSchema } from 'graphql-14';

import { shapes, tableNames, type ColumnType, type TableName } from './catalogue.ts';
import { serviceMutations, serviceQueries, serviceTypes } from './service-schema.ts';

const orders = 'asc asc_nulls_first asc_nulls_last desc desc_nulls_first desc_nulls_last';

const bare = (declared: string): string => declared.replace('!', '');

function comparison(type: ColumnType): string {
  const ordered = ['_eq', '_neq', '_gt', '_gte', '_lt', '_lte'].map((operator) => `${operator}: ${type}`);
  const lists = ['_in', '_nin'].map((operator) => `${operator}: [${type}!]`);
  const text = ['_like', '_nlike', '_ilike', '_nilike'].map((operator) => `${operator}: ${type}`);
  const json = ['_contains: jsonb', '_contained_in: jsonb', '_has_key: String'];
  const keys = ['_has_keys_any: [String!]', '_has_keys_all: [String!]'];
  const special = { String: text, jsonb: [...json, ...keys] }[type as string] ?? [];
  const operators = [...ordered, ...lists, ...special, '_is_null: Boolean'];
  return `input ${type}_comparison_exp { ${operators.join(' ')} }`;
}

const columnTypes: readonly ColumnType[] = ['uuid', 'String', 'Int', 'Boolean', 'jsonb', 'timestamptz', 'interval'];

const selection = (name: TableName): string =>
  `(where: ${name}_bool_exp, order_by: [${name}_order_by!], limit: Int, offset: Int, ` +
  `distinct_on: [${name}_select_column!])`;

function objectType(name: TableName): string {
  const { columns, objects, arrays } = shapes[name];
  const fields = [
    ...Object.entries(columns).map(([column, declared]) => `${column}: ${declared}`),
    ...Object.entries(objects).map(([field, { table }]) => `${field}: ${table}`),
    ...Object.entries(arrays).flatMap(([field, { table }]) => [
      `${field}${selection(table)}: [${table}!]!`,
      `${field}_aggregate${selection(table)}: ${table}_aggregate!`,
    ]),
  ];
  return `type ${name} { ${fields.join(' ')} }`;
}

function inputTypes(name: TableName): string {
  const { columns, objects, arrays } = shapes[name];
  const columnNames = Object.keys(columns);
  const logic = ['_and', '_or'].map((operator) => `${operator}: [${name}_bool_exp]`);
  const conditions = [
    ...logic,
    `_not: ${name}_bool_exp`,
    ...Object.entries(columns).map(([column, declared]) => `${column}: ${bare(declared)}_comparison_exp`),
    ...Object.entries({ ...objects, ...arrays }).map(([field, { table }]) => `${field}: ${table}_bool_exp`),
  ];
  const ordering = [
    ...columnNames.map((column) => `${column}: order_by`),
    ...Object.entries(objects).map(([field, { table }]) => `${field}: ${table}_order_by`),
  ];
  const values = Object.entries(columns).map(([column, declared]) => `${column}: ${bare(declared)}`);
  return `
    input ${name}_bool_exp { ${conditions.join(' ')} }
    input ${name}_order_by { ${ordering.join(' ')} }
    input ${name}_set_input { ${values.join(' ')} }
    enum ${name}_select_column { ${columnNames.join(' ')} }
    type ${name}_aggregate { aggregate: ${name}_aggregate_fields nodes: [${name}!]! }
    type ${name}_aggregate_fields { count(columns: [${name}_select_column!], distinct: Boolean): Int }
    type ${name}_mutation_response { affected_rows: Int! returning: [${name}!]! }`;
}

const rootFields = (name: TableName): string => `
  ${name}${selection(name)}: [${name}!]!
  ${name}_by_pk(id: uuid!): ${name}
  ${name}_aggregate${selection(name)}: ${name}_aggregate!`;

/** A mutation of the service with the same name wins over Hasura's, as in the gateway's stitching. */
const mutationFields = (name: TableName): string =>
  [
    `update_${name}(where: ${name}_bool_exp!, _set: ${name}_set_input): ${name}_mutation_response`,
    `insert_${name}(objects: [${name}_set_input!]!): ${name}_mutation_response`,
    `delete_${name}(where: ${name}_bool_exp!): ${name}_mutation_response`,
  ]
    .filter((field) => !serviceMutations.includes(` ${field.slice(0, field.indexOf('('))}(`))
    .join('\n');

function hasuraSchema(): string {
  return [
    'scalar uuid scalar timestamptz scalar jsonb scalar interval',
    `enum order_by { ${orders} }`,
    ...columnTypes.map(comparison),
    ...tableNames.map(objectType),
    ...tableNames.map(inputTypes),
    `type Query { ${tableNames.map(rootFields).join('\n')} ${serviceQueries} }`,
    `type Mutation { ${tableNames.map(mutationFields).join('\n')} ${serviceMutations} }`,
  ].join('\n');
}

/**
 * The stitched schema of the gateway: Hasura's generic fields and the service's own. Scalars pass through unread, as they
 * do in the gateway; what they hold is checked behind it.
 */
export const schema: GraphQLSchema = buildSchema(hasuraSchema() + serviceTypes);
