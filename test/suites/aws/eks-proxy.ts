import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface Address {
  readonly endpoint: string;
  readonly caPem: string;
}

export interface EksProxy extends AsyncDisposable {
  readonly url: string;
  /** Where the emulator is, which is known only after it was told of this proxy. */
  forwardTo(emulator: string): void;
}

function completed(body: string, { endpoint, caPem }: Address): string {
  const answer = JSON.parse(body) as { cluster?: Record<string, unknown> };
  if (answer.cluster === undefined) return body;
  const certificateAuthority = { data: Buffer.from(caPem).toString('base64') };
  return JSON.stringify({ cluster: { ...answer.cluster, endpoint, certificateAuthority } });
}

async function forward(request: http.IncomingMessage, emulator: string) {
  const { method, url = '/' } = request;
  const outgoing = http.request(new URL(url, emulator), { method, headers: request.headers });
  outgoing.end(await text(request));
  const [answer] = (await once(outgoing, 'response')) as [http.IncomingMessage];
  return { status: answer.statusCode ?? 500, body: await text(answer) };
}

/**
 * The EKS API: asks the emulator, which evaluates the caller's policy, and adds endpoint and CA of the real API server,
 * which the emulator cannot know.
 */
export async function startEksProxy(address: Address): Promise<EksProxy> {
  let emulator = '';
  const server = http.createServer((request, response) => {
    forward(request, emulator).then(
      ({ status, body }) => {
        response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(status === 200 ? completed(body, address) : body);
      },
      (error: unknown) => response.writeHead(502).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((closed) => {
      server.close(closed);
    });
  };
  return {
    url: `http://127.0.0.1:${port}`,
    forwardTo: (url) => {
      emulator = url;
    },
    [Symbol.asyncDispose]: stop,
  };
}
