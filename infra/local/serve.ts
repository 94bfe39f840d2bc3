import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { FaultPlan, type Fault } from './faults.ts';
import type { Handle, LocalRequest, LocalResponse } from './http.ts';

export interface Tls {
  readonly cert: string;
  readonly key: string;
}

export interface ServeOptions {
  readonly handle: Handle;
  /** Time of the world the server lives in. */
  readonly now: () => Date;
  /** HTTPS with HTTP/2 and 1.1; plain HTTP/1.1 without. */
  readonly tls?: Tls;
  /** Added to every answer, in milliseconds. */
  readonly latencyMs?: number;
  readonly port?: number;
}

/** One answered request, for tests that count. */
export interface Exchange {
  readonly request: LocalRequest;
  readonly status: number;
}

export interface LocalServer extends AsyncDisposable {
  readonly url: string;
  readonly faults: FaultPlan;
  /** Every exchange so far, oldest first. */
  readonly exchanges: Exchange[];
  /** Connections accepted so far. */
  connections(): number;
  /** Ends every open connection, as whatever stands between may do with those that are idle. */
  disconnect(): void;
  close(): Promise<void>;
}

type Incoming = http.IncomingMessage | http2.Http2ServerRequest;
type Outgoing = http.ServerResponse | http2.Http2ServerResponse;

const encodingOf = (contentType = ''): 'utf8' | 'latin1' => (contentType.includes('protobuf') ? 'latin1' : 'utf8');

async function readRequest(incoming: Incoming): Promise<LocalRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined && !name.startsWith(':')) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  const body = Buffer.concat(chunks).toString(encodingOf(headers['content-type']));
  return { method: incoming.method ?? 'GET', path: incoming.url ?? '/', headers, body };
}

function drop(incoming: Incoming): void {
  if (incoming instanceof http.IncomingMessage) incoming.socket.destroy();
  else incoming.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
}

function send(outgoing: Outgoing, answer: LocalResponse): void {
  const headers = { ...answer.headers, 'content-length': String(Buffer.byteLength(answer.body)) };
  if (outgoing instanceof http.ServerResponse) outgoing.writeHead(answer.status, headers).end(answer.body);
  else {
    outgoing.writeHead(answer.status, headers);
    outgoing.end(answer.body);
  }
}

type Late = Extract<Fault, { readonly kind: 'delay' | 'hold' }>;

/** Sits out a fault that only makes a request late; what is left is what happens to it then. */
async function sitOut(fault: Fault | null): Promise<Exclude<Fault, Late> | null> {
  if (fault?.kind === 'delay') await delay(fault.ms);
  else if (fault?.kind === 'hold') await fault.gate.pass();
  else return fault;
  return null;
}

/** Null: the connection dies instead of an answer. */
function answerUnder(
  fault: Exclude<Fault, Late> | null,
  request: LocalRequest,
  options: ServeOptions,
): LocalResponse | null {
  switch (fault?.kind) {
    case 'drop-before':
      return null;
    case 'answer':
      return fault.answer;
    case 'drop-after':
      options.handle(request, options.now());
      return null;
    case 'rewrite':
      return fault.rewrite(options.handle(request, options.now()));
    case undefined:
      return options.handle(request, options.now());
  }
}

const statusOf = (answer: LocalResponse | null): number => (answer === null ? 0 : answer.status);

const pauseBefore = (answer: LocalResponse | null, { latencyMs = 0 }: ServeOptions): number =>
  latencyMs + (answer?.costMs ?? 0);

function listener(options: ServeOptions, faults: FaultPlan, exchanges: Exchange[]) {
  return async (incoming: Incoming, outgoing: Outgoing): Promise<void> => {
    const request = await readRequest(incoming);
    const fault = await sitOut(faults.strike(request));
    const answer = answerUnder(fault, request, options);
    exchanges.push({ request, status: statusOf(answer) });
    const pause = pauseBefore(answer, options);
    if (pause > 0) await delay(pause);
    if (answer === null) drop(incoming);
    else send(outgoing, answer);
  };
}

function createServer(tls: Tls | undefined, onRequest: (incoming: Incoming, outgoing: Outgoing) => void) {
  if (tls === undefined) return http.createServer(onRequest);
  return http2.createSecureServer({ ...tls, allowHTTP1: true, settings: { maxConcurrentStreams: 100 } }, onRequest);
}

/** Puts a pure handler behind a loopback socket. The port is the system's unless one is given. */
export async function serve(options: ServeOptions): Promise<LocalServer> {
  const faults = new FaultPlan();
  const exchanges: Exchange[] = [];
  const answer = listener(options, faults, exchanges);
  const onRequest = (incoming: Incoming, outgoing: Outgoing): void => {
    // A client that went away mid-request is its own business; a bug in a handler must be seen.
    answer(incoming, outgoing).catch((error: unknown) => {
      if (!incoming.destroyed) outgoing.destroy(error as Error);
    });
  };
  const server = createServer(options.tls, onRequest);
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const disconnect = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    disconnect();
    await closed;
  };
  const { port } = server.address() as AddressInfo;
  const url = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return { url, faults, exchanges, connections: () => connections, disconnect, close, [Symbol.asyncDispose]: close };
}
