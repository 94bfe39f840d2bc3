import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';

import type { LocalResponse } from '../../infra/local/http.ts';
import type { Tls } from '../../infra/local/serve.ts';
import type { Delivery, Relay } from './relay.ts';
import type { ProxiedRequest, Target } from './wire-faults.ts';

export interface ProxyOptions {
  readonly to: Target;
  /** Who is at work now, as `dispatch#3`: each client of an API gets a proxy of its own. */
  readonly actor: () => string;
  readonly relay: Relay;
  /** The real thing behind the proxy. Rejects when it cannot be reached. */
  readonly forward: (request: ProxiedRequest) => Promise<LocalResponse>;
  /** HTTPS with HTTP/2 and 1.1; plain HTTP/1.1 without. */
  readonly tls?: Tls;
}

/** A proxy on loopback that does to requests what its relay's rules say. */
export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  /** Connections accepted so far. */
  connections(): number;
  /** Nothing listens any more, and every connection is gone. */
  goDown(): Promise<void>;
  /** Listens again, at the same address. */
  comeBack(): Promise<void>;
}

type Incoming = http.IncomingMessage | http2.Http2ServerRequest;
type Outgoing = http.ServerResponse | http2.Http2ServerResponse;

interface Exchange {
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
  readonly gone: AbortSignal;
  /** The TCP connection under a socket: the socket itself without TLS. */
  readonly connectionOf: (socket: Socket) => Socket;
}

async function readRequest(incoming: Incoming, { to, actor }: ProxyOptions): Promise<ProxiedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined && !name.startsWith(':')) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  const { method = 'GET', url: path = '/' } = incoming;
  return { to, actor: actor(), method, path, headers, body: Buffer.concat(chunks).toString() };
}

function begin(outgoing: Outgoing, answer: LocalResponse, extra: Record<string, string> = {}): void {
  const length = { 'content-length': String(Buffer.byteLength(answer.body)) };
  const headers = { ...withoutFraming(answer.headers), ...length, ...extra };
  if (outgoing instanceof http.ServerResponse) outgoing.writeHead(answer.status, headers);
  else outgoing.writeHead(answer.status, headers);
}

/** Headers that say how a body was carried on the other side of the proxy. */
const framing: ReadonlySet<string> = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding']);

const withoutFraming = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !framing.has(name)));

async function write(outgoing: Outgoing, piece: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (outgoing instanceof http.ServerResponse) outgoing.write(piece, () => resolve());
  else outgoing.stream.write(piece, () => resolve());
  await promise;
}

async function finish(outgoing: Outgoing, rest: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  outgoing.once('close', resolve).once('finish', resolve);
  outgoing.end(rest);
  await promise;
}

/**
 * The connection closes with what was written before: a FIN, never a stream's polite end. An HTTP/2 session that is
 * destroyed says GOAWAY first (Node 24), so the connection is ended below it.
 */
function drop(incoming: Incoming, connectionOf: Exchange['connectionOf']): void {
  if (incoming instanceof http.IncomingMessage) return incoming.socket.destroySoon();
  const { session } = incoming.stream;
  if (session !== undefined) connectionOf(session.socket).destroySoon();
}

/** Under TLS the connection is another socket, and only that can be reset. */
function reset(incoming: Incoming, connectionOf: Exchange['connectionOf']): void {
  if (incoming instanceof http.IncomingMessage) connectionOf(incoming.socket).resetAndDestroy();
  else incoming.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
}

function refuse(incoming: Incoming): void {
  if (incoming instanceof http.IncomingMessage) return;
  const { session } = incoming.stream;
  if (session !== undefined && 'goaway' in session) session.goaway(http2.constants.NGHTTP2_NO_ERROR);
  incoming.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  session?.close();
}

async function drip(exchange: Exchange, delivery: Extract<Delivery, { kind: 'dripped' }>): Promise<boolean> {
  const { outgoing, gone } = exchange;
  const whole = Buffer.from(delivery.answer.body);
  begin(outgoing, delivery.answer);
  let at = 0;
  for (; at + delivery.bytes < whole.length && !gone.aborted; at += delivery.bytes) {
    await delivery.pause();
    await write(outgoing, whole.subarray(at, at + delivery.bytes));
  }
  await delivery.pause();
  if (gone.aborted) return false;
  await finish(outgoing, whole.subarray(at));
  return true;
}

async function truncate(exchange: Exchange, { answer, bytes }: Extract<Delivery, { kind: 'truncated' }>) {
  begin(exchange.outgoing, answer);
  await write(exchange.outgoing, Buffer.from(answer.body).subarray(0, bytes));
  drop(exchange.incoming, exchange.connectionOf);
}

async function answerWhole(exchange: Exchange, { answer, closes }: Extract<Delivery, { kind: 'answer' }>) {
  begin(exchange.outgoing, answer, closes ? { connection: 'close' } : {});
  await finish(exchange.outgoing, Buffer.from(answer.body));
}

/** Carries out what the relay decided; true: the client got a whole answer. */
async function deliver(exchange: Exchange, delivery: Delivery): Promise<boolean> {
  if (exchange.gone.aborted) return false;
  switch (delivery.kind) {
    case 'answer':
      await answerWhole(exchange, delivery);
      return true;
    case 'dripped':
      return drip(exchange, delivery);
    case 'truncated':
      await truncate(exchange, delivery);
      return false;
    case 'dropped':
    case 'reset':
    case 'refused':
      ends[delivery.kind](exchange.incoming, exchange.connectionOf);
      return false;
  }
}

const ends = { dropped: drop, reset, refused: refuse } as const;

function listener(options: ProxyOptions, connectionOf: Exchange['connectionOf']) {
  return async (incoming: Incoming, outgoing: Outgoing): Promise<void> => {
    const leaving = new AbortController();
    outgoing.on('close', () => leaving.abort());
    const { signal: gone } = leaving;
    const request = await readRequest(incoming, options);
    const canRefuse = !(incoming instanceof http.IncomingMessage);
    const forward = async (): Promise<LocalResponse> => options.forward(request);
    const { delivery, answered } = await options.relay.relay(request, { forward, gone, canRefuse });
    if (await deliver({ incoming, outgoing, gone, connectionOf }, delivery)) answered();
  };
}

function createServer(options: ProxyOptions): http.Server | http2.Http2SecureServer {
  const connections = new Map<number | undefined, Socket>();
  const carry = listener(options, (socket) => connections.get(socket.remotePort) ?? socket);
  const keep = (connection: Socket): void => {
    const { remotePort } = connection;
    connections.set(remotePort, connection);
    connection.once('close', () => connections.delete(remotePort));
  };
  const onRequest = (incoming: Incoming, outgoing: Outgoing): void => {
    // A client that goes away in the middle of its request is what this proxy is for.
    carry(incoming, outgoing).catch(() => outgoing.destroy());
  };
  if (options.tls === undefined) return http.createServer(onRequest);
  return http2.createSecureServer({ ...options.tls, allowHTTP1: true }, onRequest).on('connection', keep);
}

/** Starts a proxy before one API for one client. */
export async function startFaultProxy(options: ProxyOptions): Promise<FaultProxy> {
  const server = createServer(options);
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  });
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  const goDown = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    connections: () => accepted,
    goDown,
    comeBack: async () => {
      await listen(port);
    },
    [Symbol.asyncDispose]: goDown,
  };
}
