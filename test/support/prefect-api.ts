import type { LocalResponse } from '../../infra/local/http.ts';
import { prefectHandle, type EdgeOptions } from '../../infra/local/prefect-api/edge.ts';
import { createPrefectState, type PrefectState } from '../../infra/local/prefect-api/state.ts';
import { T0 } from './time.ts';

interface GraphqlError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: { readonly code: string };
}

/** An answer read as JSON: whatever a test asks of `data`, it says what it expects there. */
interface Reply {
  readonly status: number;
  readonly errors: readonly GraphqlError[];
  readonly data: Readonly<Record<string, unknown>>;
}

interface Circumstances {
  readonly now?: Date;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The local Prefect API without a socket. */
export class PrefectDouble {
  readonly state: PrefectState = createPrefectState({ seed: 'test' });
  readonly #handle: ReturnType<typeof prefectHandle>;

  constructor(options: EdgeOptions = {}) {
    this.#handle = prefectHandle(this.state, options);
  }

  send(request: { method?: string; path?: string; headers?: Record<string, string>; body?: string }): LocalResponse {
    const headers = { 'content-type': 'application/json', ...request.headers };
    const { method = 'POST', path = '/', body = '' } = request;
    return this.#handle({ method, path, headers, body }, T0);
  }

  /** Asks one operation. */
  ask(query: string, variables: unknown = null, { now = T0, headers = {} }: Circumstances = {}): Reply {
    const request = { method: 'POST', path: '/', body: JSON.stringify({ query, variables }) };
    const answer = this.#handle({ ...request, headers: { 'content-type': 'application/json', ...headers } }, now);
    const { errors = [], data = {} } = JSON.parse(answer.body) as Partial<Reply>;
    return { status: answer.status, errors, data: data ?? {} };
  }
}
