import { BoundaryError } from '../errors.ts';
import { describeNetworkFailure } from '../network.ts';
import type { PostAnswer } from './contract.ts';
import { AnswerTooLargeError } from './http.ts';

/** One entry of `errors` in a GraphQL answer, as far as anybody here looks at it. */
export interface GraphqlProblem {
  readonly message: string;
  /** `extensions.code`: the gateway's or the query engine's. */
  readonly code: string;
}

/** Where the API is, fit for a message: without credentials and query. */
export function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

/**
 * Texts of the gateway and the service for "something behind me did not answer" (PrefectHQ/server, services/apollo on
 * node-fetch, and src/prefect_server/utilities/graphql.py). They come with status 200, and nothing is known about what
 * was done.
 */
const outages = ['failed, reason:', 'invalid json response body', 'Unable to complete operation'];

export function isOutage({ message }: GraphqlProblem): boolean {
  return outages.some((text) => message.includes(text));
}

/** The texts in which a Prefect API rejects a key inside a 200 answer (prefect 1.4.1, client/client.py). */
export function isUnauthenticated({ message, code }: GraphqlProblem): boolean {
  return [message, code].some((text) => text.includes('UNAUTHENTICATED') || text.includes('Malformed Authorization'));
}

/** The document or its variables do not fit the server's schema: an older server, or one with fewer operators. */
export function isSchemaMismatch({ message, code }: GraphqlProblem): boolean {
  // A bad value in a variable is reported under the code of a crash (graphql 14 as the gateway runs it).
  const badVariable = /^Variable "\$\w+" (?:got invalid value|of (?:required|non-null) type)/u.test(message);
  return badVariable || code === 'GRAPHQL_VALIDATION_FAILED' || code === 'validation-failed';
}

/** Answers with one of these say so without a body worth reading; anything else is left to the GraphQL layer. */
export function refusalOf({ status, contentType }: PostAnswer, url: string): BoundaryError | null {
  const place = placeOf(url);
  if (status >= 500) {
    return new BoundaryError(
      'PREFECT_UNREACHABLE',
      `The Prefect API at ${place} answered with status ${status}: it, or a proxy before it, is down or overloaded. The next tick tries again.`,
    );
  }
  if (status === 403) {
    return new BoundaryError(
      'PREFECT_REFUSED',
      `The Prefect API at ${place} answered with status 403: the runner token is valid but not allowed to do this, or a firewall keeps this function out. Check the token's scope and the firewall's rules.`,
    );
  }
  if (status >= 300 && status < 400) {
    return new BoundaryError(
      'PREFECT_REFUSED',
      `The Prefect API at ${place} answered with a redirect (status ${status}), which is not followed because it would carry the token elsewhere. Set PREFECT_API to the final address.`,
      { retry: 'never' },
    );
  }
  if (status === 413) return tooLargeToSend(place);
  return contentType.includes('json') ? null : notJson(place, status);
}

const tooLargeToSend = (place: string): BoundaryError =>
  new BoundaryError(
    'PREFECT_REFUSED',
    `The Prefect API at ${place} answered with status 413: it, or a proxy before it, accepts less than the 4 MB that one request may carry. Raise the limit to at least 5 MB.`,
  );

const notJson = (place: string, status: number): BoundaryError =>
  new BoundaryError(
    'PREFECT_UNREADABLE',
    `The Prefect API at ${place} answered with something other than JSON (status ${status}). Check that PREFECT_API is the GraphQL endpoint itself, not the user interface or a login page.`,
  );

export function tokenRejected(url: string): BoundaryError {
  return new BoundaryError(
    'PREFECT_REFUSED',
    `The Prefect API at ${placeOf(url)} rejected the runner token (401), also after it was fetched again. Put a valid token into the secret; it is read anew with the next tick.`,
  );
}

export function tokenMissing(url: string): BoundaryError {
  return new BoundaryError(
    'PREFECT_REFUSED',
    `The Prefect API at ${placeOf(url)} wants a token (401), and none is configured. Set RUNNER_TOKEN_SECRET_ARN to a secret that holds one.`,
  );
}

export function unreadableAnswer(url: string): BoundaryError {
  return new BoundaryError(
    'PREFECT_UNREADABLE',
    `The answer of the Prefect API at ${placeOf(url)} was cut short or is not what a GraphQL batch answers: nothing is known about what was done. Check for a proxy that changes answers; the next tick tries again.`,
  );
}

/** A 200 answer that carries `errors` where data was needed. The texts of the errors may repeat what we sent. */
export function failedInside(problems: readonly GraphqlProblem[], what: string, url: string): BoundaryError {
  const outage = problems.some(isOutage);
  const code = problems[0]?.code.replaceAll(/[^\w-]/gu, '').slice(0, 64) ?? '';
  return new BoundaryError(
    outage ? 'PREFECT_UNREACHABLE' : 'PREFECT_REFUSED',
    outage
      ? `The Prefect API at ${placeOf(url)} could not ${what}: a service behind its gateway does not answer. Check the graphql, hasura and postgres containers; the next tick tries again.`
      : `The Prefect API at ${placeOf(url)} refused to ${what} (${code === '' ? 'without a code' : code}). Check its version and its log.`,
  );
}

/** What a request that brought no readable answer becomes. */
export function translateFailure(error: unknown, url: string): BoundaryError {
  if (error instanceof BoundaryError) return error;
  if (error instanceof AnswerTooLargeError) {
    return new BoundaryError(
      'PREFECT_UNREADABLE',
      `The answer of the Prefect API at ${placeOf(url)} is larger than 32 MiB: some flow runs carry very large states or run configs. Look for runs with large context or storage and cancel them.`,
      { cause: error },
    );
  }
  // SyntaxError and the like quote the body, so they do not travel as cause.
  if (!isNetworkError(error)) return unreadableAnswer(url);
  const { advice } = describeNetworkFailure(error);
  return new BoundaryError(
    'PREFECT_UNREACHABLE',
    `The Prefect API at ${placeOf(url)} could not be reached: ${advice}.`,
    {
      cause: error,
    },
  );
}

function isNetworkError(error: unknown): boolean {
  return describeNetworkFailure(error).kind !== 'other' || (error instanceof Error && 'syscall' in error);
}
