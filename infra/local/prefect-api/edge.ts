import type { LocalRequest, LocalResponse } from '../http.ts';
import { runOperation, type Operation, type Outcome } from './execute.ts';
import type { Call } from './operations.ts';
import type { PrefectState } from './state.ts';

/** `APOLLO_API_BODY_LIMIT` of the gateway: 5mb, of the whole body. */
const bodyLimit = 5 * 1024 * 1024;

export interface EdgeOptions {
  /** A bearer token that a proxy in front of the server demands; the server itself knows no authentication. */
  readonly token?: string;
  /** What one round behind the gateway takes, in milliseconds; the elements of an array run side by side. */
  readonly costPerOperationMs?: number;
}

const plain = (status: number, text: string, headers: Record<string, string> = {}): LocalResponse => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8', ...headers },
  body: text,
});

const json = (status: number, body: unknown): LocalResponse => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: `${JSON.stringify(body)}\n`,
});

const escapeHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

/** The page on which Express shows an error that nobody handled. */
function errorPage(status: number, text: string): LocalResponse {
  const lines = ['<!DOCTYPE html>', '<html lang="en">', '<head>', '<meta charset="utf-8">', '<title>Error</title>'];
  return plain(
    status,
    [...lines, '</head>', '<body>', `<pre>${escapeHtml(text)}</pre>`, '</body>', '</html>', ''].join('\n'),
  );
}

/** A request that the gateway turns away before any GraphQL: its whole answer. */
class TurnedAway extends Error {
  readonly answer: LocalResponse;

  constructor(answer: LocalResponse) {
    super(answer.body);
    this.answer = answer;
  }
}

const bodyMissing = 'POST body missing. Did you forget use body-parser middleware?';

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'Unexpected token';
    throw new TurnedAway(errorPage(400, `SyntaxError: ${reason}`));
  }
}

/** What body-parser hands on: an object or an array; another content type, or no body, is an empty object. */
function readBody({ headers, body }: LocalRequest): object {
  if (Buffer.byteLength(body) > bodyLimit) {
    throw new TurnedAway(errorPage(413, 'PayloadTooLargeError: request entity too large'));
  }
  const contentType = headers['content-type'] ?? '';
  if (!/^\s*application\/json\s*(;|$)/i.test(contentType) || body === '') return {};
  const parsed = parseBody(body);
  if (typeof parsed === 'object' && parsed !== null) return parsed;
  throw new TurnedAway(
    errorPage(400, `SyntaxError: Unexpected token ${body.trim().slice(0, 1)} in JSON at position 0`),
  );
}

type Parameters = Readonly<Record<string, unknown>>;

function readVariables(variables: unknown): Parameters | null {
  if (typeof variables !== 'string' || variables === '') return (variables ?? null) as Parameters | null;
  try {
    return JSON.parse(variables) as Parameters | null;
  } catch {
    throw new TurnedAway(plain(400, 'Variables are invalid JSON.'));
  }
}

function readOperation(parameters: Parameters): Operation {
  const { query, variables, operationName } = parameters;
  if (query !== undefined && query !== null && query !== '' && typeof query !== 'string') {
    throw new TurnedAway(plain(400, 'GraphQL queries must be strings.'));
  }
  const read = readVariables(variables);
  if (typeof query !== 'string' || query === '') throw new TurnedAway(plain(400, 'Must provide query string.'));
  return { query, variables: read, operationName: typeof operationName === 'string' ? operationName : null };
}

const withCost = (answer: LocalResponse, rounds: number, options: EdgeOptions): LocalResponse => {
  const costMs = rounds * (options.costPerOperationMs ?? 0);
  return costMs === 0 ? answer : { ...answer, costMs };
};

function answerOne(outcome: Outcome, options: EdgeOptions): LocalResponse {
  if (outcome.status === 405) return plain(405, 'GET supports only query operation', { allow: 'POST' });
  return withCost(json(outcome.status, outcome.body), outcome.rounds, options);
}

/** All elements start at once and each answers for itself; even one with a syntax error leaves the status at 200. */
function answerMany(outcomes: readonly Outcome[], options: EdgeOptions): LocalResponse {
  const rounds = Math.max(0, ...outcomes.map((outcome) => outcome.rounds));
  const bodies = outcomes.map(({ body }) => body);
  return withCost(json(200, bodies), rounds, options);
}

function answerPost(call: Call, request: LocalRequest, options: EdgeOptions): LocalResponse {
  const body = readBody(request);
  if (Object.keys(body).length === 0) return plain(500, bodyMissing);
  if (!Array.isArray(body)) return answerOne(runOperation(call, readOperation(body as Parameters)), options);
  const operations = body.map((item) => readOperation((item ?? {}) as Parameters));
  return answerMany(
    operations.map((operation) => runOperation(call, operation)),
    options,
  );
}

function answerGet(call: Call, request: LocalRequest, options: EdgeOptions): LocalResponse {
  const { pathname, searchParams } = new URL(request.path, 'http://localhost');
  if (pathname === '/.well-known/apollo/server-health') {
    return {
      ...json(200, { status: 'pass' }),
      body: '{"status":"pass"}',
      headers: { 'content-type': 'application/health+json; charset=utf-8' },
    };
  }
  const parameters = Object.fromEntries(searchParams);
  if (Object.keys(parameters).length === 0) return plain(400, 'GET query missing.');
  return answerOne(runOperation(call, readOperation(parameters), true), options);
}

function answer(call: Call, request: LocalRequest, options: EdgeOptions): LocalResponse {
  if (request.method === 'POST') return answerPost(call, request, options);
  if (request.method === 'GET') return answerGet(call, request, options);
  return plain(405, 'Apollo Server supports only GET/POST requests.', { allow: 'GET, POST' });
}

const unauthorized: LocalResponse = {
  status: 401,
  headers: { 'content-type': 'application/json', 'www-authenticate': 'Bearer' },
  body: JSON.stringify({ error: 'unauthorized' }),
};

const isAdmitted = ({ headers }: LocalRequest, token: string | undefined): boolean =>
  token === undefined || headers['authorization'] === `Bearer ${token}`;

/** Answers requests on any path as the gateway of Prefect Server does (apollo-server-express 2.15, graphql 14.6). */
export function prefectHandle(state: PrefectState, options: EdgeOptions = {}) {
  return (request: LocalRequest, now: Date): LocalResponse => {
    if (!isAdmitted(request, options.token)) return unauthorized;
    try {
      return answer({ state, now, headers: request.headers }, request, options);
    } catch (error) {
      if (error instanceof TurnedAway) return error.answer;
      throw error;
    }
  };
}
