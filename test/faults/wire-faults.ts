import type { LocalRequest, LocalResponse } from '../../infra/local/http.ts';

/** The three APIs that the functions speak to. */
export type Target = 'prefect' | 'kubernetes' | 'aws';

/** A request on its way through a proxy: who sent it, and to which API. */
export interface ProxiedRequest extends LocalRequest {
  readonly to: Target;
  readonly actor: string;
}

/** Something that happens while a request is on its way; the request waits for it. */
export type Act = (request: ProxiedRequest) => void | Promise<void>;

/** What a wire can do to one request: kinds of faults, and what each needs to know. */
export interface WireFaults {
  /** It is forwarded after that many milliseconds, also when the client has given up by then. */
  readonly delay: { readonly ms: number };
  /** The connection closes, nothing was forwarded; `act` happens first, as a crash of the client. */
  readonly 'drop-before': { readonly act?: Act };
  /** It was forwarded and took effect, then the connection closes; `act` happens in between. */
  readonly 'drop-answer': { readonly act?: Act };
  /** This answer instead, nothing was forwarded; `act` happens first. */
  readonly status: StatusAnswer & { readonly act?: Act };
  /** The head promises the whole answer, and the connection closes after that many bytes of it. */
  readonly truncate: { readonly bytes: number };
  /** The answer comes in pieces of that many bytes, with a pause before each. */
  readonly drip: { readonly bytes: number; readonly everyMs: number };
  /** TCP RST over HTTP/1.1, RST_STREAM over HTTP/2; nothing was forwarded. */
  readonly reset: object;
  /**
   * Over HTTP/2 GOAWAY, with the stream refused and nothing forwarded. HTTP/1.1, with TLS or without, has no such frame:
   * there a full answer with `Connection: close` (RFC 9112, 9.6), and the end of the connection. It is not refused, for
   * a rule does not know what its client speaks.
   */
  readonly 'go-away': object;
  /** It was forwarded, and the answer is changed. */
  readonly rewrite: { readonly rewrite: (answer: LocalResponse, request: ProxiedRequest) => LocalResponse };
  /** Something else happens before it is forwarded, or after it took effect and before its answer. */
  readonly meanwhile: { readonly when: 'before' | 'after'; readonly act: Act };
}

export type WireFault = {
  readonly [K in keyof WireFaults]: { readonly kind: K } & WireFaults[K];
}[keyof WireFaults];

export interface StatusAnswer {
  readonly status: number;
  readonly retryAfterSeconds?: number;
  readonly body?: string;
  readonly contentType?: string;
}

/** Which requests a rule is about; what is not said matches everything. */
export interface Match {
  readonly to?: Target;
  readonly actor?: string;
  readonly method?: string;
  readonly path?: RegExp;
  readonly body?: RegExp;
}

export function matching({ to, actor, method, path, body }: Match): (request: ProxiedRequest) => boolean {
  const isAny = (wanted: string | undefined, found: string): boolean => wanted === undefined || wanted === found;
  const fits = (wanted: RegExp | undefined, found: string): boolean => wanted === undefined || wanted.test(found);
  return (request) =>
    isAny(to, request.to) &&
    isAny(actor, request.actor) &&
    isAny(method, request.method) &&
    fits(path, request.path) &&
    fits(body, request.body);
}

/** The answer of a `status` fault. */
export function answerOf({ status, retryAfterSeconds, body = '', contentType }: StatusAnswer): LocalResponse {
  return {
    status,
    headers: {
      'content-type': contentType ?? 'application/json',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    },
    body,
  };
}
