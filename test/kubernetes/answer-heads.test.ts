import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import tls from 'node:tls';

import { connectKubernetes } from '../../functions/kubernetes/gateway.ts';
import { openSession } from '../../functions/kubernetes/session.ts';
import { describeNetworkFailure } from '../../functions/network.ts';
import { constant } from '../../functions/source.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { STACK } from '../support/builders.ts';
import { aClock, patient } from '../support/clients.ts';
import { aManifest, NAMESPACE } from '../support/cluster-world.ts';

const endpointOf = (server: tls.Server | http2.Http2SecureServer): string =>
  `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** An API server whose every answer has so many headers of so many bytes each, and a gateway to it. */
async function startWorld({ headers, bytes }: { headers: number; bytes: number }) {
  const { caPem, ...pair } = await makeServingCertificate();
  const server = http2.createSecureServer({ ...pair, maxSendHeaderBlockLength: 1024 * 1024 });
  const seen: string[] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  const large = Object.fromEntries(Array.from({ length: headers }, (_, n) => [`x-${n}`, 'x'.repeat(bytes)]));
  server.on('session', (session) => sessions.add(session));
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, head) => {
    seen.push(head[':method'] ?? '');
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, ...large });
    stream.end('{"metadata":{"uid":"uid-1"},"items":[]}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const gateway = connectKubernetes({
    address: { endpoint: endpointOf(server), ca: caPem },
    token: constant(null),
    namespace: NAMESPACE,
    stackId: STACK,
    clock: aClock(),
  });
  return {
    gateway,
    seen,
    [Symbol.asyncDispose]: async () => {
      gateway.close();
      for (const each of sessions) each.destroy();
      server.close();
    },
  };
}

describe('a large head of an answer', () => {
  it('is read as long as HTTP/2 takes it', async () => {
    await using world = await startWorld({ headers: 100, bytes: 500 });

    assert.deepEqual(await world.gateway.listJobs('a=b', patient()), []);
    assert.equal((await world.gateway.createJob(aManifest('etl-1'), patient())).kind, 'created');
  });

  for (const [what, size] of [
    ['of too many headers', { headers: 200, bytes: 500 }],
    ['of too many bytes', { headers: 100, bytes: 9_000 }],
  ] as const) {
    it(`${what} is no answer to a list, which is asked for once more and no more`, async () => {
      await using world = await startWorld(size);

      await assert.rejects(world.gateway.listJobs('a=b', patient()), { code: 'CLUSTER_UNREACHABLE' });

      assert.deepEqual(world.seen, ['GET', 'GET']);
    });

    it(`${what} leaves open what became of a create, which is sent once`, async () => {
      await using world = await startWorld(size);

      const answer = await world.gateway.createJob(aManifest('etl-1'), patient());

      assert.deepEqual([answer.kind === 'refused' && answer.class, world.seen], ['unknown', ['POST']]);
    });
  }
});

/** A HEADERS frame (RFC 9113, 6.2) of stream 1 that announces more than comes of it. */
const announced = Buffer.from([0x00, 0x3f, 0xff, 0x01, 0x04, 0x00, 0x00, 0x00, 0x01]);
/** Status 200, and a header `a` of 12,415 bytes (RFC 7541, 6.2.2). */
const begun = Buffer.from([0x88, 0x00, 0x01, 0x61, 0x7f, 0x80, 0x60]);
/** An empty SETTINGS frame: how a server begins. */
const settings = Buffer.from([0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00]);

describe('a head that comes byte by byte', () => {
  it('ends when the time is over', async () => {
    const giveUp = new AbortController();
    const { caPem, ...pair } = await makeServingCertificate();
    const server = tls.createServer({ ...pair, ALPNProtocols: ['h2'] });
    const ended = Promise.withResolvers<void>();
    let sent = 0;
    const trickle = (socket: tls.TLSSocket): void => {
      if (socket.destroyed) return;
      sent += 1;
      if (sent === 100) giveUp.abort();
      socket.write('x');
      setImmediate(trickle, socket);
    };
    server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('close', () => ended.resolve());
      socket.write(settings);
      socket.once('data', () => socket.write(Buffer.concat([announced, begun]), () => trickle(socket)));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = openSession({ endpoint: endpointOf(server), ca: caPem });

    const sending = session.send({ method: 'GET', path: '/', headers: {}, signal: giveUp.signal });

    await assert.rejects(sending, (error) => describeNetworkFailure(error).kind === 'too-late');
    assert.equal(session.connections(), 1);
    session.close();
    await ended.promise;
    server.close();
  });
});
