import { promises as dns } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';

import type { Clock } from '../clock.ts';
import { describeNetworkFailure } from '../network.ts';
import { isPublicAddress } from './public-address.ts';

/** A larger answer is no template. */
export const largestTemplateBytes = 256 * 1024;

/** For name, connection and answer together. */
const limitMs = 5_000;

export interface WireRequest {
  readonly url: URL;
  /** The one address to connect to; the name in `url` is only for TLS and the Host header. */
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface WireAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Null: it is larger than asked for. */
  readonly body: Buffer | null;
}

/** Names and sockets: the machine's below, a test's own in tests. */
export interface Wire {
  /** All addresses of a name. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly send: (request: WireRequest) => Promise<WireAnswer>;
}

async function readUpTo(answer: http.IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) {
      answer.destroy();
      return null;
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Connects to the given address and to no other: no second look at the name, no proxy, no kept connection, no redirect. */
async function send({ url, address, headers, maxBytes, signal }: WireRequest): Promise<WireAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const options: https.RequestOptions = {
    agent: false,
    headers: { ...headers, host: url.host },
    signal,
    // The pair is for callers that ask for all addresses; Node does so when it may choose a family.
    lookup: (_host, { all }, callback) => {
      const family = isIP(address);
      if (all === true) callback(null, [{ address, family }]);
      else callback(null, address, family);
    },
  };
  const request = (url.protocol === 'https:' ? https : http).request(url, options, resolve);
  request.on('error', reject);
  request.end();
  const answer = await promise;
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await readUpTo(answer, maxBytes) };
}

export const systemWire: Wire = {
  resolve: async (host) => (await dns.lookup(host, { all: true, verbatim: true })).map(({ address }) => address),
  send,
};

export interface GetOptions {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** The operator named this very host: it may be private. Never for a place that a flow author chose. */
  readonly mayBePrivate?: boolean;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The body, or the end of a sentence that begins with what could not be read. */
export type GetResult =
  | { readonly kind: 'body'; readonly text: string }
  | { readonly kind: 'refused'; readonly rule: string; readonly problem: string };

const refused = (rule: string, problem: string): GetResult => ({ kind: 'refused', rule, problem });

/** The hostname without the brackets of an IPv6 literal. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/u, '$1');

/** The addresses of a host; of a literal, itself. */
async function addressesOf(url: URL, { wire, signal }: GetOptions): Promise<readonly string[]> {
  const host = hostOf(url);
  if (isIP(host) !== 0) return [host];
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    // The resolver itself knows no deadline.
    return await Promise.race([wire.resolve(host), promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function textOf({ status, headers, body }: WireAnswer): GetResult {
  if (status >= 300 && status < 400)
    return refused('template-redirected', `it is a redirect (${status}); none is followed`);
  if (status !== 200) return refused('template-unreachable', `the answer was ${status}`);
  if (body === null) return refused('template-too-large', `it is larger than ${largestTemplateBytes / 1024} KiB`);
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') return refused('template-unreachable', 'the answer is compressed');
  return { kind: 'body', text: body.toString() };
}

async function exchange(options: GetOptions): Promise<GetResult> {
  const { url, headers = {}, mayBePrivate = false, wire, signal } = options;
  const addresses = await addressesOf(url, options);
  const [address] = addresses;
  if (address === undefined) return refused('template-unreachable', 'its host has no address');
  // One private address among public ones is how a name is made to point inwards later.
  if (!mayBePrivate && !addresses.every(isPublicAddress)) {
    return refused('template-address-not-public', 'its host is not on the public internet');
  }
  const asked = { 'accept-encoding': 'identity', accept: '*/*', ...headers };
  return textOf(await wire.send({ url, address, headers: asked, maxBytes: largestTemplateBytes, signal }));
}

/**
 * Gets a small text from a place that somebody else chose: the name is resolved once, none of its addresses may be
 * anything but public, the connection goes to the address that was looked at, redirects are not followed, and size and
 * time are bounded. Never throws.
 */
export async function guardedGet(options: GetOptions): Promise<GetResult> {
  const signal = AbortSignal.any([options.signal, options.clock.limit(limitMs)]);
  try {
    return await exchange({ ...options, signal });
  } catch (error) {
    return refused('template-unreachable', describeNetworkFailure(error).advice);
  }
}
