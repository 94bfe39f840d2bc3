import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';

import type { LocalRequest, LocalResponse } from '../../infra/local/http.ts';

export interface Upstream {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string;
  /** PEM of the CA that signed its certificate. */
  readonly ca?: string;
}

/** Headers that name the connection they came over, not the request. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

function headersOf(raw: http.IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(raw).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

/** Sends requests on to a real server over HTTP/1.1, each over a connection of its own: no fault is the proxy's own. */
export function forwardTo({ url, ca }: Upstream): (request: LocalRequest) => Promise<LocalResponse> {
  const { protocol, hostname, port } = new URL(url);
  return async ({ method, path, headers, body }) => {
    const kept = Object.entries(headers).filter(([name]) => !hopByHop.has(name));
    const own = { ...Object.fromEntries(kept), 'content-length': String(Buffer.byteLength(body)) };
    const options = {
      hostname,
      port,
      path,
      method,
      headers: own,
      agent: false as const,
      ...(ca === undefined ? {} : { ca }),
    };
    const request = (protocol === 'https:' ? https : http).request(options);
    request.end(body);
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    return { status: answer.statusCode ?? 0, headers: headersOf(answer.headers), body: await text(answer) };
  };
}
