import type { Clock } from '../clock.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Secret } from '../secret.ts';
import type { Source } from '../source.ts';
import { readAnswers, type OperationAnswer } from './batch-answer.ts';
import type { Post, PostAnswer, PostRequest, PrefectTraffic } from './contract.ts';
import type { Document } from './documents.ts';
import {
  isUnauthenticated,
  refusalOf,
  tokenMissing,
  tokenRejected,
  translateFailure,
  unreadableAnswer,
  type GraphqlProblem,
} from './failures.ts';
import { StaleConnectionError } from './http.ts';

/** Longest time for one HTTP request (prefect 1.4.1, config.toml `request_timeout`; protocol rule 6). */
const requestLimitMs = 15_000;

const jsonHeaders = {
  accept: 'application/graphql-response+json, application/json',
  'content-type': 'application/json',
};

export interface Operation {
  readonly document: Document<unknown>;
  readonly variables: JsonObject;
}

export interface EndpointOptions {
  readonly url: string;
  readonly post: Post;
  readonly token: Source<Secret | null>;
  readonly clock: Clock;
  /** Headers of the next request, apart from the credential; `hasToken` says whether one goes with it. */
  readonly headers: (hasToken: boolean) => Record<string, string>;
}

export interface Batch {
  readonly operations: readonly Operation[];
  readonly signal: AbortSignal;
  /** True when sending it twice does no harm: then a dead kept connection is forgiven once. */
  readonly repeatable: boolean;
}

/** The credential was not accepted: worth one more try with a fresh one. */
class UnauthenticatedError extends Error {
  override readonly name = 'UnauthenticatedError';
}

/** A credential may have to be fetched from elsewhere first. That takes no longer than the request it is for. */
async function inTime<T>(fetchCredential: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([fetchCredential(), promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function everywhere(value: unknown, token: Secret): unknown {
  if (typeof value === 'string') return token.hiddenIn(value);
  if (Array.isArray(value)) return value.map((each) => everywhere(each, token));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, everywhere(each, token)]));
}

/**
 * Texts of errors, and reasons why a write was not taken, go into logs and outcomes, and a gateway may quote the
 * credential in them. What was asked for is left as it is.
 */
function withoutEcho({ data, problems }: OperationAnswer, token: Secret, isRead: boolean): OperationAnswer {
  const hidden = ({ message, code }: GraphqlProblem) => ({
    message: token.hiddenIn(message),
    code: token.hiddenIn(code),
  });
  return { data: isRead ? data : everywhere(data, token), problems: problems.map(hidden) };
}

/** A GraphQL endpoint that takes arrays of operations: transport, credential and failure in one place. */
export class Endpoint {
  readonly #options: EndpointOptions;
  #requests = 0;
  #milliseconds = 0;
  #throttled = 0;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  traffic(): PrefectTraffic {
    return { requests: this.#requests, milliseconds: this.#milliseconds, throttled: this.#throttled };
  }

  /**
   * Sends one batch in one HTTP request and gives one answer per operation, in order.
   *
   * @throws BoundaryError when there is no such answer as a whole
   */
  async call(batch: Batch): Promise<readonly OperationAnswer[]> {
    const { token, url } = this.#options;
    try {
      const first = await inTime(() => token.current(), batch.signal);
      return await this.#post(batch, first).catch((error: unknown) => {
        if (error instanceof UnauthenticatedError) return this.#postAgain(batch, first);
        throw error;
      });
    } catch (error) {
      throw translateFailure(error, url);
    }
  }

  async #postAgain(batch: Batch, rejected: Secret | null): Promise<readonly OperationAnswer[]> {
    const { token, url } = this.#options;
    if (rejected === null) throw tokenMissing(url);
    const fresh = await inTime(() => token.refresh(), batch.signal);
    if (fresh === null || fresh.equals(rejected)) throw tokenRejected(url);
    return this.#post(batch, fresh).catch((error: unknown) => {
      throw error instanceof UnauthenticatedError ? tokenRejected(url) : error;
    });
  }

  async #post(batch: Batch, token: Secret | null): Promise<readonly OperationAnswer[]> {
    const { url, clock } = this.#options;
    const body = JSON.stringify(
      batch.operations.map(({ document, variables }) => ({ query: document.text, variables })),
    );
    const signal = AbortSignal.any([batch.signal, clock.limit(requestLimitMs)]);
    const answer = await this.#answerTo({ url, headers: this.#headers(token), body, signal }, batch.repeatable);
    const read = readAnswers(answer, batch.operations.length);
    if (read === null) throw unreadableAnswer(url);
    const answers = token === null ? read : read.map((one) => withoutEcho(one, token, batch.repeatable));
    if (answers.some(({ problems }) => problems.some(isUnauthenticated))) throw new UnauthenticatedError();
    return answers;
  }

  #headers(token: Secret | null): Record<string, string> {
    const own = { ...jsonHeaders, ...this.#options.headers(token !== null) };
    return token === null ? own : { ...own, authorization: `Bearer ${token.reveal()}` };
  }

  async #answerTo(request: PostRequest, repeatable: boolean): Promise<PostAnswer> {
    const answer = await this.#timed(request).catch((error: unknown) => {
      if (repeatable && error instanceof StaleConnectionError) return this.#timed(request);
      throw error;
    });
    if (answer.status === 401) throw new UnauthenticatedError();
    const refusal = refusalOf(answer, this.#options.url);
    if (refusal !== null) throw refusal;
    return answer;
  }

  async #timed(request: PostRequest): Promise<PostAnswer> {
    const { clock, post } = this.#options;
    const start = clock.now().getTime();
    this.#requests += 1;
    try {
      const answer = await post(request);
      if (answer.status === 429) this.#throttled += 1;
      return answer;
    } finally {
      this.#milliseconds += clock.now().getTime() - start;
    }
  }
}
