import {
  GraphQLInputObjectType,
  GraphQLList,
  GraphQLNonNull,
  print,
  type GraphQLInputType,
  type ValueNode,
} from 'graphql-14';

import { ServiceError } from './errors.ts';
import { isRecord, type JsonRecord, type JsonValue } from './jsonb.ts';
import { pythonRepr } from './python.ts';
import { hasTimeOfDay, parseTimestamp } from './timestamps.ts';

/** A value of an input, where it stands, and what was written there. */
interface Place {
  readonly value: unknown;
  /** The literal in the document; null below a variable. */
  readonly node: ValueNode | null;
  /** Name of the variable the value came from; null in a literal. */
  readonly variable: string | null;
  /** Path below the variable, as `input.states[0].state`. */
  readonly path: string;
}

const uuidPattern = /^(?:urn:uuid:)?\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?$/i;

/** What the service's parser says about a UUID; null: it is one. */
function uuidProblem(value: unknown): string | null {
  return uuidPattern.test(String(value)) ? null : `Could not parse UUID: ${String(value)}`;
}

function dateProblem(value: unknown): string | null {
  const text = String(value);
  const readable = typeof value === 'string' && parseTimestamp(text) !== null;
  return readable || hasTimeOfDay(text) ? null : `Unable to parse string [${text}]`;
}

/** Only a string literal that holds JSON can be read; an object literal has no such text. */
function jsonProblem({ node }: Place): string | null {
  if (node === null || node.kind === 'StringValue') return null;
  const kind = node.kind.replace('Value', 'ValueNode');
  return 'value' in node
    ? 'the JSON object must be str, bytes or bytearray'
    : `'${kind}' object has no attribute 'value'`;
}

function problemOf(typeName: string, place: Place): string | null {
  if (typeName === 'UUID') return uuidProblem(place.value);
  if (typeName === 'DateTime') return dateProblem(place.value);
  return typeName === 'JSON' ? jsonProblem(place) : null;
}

function refusal(type: GraphQLInputType, place: Place, problem: string): ServiceError {
  if (place.variable === null) {
    const written = place.node === null ? '' : print(place.node);
    return new ServiceError(`Expected type ${String(type)}, found ${written}; ${problem}`);
  }
  const bare = String(type).replace(/!$/, '');
  const at = place.path === place.variable ? '' : ` at '${place.path}'`;
  const shown = pythonRepr(place.value as JsonValue);
  return new ServiceError(
    `Variable '$${place.variable}' got invalid value ${shown}${at}; Expected type ${bare}. ${problem}`,
  );
}

function fieldNode(node: ValueNode | null, key: string): ValueNode | null {
  if (node?.kind !== 'ObjectValue') return null;
  return node.fields.find(({ name }) => name.value === key)?.value ?? null;
}

/** A single value where a list is expected is a list of one. */
function itemNode(node: ValueNode | null, index: number): ValueNode | null {
  return node?.kind === 'ListValue' ? (node.values[index] ?? null) : node;
}

function childOf(place: Place, key: string | number): Place {
  const node = typeof key === 'number' ? itemNode(place.node, key) : fieldNode(place.node, key);
  const value = (place.value as Readonly<Record<string | number, unknown>>)[key];
  if (node?.kind === 'Variable') return { value, node: null, variable: node.name.value, path: node.name.value };
  return { ...place, value, node, path: `${place.path}${typeof key === 'number' ? `[${key}]` : `.${key}`}` };
}

function readJsonText(place: Place): JsonValue {
  if (place.node?.kind !== 'StringValue') return place.value as JsonValue;
  try {
    return JSON.parse(place.node.value) as JsonValue;
  } catch {
    throw new ServiceError(
      `Expected type JSON!, found ${print(place.node)}; Expecting value: line 1 column 1 (char 0)`,
    );
  }
}

function readScalar(type: GraphQLInputType, place: Place): unknown {
  const name = String(type).replace(/!$/, '');
  const problem = problemOf(name, place);
  if (problem !== null) throw refusal(type, place, problem);
  if (name === 'JSON') return readJsonText(place);
  return name === 'UUID' ? String(place.value).toLowerCase() : place.value;
}

function read(type: GraphQLInputType, place: Place): unknown {
  const { value } = place;
  if (value === null || value === undefined) return value;
  const inner = type instanceof GraphQLNonNull ? (type.ofType as GraphQLInputType) : type;
  if (inner instanceof GraphQLList) {
    const item = inner.ofType as GraphQLInputType;
    return (value as unknown[]).map((_, index) => read(item, childOf(place, index)));
  }
  if (inner instanceof GraphQLInputObjectType && isRecord(value)) {
    const fields = inner.getFields();
    const entries = Object.keys(value).map((key) => {
      const field = fields[key];
      return [key, field === undefined ? value[key] : read(field.type, childOf(place, key))];
    });
    return Object.fromEntries(entries);
  }
  return readScalar(type, place);
}

/**
 * Checks an argument the way the service does with what the gateway passed on unread: UUID, DateTime and JSON. Throws
 * ServiceError in the words of its GraphQL library; a literal is worded otherwise than a variable.
 */
export function readInput(type: GraphQLInputType, value: unknown, node: ValueNode | null): JsonRecord {
  const isVariable = node?.kind === 'Variable';
  const variable = isVariable ? node.name.value : null;
  return read(type, { value, node: isVariable ? null : node, variable, path: variable ?? '' }) as JsonRecord;
}
