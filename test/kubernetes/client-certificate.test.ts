import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, it } from 'node:test';

import { generate } from 'selfsigned';

import { openSession, type ClusterAddress } from '../../functions/kubernetes/session.ts';
import { describeNetworkFailure } from '../../functions/network.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { patient } from '../support/clients.ts';

interface ServerWorld extends AsyncDisposable {
  readonly address: ClusterAddress;
  readonly certificate: Pick<ClusterAddress, 'clientCert' | 'clientKey'>;
  readonly stranger: Pick<ClusterAddress, 'clientCert' | 'clientKey'>;
}

/** A certificate that is its own authority: the server trusts that one client and nobody else. */
async function makeClient(name: string) {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], { keyType: 'ec' });
  return { clientCert: cert, clientKey: key };
}

/** A server that lets in whoever has the certificate, and answers with the name in it. */
async function startServer(): Promise<ServerWorld> {
  const { caPem, ...tls } = await makeServingCertificate();
  const certificate = await makeClient('operator');
  const server = http2.createSecureServer({ ...tls, ca: certificate.clientCert, requestCert: true });
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream) => {
    const socket = stream.session?.socket as TLSSocket | undefined;
    stream.respond({ ':status': 200 });
    stream.end(socket?.getPeerCertificate().subject.CN);
  });
  server.on('sessionError', () => undefined).on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address: { endpoint, ca: caPem },
    certificate,
    stranger: await makeClient('operator'),
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

async function askAt(address: ClusterAddress): Promise<string> {
  const session = openSession(address);
  try {
    return (await session.send({ method: 'GET', path: '/', headers: {}, signal: patient() })).body;
  } finally {
    session.close();
  }
}

describe('a session with a client certificate', () => {
  it('shows it to the server, which lets nobody in without', async () => {
    await using world = await startServer();

    assert.equal(await askAt({ ...world.address, ...world.certificate }), 'operator');
    await assert.rejects(askAt(world.address));
    await assert.rejects(askAt({ ...world.address, ...world.stranger }));
  });

  it('holds the server to the name that it is given, as behind a tunnel', async () => {
    await using world = await startServer();
    const address = { ...world.address, ...world.certificate };

    assert.equal(await askAt({ ...address, serverName: 'localhost' }), 'operator');
    await assert.rejects(
      askAt({ ...address, serverName: 'eks.example' }),
      (error) => describeNetworkFailure(error).kind === 'tls',
    );
  });
});
