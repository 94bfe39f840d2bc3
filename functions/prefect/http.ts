import http from 'node:http';
import https from 'node:https';

import { codeOf } from '../network.ts';
import type { Post, PostRequest } from './contract.ts';

/** Answers beyond this are not read to the end. */
const maxAnswerBytes = 32 * 1024 * 1024;

/** A kept connection turned out to be dead before the server answered: a read may simply be sent again. */
export class StaleConnectionError extends Error {
  override readonly name = 'StaleConnectionError';
}

/** The answer is larger than the client is willing to hold. */
export class AnswerTooLargeError extends Error {
  override readonly name = 'AnswerTooLargeError';
}

export interface HttpOptions {
  /** PEM of a private CA, trusted in place of the system's; null: the system's. */
  readonly ca: string | null;
  readonly maxBytes?: number;
}

export interface HttpTransport {
  readonly post: Post;
  /** Destroys the kept connections: nothing outlives the handler. */
  close(): void;
}

/** Leaves out a byte order mark, which JSON does not allow and some proxies write. */
const utf8 = new TextDecoder();

async function readText(answer: http.IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) {
      answer.destroy();
      throw new AnswerTooLargeError(`more than ${maxBytes} bytes`);
    }
    chunks.push(chunk as Buffer);
  }
  return utf8.decode(Buffer.concat(chunks));
}

const brokenPipe: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

function send(url: URL, { headers, body, signal }: PostRequest, agent: http.Agent): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const length = { 'content-length': String(Buffer.byteLength(body)) };
  const options = { agent, headers: { ...headers, ...length }, method: 'POST', signal };
  const request = (url.protocol === 'https:' ? https : http).request(url, options, resolve);
  request.on('error', (error) => {
    const stale = request.reusedSocket && brokenPipe.has(codeOf(error));
    reject(stale ? new StaleConnectionError(error.message, { cause: error }) : error);
  });
  request.end(body);
  return promise;
}

/**
 * HTTP over kept connections, one agent per client, so that the CA of one server is trusted for that server only.
 * Redirects are not followed (they would carry the credential elsewhere), and an answer has a size limit.
 * The deadline is the caller's `signal`.
 *
 * Not by the global `fetch`, and without its `Headers` and `Response`: the first touch of any of them loads Node's own
 * undici, which a cold start pays for and nothing here needs.
 */
export function connectHttp({ ca, maxBytes = maxAnswerBytes }: HttpOptions): HttpTransport {
  const plain = new http.Agent({ keepAlive: true });
  const secure = new https.Agent({ keepAlive: true, ...(ca === null ? {} : { ca }) });
  return {
    post: async (request) => {
      const url = new URL(request.url);
      const answer = await send(url, request, url.protocol === 'https:' ? secure : plain);
      const { statusCode: status = 0, headers } = answer;
      return { status, contentType: headers['content-type'] ?? '', text: await readText(answer, maxBytes) };
    },
    close: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}
