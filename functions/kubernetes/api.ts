import type { Clock } from '../clock.ts';
import type { JsonObject } from '../core/json.ts';
import { BoundaryError } from '../errors.ts';
import { describeNetworkFailure, type NetworkFailure } from '../network.ts';
import type { Secret } from '../secret.ts';
import type { Source } from '../source.ts';
import { retryAfterOf } from './refusal.ts';
import { AnswerTooLarge, pageBytes, type ApiAnswer, type ApiRequest, type ApiSession } from './session.ts';

/** Longest time for one request other than a create. */
const requestLimitMs = 20_000;

/** How often a throttled read waits for its turn, and for how long at most. */
const throttledTries = 3;
const longestPauseSeconds = 10;

/** What the failure of a connection means for the API server of an EKS cluster, beside what it means for any server. */
const clusterAdvice: Partial<Record<NetworkFailure['kind'], string>> = {
  dns: ' A private endpoint resolves only in a VPC of the cluster with DNS support.',
  unreachable: ' A public endpoint may be open to some addresses only (public access CIDRs).',
  tls: ' A cluster that was made anew has another CA: set EKS_ENDPOINT and EKS_CA again, or leave both out.',
  'too-late': ' A security group of the cluster that does not admit the function on port 443 looks the same.',
};

export interface ApiOptions {
  /** `https://host[:port]`, for messages. */
  readonly endpoint: string;
  readonly session: ApiSession;
  /** Null: the client certificate of the session is all there is. */
  readonly token: Source<Secret | null>;
  readonly clock: Clock;
}

export interface Call extends Omit<ApiRequest, 'headers'> {
  readonly headers?: Readonly<Record<string, string>>;
  /** Own limit in milliseconds. */
  readonly limitMs?: number;
}

/**
 * Refusals and warnings end up in logs and states, and a proxy, webhook or authenticator may quote the credential in them.
 * What was asked for is left as it is.
 */
function withoutEcho({ status, headers, body }: ApiAnswer, token: Secret): ApiAnswer {
  const { warning, ...others } = headers;
  return {
    status,
    headers: warning === undefined ? others : { ...others, warning: token.hiddenIn(warning) },
    body: status < 300 ? body : token.hiddenIn(body),
  };
}

/** The API server behind a session: credential, time limit, counters, and the words for what went wrong. */
export class Api {
  readonly #options: ApiOptions;
  #requests = 0;
  #milliseconds = 0;
  #throttled = 0;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  traffic() {
    return {
      requests: this.#requests,
      connections: this.#options.session.connections(),
      milliseconds: this.#milliseconds,
      throttled: this.#throttled,
    };
  }

  /** One request, with a fresh token once after 401. Rejects as the session does. */
  async send(call: Call): Promise<ApiAnswer> {
    const { token } = this.#options;
    const first = await token.current();
    const answer = await this.#once(call, first);
    if (answer.status !== 401 || first === null) return answer;
    const fresh = await token.refresh();
    return fresh === null || fresh.equals(first) ? answer : this.#once(call, fresh);
  }

  /**
   * A read, of a whole page if need be, that waits a little when the server is busy.
   *
   * @throws BoundaryError for no answer at all
   */
  async read(path: string, signal: AbortSignal): Promise<ApiAnswer> {
    const { clock } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#answered({ method: 'GET', path, mostBytes: pageBytes, signal });
      if (answer.status !== 429 || tries === throttledTries) return answer;
      await clock.sleep(Math.min(retryAfterOf(answer) ?? 1, longestPauseSeconds) * 1000, signal);
    }
  }

  /**
   * The same for a page that can be asked for in smaller ones; null: it is too large to be held.
   *
   * @throws BoundaryError for no answer at all
   */
  async readUnlessTooLarge(path: string, signal: AbortSignal): Promise<ApiAnswer | null> {
    try {
      return await this.read(path, signal);
    } catch (error) {
      if (error instanceof BoundaryError && error.cause instanceof AnswerTooLarge) return null;
      throw error;
    }
  }

  /**
   * A question that has to be posted, such as a review of our own rights; it changes nothing.
   *
   * @throws BoundaryError for no answer at all
   */
  async ask(path: string, question: JsonObject, signal: AbortSignal): Promise<ApiAnswer> {
    const headers = { 'content-type': 'application/json' };
    return this.#answered({ method: 'POST', path, headers, body: JSON.stringify(question), signal });
  }

  /** Why a read failed, as the error to throw. */
  failure({ status }: ApiAnswer, what: string): BoundaryError {
    const place = this.#options.endpoint;
    if (status === 401) {
      return new BoundaryError(
        'CLUSTER_FORBIDDEN',
        `The API server at ${place} does not accept our login (401), also with a fresh token. Either the cluster has no access entry (or aws-auth mapping) for this function's role, or the entry belongs to a deleted role of the same name, or EKS_CLUSTER_NAME is not the name of this cluster.`,
      );
    }
    if (status === 403) {
      return new BoundaryError(
        'CLUSTER_FORBIDDEN',
        `The API server at ${place} knows us but does not allow us to ${what} (403). Apply the Role and RoleBinding that "npm run --silent manifests" prints, in the namespace of the Jobs, and check that the access entry gives the group prefect-serverless-agent.`,
      );
    }
    if (status >= 500 || status === 429) {
      return new BoundaryError(
        'CLUSTER_UNREACHABLE',
        `The API server at ${place} could not ${what}: it answered with status ${status}. It is overloaded or restarting; the next tick tries again.`,
      );
    }
    return new BoundaryError(
      'CLUSTER_REFUSED',
      `The API server at ${place} refused to ${what}: it answered with status ${status}. Check that the endpoint is a Kubernetes API server and that the namespace exists.`,
    );
  }

  /** The server answered, but not with what was asked for. */
  unreadable(what: string): BoundaryError {
    return new BoundaryError(
      'CLUSTER_REFUSED',
      `The API server at ${this.#options.endpoint} answered with something unreadable when asked to ${what}. Check that the endpoint is a Kubernetes API server and that no proxy changes its answers.`,
    );
  }

  async #answered(call: Call): Promise<ApiAnswer> {
    return this.send(call).catch((error: unknown) => {
      if (error instanceof BoundaryError) throw error;
      const { kind, advice } = describeNetworkFailure(error);
      const message = `The API server at ${this.#options.endpoint} could not be reached: ${advice}.${clusterAdvice[kind] ?? ''}`;
      throw new BoundaryError('CLUSTER_UNREACHABLE', message, { cause: error });
    });
  }

  async #once({ limitMs = requestLimitMs, headers, ...call }: Call, token: Secret | null): Promise<ApiAnswer> {
    const { clock, session } = this.#options;
    const start = clock.now().getTime();
    this.#requests += 1;
    const credential: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token.reveal()}` };
    const limit = clock.limit(limitMs);
    const signal = call.signal === limit ? limit : AbortSignal.any([call.signal, limit]);
    try {
      const answer = await session.send({
        ...call,
        signal,
        headers: { accept: 'application/json', ...headers, ...credential },
      });
      if (answer.status === 429) this.#throttled += 1;
      return token === null ? answer : withoutEcho(answer, token);
    } finally {
      this.#milliseconds += clock.now().getTime() - start;
    }
  }
}
