import {
  execute,
  getOperationAST,
  GraphQLError,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type ExecutionResult,
} from 'graphql-14';

import { depthLimit } from './depth-limit.ts';
import { QueryEngineError, ServiceError } from './errors.ts';
import type { Call } from './operations.ts';
import { resolveField } from './resolvers.ts';
import { schema } from './schema.ts';

/** One operation as it stands in a request, `variables` already read. */
export interface Operation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>> | null;
  readonly operationName: string | null;
}

export interface Outcome {
  /** What the gateway answers when the operation came alone; in an array the answer is always 200. */
  readonly status: 200 | 400 | 405;
  readonly body: unknown;
  /** Rounds of work behind the gateway, one after the other: root fields of a mutation, or one for a whole query. */
  readonly rounds: number;
}

interface Prepared {
  readonly document: DocumentNode | null;
  readonly errors: readonly object[];
}

const coded = ({ message, locations }: GraphQLError, code: string) => ({ message, locations, extensions: { code } });

function prepare(query: string): Prepared {
  try {
    const document = parse(query);
    const errors = validate(schema, document, [...specifiedRules, depthLimit]);
    return { document, errors: errors.map((error) => coded(error, 'GRAPHQL_VALIDATION_FAILED')) };
  } catch (error) {
    if (error instanceof GraphQLError) return { document: null, errors: [coded(error, 'GRAPHQL_PARSE_FAILED')] };
    throw error;
  }
}

const cacheLimit = 500;
const cache = new Map<string, Prepared>();

/** Parsed and validated documents by their text: what they are depends on nothing else. */
function prepared(query: string): Prepared {
  const known = cache.get(query);
  if (known !== undefined) return known;
  if (cache.size >= cacheLimit) cache.clear();
  const fresh = prepare(query);
  cache.set(query, fresh);
  return fresh;
}

/** An error as the gateway prints it with `debug: false`: a copy of the upstream error's fields in `exception`. */
function present(error: GraphQLError): object {
  const { message, locations, path, originalError } = error;
  const position = { message, locations, ...(path === undefined ? {} : { path }) };
  if (originalError === undefined || originalError === null)
    return { ...position, extensions: { code: 'INTERNAL_SERVER_ERROR' } };
  const upstream = originalError instanceof ServiceError || originalError instanceof QueryEngineError;
  if (!upstream) throw originalError;
  return { ...position, extensions: { ...originalError.extensions, exception: { message } } };
}

function answerOf({ errors, data }: ExecutionResult): object {
  const shown = errors === undefined || errors.length === 0 ? {} : { errors: errors.map(present) };
  return { ...shown, ...(data === undefined ? {} : { data }) };
}

function countRounds(document: DocumentNode, operationName: string | null): number {
  const operation = getOperationAST(document, operationName);
  const fields = operation?.selectionSet.selections.length ?? 0;
  return operation?.operation === 'mutation' ? fields : Math.min(1, fields);
}

function executeNow(call: Call, document: DocumentNode, operation: Operation): ExecutionResult {
  const result = execute({
    schema,
    document,
    contextValue: call,
    variableValues: operation.variables,
    operationName: operation.operationName,
    fieldResolver: resolveField,
  });
  if (result instanceof Promise) throw new TypeError('a resolver was asynchronous');
  return result;
}

/** True for a document whose chosen operation only reads, or that names no operation it has. */
function onlyReads(document: DocumentNode, { operationName }: Operation): boolean {
  const chosen = getOperationAST(document, operationName);
  return (chosen?.operation ?? 'query') === 'query';
}

/**
 * Carries out one operation on the state: mutations one root field after the other, errors per field, null where a
 * field failed. A failure that is no answer of the service or of Hasura is a bug here and is thrown.
 */
export function runOperation(call: Call, operation: Operation, queriesOnly = false): Outcome {
  const { document, errors } = prepared(operation.query);
  if (document === null || errors.length > 0) return { status: 400, body: { errors }, rounds: 0 };
  if (queriesOnly && !onlyReads(document, operation)) return { status: 405, body: null, rounds: 0 };
  const result = executeNow(call, document, operation);
  const rounds = countRounds(document, operation.operationName);
  return { status: result.data === undefined ? 400 : 200, body: answerOf(result), rounds };
}
