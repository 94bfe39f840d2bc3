import http2 from 'node:http2';

import { codeOf, describeNetworkFailure } from '../network.ts';

/** Where the API server is and how to know it. Client certificate and key are for kubeconfigs of local commands. */
export interface ClusterAddress {
  /** `https://host[:port]`. */
  readonly endpoint: string;
  /** PEM of the CA that signed the API server's certificate; null: the system's. */
  readonly ca: string | null;
  readonly clientCert?: string;
  readonly clientKey?: string;
  /** Name that its certificate must bear where that is not the endpoint's host, as behind a tunnel. */
  readonly serverName?: string;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Bytes of a success that are worth holding; default: `smallAnswerBytes`. */
  readonly mostBytes?: number;
  readonly signal: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Empty where a refusal said more than `smallAnswerBytes`: then only its status is known. */
  readonly body: string;
}

/** A success that says more than its request wanted to hold. Fewer objects a page may be another matter. */
export class AnswerTooLarge extends Error {
  constructor(mostBytes: number) {
    super(`The answer is larger than ${mostBytes} bytes.`);
  }
}

/** How requests reach an API server. Sockets below; a simulation brings its own. */
export interface ApiSession {
  /** @throws the error of the connection, or the reason of the signal; never for a status. */
  send(request: ApiRequest): Promise<ApiAnswer>;
  /** Connections opened so far. */
  connections(): number;
  close(): void;
}

/**
 * An answer about one object, and a refusal of any request. There are up to 64 in flight, and the metadata of a Job or a
 * Status takes a few KB.
 */
export const smallAnswerBytes = 1024 * 1024;

/** A page of a list, which are read one after the other: 500 Jobs take 2 to 3 MB. */
export const pageBytes = 32 * 1024 * 1024;

/** What the server may send before it waits for us: a page of a list in one go, not 64 KiB for each way there and back. */
const windowBytes = 4 * 1024 * 1024;

/** The server says of such a stream that nothing of it was processed, so even a create may be sent again. */
const untouched: ReadonlySet<string> = new Set(['ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION']);

function wasNotProcessed(error: unknown): boolean {
  if (untouched.has(codeOf(error))) return true;
  return error instanceof Error && error.message.includes('NGHTTP2_REFUSED_STREAM');
}

/** A read does no harm twice; a write goes out again only when the server said that it did not look at it. */
function mayRepeat({ method, signal }: ApiRequest, error: unknown): boolean {
  if (signal.aborted) return false;
  return wasNotProcessed(error) || (method === 'GET' && isDeadSession(error));
}

const isDeadSession = (error: unknown): boolean => describeNetworkFailure(error).kind === 'broken';

function headersOf(raw: http2.IncomingHttpHeaders): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (value !== undefined && !name.startsWith(':')) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

const brokenOff = (): Error => Object.assign(new Error('The stream ended early.'), { code: 'ECONNRESET' });

const statusIn = (head: http2.IncomingHttpHeaders): number => Number(head[':status']);

const isRefusal = (head: http2.IncomingHttpHeaders | undefined): head is http2.IncomingHttpHeaders =>
  head !== undefined && statusIn(head) >= 400;

/** By events: an iterator over the stream would cost more than all else about a create. */
function readAnswer(stream: http2.ClientHttp2Stream, mostBytes: number): Promise<ApiAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
  const heads: http2.IncomingHttpHeaders[] = [];
  const chunks: Buffer[] = [];
  let size = 0;
  const settle = (head: http2.IncomingHttpHeaders, body: string): void =>
    resolve({ status: statusIn(head), headers: headersOf(head), body });
  stream.on('response', (head) => heads.push(head));
  stream.on('data', (chunk: Buffer) => {
    const [head] = heads;
    const most = isRefusal(head) ? smallAnswerBytes : mostBytes;
    size += chunk.length;
    if (size <= most) return void chunks.push(chunk);
    // Without its words a refusal is still one; half a success is nothing.
    if (isRefusal(head)) settle(head, '');
    return stream.destroy(new AnswerTooLarge(most));
  });
  stream.on('error', reject);
  // A session can die under a stream without an error of its own: the answer then never begins, or just ends.
  stream.on('close', () => {
    const [head] = heads;
    const isWhole = stream.readableEnded && stream.rstCode === http2.constants.NGHTTP2_NO_ERROR;
    if (head === undefined || !isWhole) return reject(brokenOff());
    settle(head, Buffer.concat(chunks).toString());
  });
  return promise;
}

async function exchange(session: http2.ClientHttp2Session, request: ApiRequest): Promise<ApiAnswer> {
  const head = { ...request.headers, ':method': request.method, ':path': request.path };
  const stream = session.request(head, { signal: request.signal, endStream: request.body === undefined });
  const answer = readAnswer(stream, request.mostBytes ?? smallAnswerBytes);
  if (request.body !== undefined) stream.end(request.body);
  return answer;
}

function connect({ endpoint, ca, clientCert, clientKey, serverName }: ClusterAddress): http2.ClientHttp2Session {
  const session = http2.connect(endpoint, {
    settings: { initialWindowSize: windowBytes, enablePush: false },
    ...(ca === null ? {} : { ca }),
    ...(clientCert === undefined || clientKey === undefined ? {} : { cert: clientCert, key: clientKey }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
  // Each stream reports the session's failure itself; without a listener it would also end the process. A session
  // that is told to go away closes itself.
  session.on('error', () => session.destroy());
  // The setting is for each stream; the session as a whole has a window of its own (RFC 9113, 6.9.2).
  session.once('connect', () => session.setLocalWindowSize(windowBytes));
  return session;
}

/**
 * One HTTP/2 session to one API server, opened by the first request and again, once per request, when it is dead or
 * told to go away. Nothing is trusted but the given CA. `close` destroys it with everything in flight, so that nothing
 * outlives the handler: a thawed socket would act in a later invocation.
 */
export function openSession(address: ClusterAddress): ApiSession {
  let session: http2.ClientHttp2Session | null = null;
  // One that was turned from may still be alive, with requests of others in flight.
  const alive = new Set<http2.ClientHttp2Session>();
  let opened = 0;
  let closed = false;
  const forget = (dead: http2.ClientHttp2Session): void => {
    if (session === dead) session = null;
  };
  const begin = (): http2.ClientHttp2Session => {
    const begun = connect(address);
    alive.add(begun);
    begun.once('close', () => alive.delete(begun));
    return begun;
  };
  const living = (): http2.ClientHttp2Session => {
    if (closed) throw brokenOff();
    if (session === null || session.closed || session.destroyed) {
      opened += 1;
      session = begin();
    }
    return session;
  };
  return {
    send: async (request) => {
      const first = living();
      try {
        return await exchange(first, request);
      } catch (error) {
        if (!mayRepeat(request, error)) throw error;
        forget(first);
        return exchange(living(), request);
      }
    },
    connections: () => opened,
    close: () => {
      closed = true;
      for (const each of alive) each.destroy();
    },
  };
}
