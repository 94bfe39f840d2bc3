import http from 'node:http';
import https from 'node:https';

import { codeOf } from '../network.ts';

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
  /** Shaped like the global `fetch`, for what a GraphQL client needs: a string body, headers, a signal. */
  readonly fetch: typeof fetch;
  /** Destroys the kept connections: nothing outlives the handler. */
  close(): void;
}

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
  return Buffer.concat(chunks).toString();
}

const brokenPipe: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

function send(url: URL, init: RequestInit, agent: http.Agent): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const body = typeof init.body === 'string' ? init.body : '';
  const headers = {
    ...Object.fromEntries(new Headers(init.headers)),
    'content-length': String(Buffer.byteLength(body)),
  };
  const signal = init.signal ?? undefined;
  const options = { agent, headers, method: init.method ?? 'GET', ...(signal === undefined ? {} : { signal }) };
  const request = (url.protocol === 'https:' ? https : http).request(url, options, resolve);
  request.on('error', (error) => {
    const stale = request.reusedSocket && brokenPipe.has(codeOf(error));
    reject(stale ? new StaleConnectionError(error.message, { cause: error }) : error);
  });
  request.end(body);
  return promise;
}

function responseOf(answer: http.IncomingMessage, text: string): Response {
  const status = answer.statusCode ?? 0;
  const contentType = answer.headers['content-type'];
  // The constructor refuses a body for these two; an API that answers so has nothing to say anyway.
  const body = status === 204 || status === 304 ? null : text;
  return new Response(body, { status, headers: contentType === undefined ? {} : { 'content-type': contentType } });
}

/**
 * HTTP over kept connections, one agent per client, so that the CA of one server is trusted for that server only.
 * Redirects are not followed (they would carry the credential elsewhere), and an answer has a size limit.
 * The deadline is the caller's `signal`.
 */
export function connectHttp({ ca, maxBytes = maxAnswerBytes }: HttpOptions): HttpTransport {
  const plain = new http.Agent({ keepAlive: true });
  const secure = new https.Agent({ keepAlive: true, ...(ca === null ? {} : { ca }) });
  return {
    fetch: async (input, init = {}) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const answer = await send(url, init, url.protocol === 'https:' ? secure : plain);
      return responseOf(answer, await readText(answer, maxBytes));
    },
    close: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}
