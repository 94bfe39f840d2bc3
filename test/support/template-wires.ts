import http from 'node:http';
import type { AddressInfo } from 'node:net';

import { systemClock, type Clock } from '../../functions/clock.ts';
import { systemWire, type Wire, type WireAnswer, type WireRequest } from '../../functions/templates/guarded-get.ts';
import {
  connectTemplates,
  type TemplateReader,
  type TemplateReaderOptions,
} from '../../functions/templates/template-reader.ts';

export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Connections, whether or not a request came over them. */
  readonly hits: () => number;
}

/** A server on loopback that counts who knocks. */
export async function startListener(
  answer: http.RequestListener = (_request, response) => response.end('kind: Job'),
): Promise<Listener> {
  let hits = 0;
  const server = http.createServer(answer);
  server.on('connection', () => {
    hits += 1;
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const close = async (): Promise<void> => {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeAllConnections();
    await closed.promise;
  };
  return { port: (server.address() as AddressInfo).port, hits: () => hits, [Symbol.asyncDispose]: close };
}

export const anAnswer = (wish: Partial<WireAnswer> = {}): WireAnswer => ({
  status: 200,
  headers: {},
  body: Buffer.from('kind: Job'),
  ...wish,
});

/** A wire without sockets: each name has the addresses given, each request the answer; what was sent is kept. */
export function aWire(
  names: Readonly<Record<string, readonly string[]>>,
  answer: (request: WireRequest) => WireAnswer | Promise<WireAnswer> = () => anAnswer(),
): Wire & { readonly asked: string[]; readonly sent: WireRequest[] } {
  const asked: string[] = [];
  const sent: WireRequest[] = [];
  return {
    asked,
    sent,
    resolve: async (host) => {
      asked.push(host);
      return names[host] ?? [];
    },
    send: async (request) => {
      sent.push(request);
      return answer(request);
    },
  };
}

/** The sockets of this machine, but names as given. */
export const socketsWithNames = (names: Readonly<Record<string, readonly string[]>>): Wire => ({
  ...systemWire,
  resolve: aWire(names).resolve,
});

export const never: Clock = { ...systemClock, limit: () => new AbortController().signal };

/** A reader of a stack that allows nothing from outside, unless told otherwise. */
export function aReader(wish: Partial<TemplateReaderOptions> = {}): TemplateReader {
  return connectTemplates({
    sources: [],
    folder: 'infra/templates',
    region: 'eu-central-1',
    s3Endpoint: null,
    credentials: async () => ({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'session' }),
    wire: aWire({}),
    clock: never,
    ...wish,
  });
}
