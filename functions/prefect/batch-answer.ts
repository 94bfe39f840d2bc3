import { isJsonObject } from '../core/json.ts';
import type { PostAnswer } from './contract.ts';
import type { GraphqlProblem } from './failures.ts';

/** What one operation of a batch answered; `data` may be there beside `problems`. */
export interface OperationAnswer {
  readonly data: unknown;
  readonly problems: readonly GraphqlProblem[];
}

/** What GraphQL servers answer with: the second since there is a specification of GraphQL over HTTP. */
const graphqlTypes = ['application/json', 'application/graphql-response+json'];

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function problemOf(raw: unknown): GraphqlProblem {
  const error = isJsonObject(raw) ? raw : {};
  const extensions = isJsonObject(error['extensions']) ? error['extensions'] : {};
  return { message: textOf(error['message']), code: textOf(extensions['code']) };
}

/** Null for what is no list of errors. One that is alone may stand without its list. */
function problemsOf(errors: unknown): readonly GraphqlProblem[] | null {
  if (errors === undefined) return [];
  if (Array.isArray(errors)) return errors.map(problemOf);
  return isJsonObject(errors) ? [problemOf(errors)] : null;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Null for what says nothing of an operation. */
function answerOf(raw: unknown): OperationAnswer | null {
  if (!isObject(raw)) return null;
  const { data = null, errors, extensions = {} }: { data?: unknown; errors?: unknown; extensions?: unknown } = raw;
  const problems = problemsOf(errors);
  if (problems === null || !isJsonObject(extensions)) return null;
  return data === null || isJsonObject(data) ? { data, problems } : null;
}

/** The batch as a whole was rejected with GraphQL errors: that is the answer of each of its operations. */
function rejectionOf(raw: unknown, size: number): readonly OperationAnswer[] | null {
  const problems = answerOf(raw)?.problems ?? [];
  return problems.length === 0 ? null : Array.from({ length: size }, () => ({ data: null, problems }));
}

/**
 * One answer for each of so many operations, in order; null when there is no such answer. An array of another length, or
 * one with anything else in it, is a lost answer and not a partial one.
 *
 * @throws SyntaxError for text that is no JSON, which the parser's message quotes
 */
export function readAnswers(
  { status, contentType, text }: PostAnswer,
  size: number,
): readonly OperationAnswer[] | null {
  const type = contentType.toLowerCase();
  if (!graphqlTypes.some((each) => type.includes(each))) return null;
  const raw: unknown = JSON.parse(text);
  if (status < 200 || status > 299) return rejectionOf(raw, size);
  if (!Array.isArray(raw) || raw.length !== size) return null;
  const answers = raw.map(answerOf);
  return answers.every((answer) => answer !== null) ? answers : null;
}
