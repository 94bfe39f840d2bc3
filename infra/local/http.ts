/**
 * How a local server says that it is one, so that nothing that is played is taken for real. `<os>/<arch>` in form, which
 * is what a real API server says of its platform.
 */
export const localMark = 'prefect-serverless-agent/local';

/** What reaches a local server, free of sockets: the same `handle` runs under a socket and in a simulation. */
export interface LocalRequest {
  readonly method: string;
  /** Path with query, as on the request line. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text; what is no text, such as protobuf, byte for byte as latin1. */
  readonly body: string;
}

export interface LocalResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** How long the real part would have worked on this, in milliseconds; the socket layer waits that long. */
  readonly costMs?: number;
}

/** Pure but for `state`, which it changes: no clock, no randomness, no network. */
export type Handle = (request: LocalRequest, now: Date) => LocalResponse;

/** A JSON answer. */
export function jsonAnswer(status: number, body: unknown, headers: Record<string, string> = {}): LocalResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
