import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { text } from 'node:stream/consumers';

import { jsonAnswer, type LocalRequest } from '../../infra/local/http.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { serve, type LocalServer } from '../../infra/local/serve.ts';
import { T0 } from '../support/time.ts';
import { FaultClock } from './fault-clock.ts';
import { forwardTo } from './forward.ts';
import { startFaultProxy, type FaultProxy } from './proxy.ts';
import { Relay } from './relay.ts';

/** What one client saw of one request. */
export interface Seen {
  readonly status: number | null;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Code and message of what went wrong; null: nothing did. */
  readonly error: string | null;
  /** Codes of the GOAWAY frames that came. */
  readonly goaways: readonly number[];
}

export const protocols = ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2'] as const;

export type Protocol = (typeof protocols)[number];

/** What the server behind the proxy answers, as JSON. */
export const big = 'x'.repeat(100);

interface Request {
  readonly method?: string;
  readonly path?: string;
  readonly signal?: AbortSignal;
}

interface Client extends Disposable {
  readonly see: (request?: Request) => Promise<Seen>;
}

const certificate = await makeServingCertificate();

export const codeOf = (error: unknown): string => {
  const { code, message } = error as { code?: string; message: string };
  return `${code ?? ''} ${message}`;
};

function clientOfOne(url: string, keepAlive: boolean): Client {
  const isSecure = url.startsWith('https');
  const agent = isSecure
    ? new https.Agent({ keepAlive, maxSockets: 1, ca: certificate.caPem })
    : new http.Agent({ keepAlive, maxSockets: 1 });
  const see: Client['see'] = async ({ method = 'POST', path = '/', signal } = {}) => {
    const seen = { status: null as number | null, body: '', headers: {}, error: null as string | null, goaways: [] };
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const options = { agent, method, ...(signal ? { signal } : {}) };
    const request = (isSecure ? https : http).request(url + path, options);
    request.on('response', resolve).on('error', reject).end('sent');
    try {
      const answer = await promise;
      Object.assign(seen, { status: answer.statusCode, headers: answer.headers });
      for await (const chunk of answer) seen.body += String(chunk);
    } catch (error) {
      seen.error = codeOf(error);
    }
    return seen;
  };
  return { see, [Symbol.dispose]: () => agent.destroy() };
}

type Stream = http2.ClientHttp2Stream;

async function seeStream(stream: Stream): Promise<Omit<Seen, 'goaways'>> {
  const { promise, resolve } = Promise.withResolvers<Omit<Seen, 'goaways'>>();
  let head: Record<string, unknown> = {};
  let error: string | null = null;
  stream.on('response', (raw) => {
    head = raw;
  });
  stream.on('error', (problem) => {
    error = codeOf(problem);
  });
  const body = text(stream).catch(() => '');
  stream.on('close', () => {
    const status = Number(head[':status'] ?? 0) || null;
    const broken = error ?? (stream.readableEnded ? null : 'CUT');
    void body.then((got) => resolve({ status, body: got, headers: head, error: broken }));
  });
  stream.end('sent');
  return promise;
}

function clientOfTwo(url: string, keepAlive: boolean): Client {
  const goaways: number[] = [];
  const connect = (): http2.ClientHttp2Session =>
    http2
      .connect(url, { ca: certificate.caPem })
      .on('error', () => undefined)
      .on('goaway', (code: number) => goaways.push(code));
  let session: http2.ClientHttp2Session | null = null;
  const isOpen = ({ closed, destroyed }: http2.ClientHttp2Session): boolean => !closed && !destroyed;
  const see: Client['see'] = async ({ method = 'POST', path = '/', signal } = {}) => {
    const asked = session !== null && isOpen(session) ? session : connect();
    session = asked;
    const head = { ':method': method, ':path': path };
    const options = { endStream: false, ...(signal ? { signal } : {}) };
    const seen = await seeStream(asked.request(head, options));
    if (!keepAlive) asked.destroy();
    return { ...seen, goaways: goaways.splice(0) };
  };
  return { see, [Symbol.dispose]: () => session?.destroy() };
}

export interface Bench extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly relay: Relay;
  readonly clock: FaultClock;
  readonly server: LocalServer;
  readonly served: readonly LocalRequest[];
  readonly see: Client['see'];
}

/** A server, a proxy before it and one client, which keeps its connection or opens one for each request. */
export async function startBench(protocol: Protocol, { keepAlive = false } = {}): Promise<Bench> {
  await using started = new AsyncDisposableStack();
  const clock = new FaultClock(T0);
  const now = (): Date => clock.now();
  const served: LocalRequest[] = [];
  const handle = (request: LocalRequest) => {
    served.push(request);
    return jsonAnswer(200, big);
  };
  const server = await serve({ now, handle });
  started.defer(() => server.close());
  const relay = new Relay({ now, pause: (ms, gone) => clock.pass(ms, gone) });
  const tls = protocol === 'HTTP/1.1' ? {} : { tls: certificate };
  const behind = { to: 'prefect', actor: () => 'client', relay, forward: forwardTo(server) } as const;
  const proxy = started.use(await startFaultProxy({ ...behind, ...tls }));
  const client = started.use((protocol === 'HTTP/2' ? clientOfTwo : clientOfOne)(proxy.url, keepAlive));
  const parts = started.move();
  const dispose = (): Promise<void> => parts.disposeAsync();
  return { proxy, relay, clock, server, served, see: client.see, [Symbol.asyncDispose]: dispose };
}
