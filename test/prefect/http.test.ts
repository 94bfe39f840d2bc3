import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it } from 'node:test';

import { generate } from 'selfsigned';

import { connectPrefect } from '../../functions/prefect/client.ts';
import { AnswerTooLargeError, connectHttp, StaleConnectionError } from '../../functions/prefect/http.ts';
import { describeNetworkFailure } from '../../functions/network.ts';
import type { PostAnswer } from '../../functions/prefect/contract.ts';
import { constant } from '../../functions/source.ts';
import { jsonAnswer } from '../../infra/local/http.ts';
import { serve, type LocalServer, type ServeOptions } from '../../infra/local/serve.ts';
import { aRunId, STACK } from '../support/builders.ts';
import { aClock, patient } from '../support/clients.ts';
import { T0 } from '../support/time.ts';

interface World extends AsyncDisposable {
  readonly server: LocalServer;
  readonly post: (path?: string, signal?: AbortSignal) => Promise<PostAnswer>;
}

async function startWorld(wish: Partial<ServeOptions> & { ca?: string; maxBytes?: number } = {}): Promise<World> {
  const { ca = null, maxBytes, ...rest } = wish;
  const server = await serve({ handle: (request) => jsonAnswer(200, { got: request.body }), now: () => T0, ...rest });
  const transport = connectHttp({ ca, ...(maxBytes === undefined ? {} : { maxBytes }) });
  return {
    server,
    post: (path = '/', signal = patient()) =>
      transport.post({ url: server.url + path, body: 'hello', headers: { 'content-type': 'text/plain' }, signal }),
    [Symbol.asyncDispose]: async () => {
      transport.close();
      await server.close();
    },
  };
}

describe('connectHttp', () => {
  it('carries body, status and content type', async () => {
    await using world = await startWorld();

    const answer = await world.post();

    assert.deepEqual(answer, { status: 200, contentType: 'application/json', text: '{"got":"hello"}' });
  });

  it('keeps one connection for requests that follow each other', async () => {
    await using world = await startWorld();

    for (let n = 0; n < 5; n += 1) await world.post();

    assert.equal(world.server.connections(), 1);
  });

  it('says when a kept connection was dead, and only then', async () => {
    await using world = await startWorld();
    world.server.faults.add({ matches: () => true, fault: { kind: 'drop-before' }, times: 3 });

    await assert.rejects(world.post(), (error) => !(error instanceof StaleConnectionError));
    world.server.faults.clear();
    await world.post();
    world.server.faults.add({ matches: () => true, fault: { kind: 'drop-before' } });
    await assert.rejects(world.post(), StaleConnectionError);
  });

  it('does not follow a redirect', async () => {
    const answer = { status: 307, headers: { location: '/elsewhere' }, body: '' };
    await using world = await startWorld({ handle: () => answer });

    const { status } = await world.post();

    assert.equal(status, 307);
    assert.deepEqual(
      world.server.exchanges.map(({ request }) => request.path),
      ['/'],
    );
  });

  it('takes an answer without content', async () => {
    await using world = await startWorld({ handle: () => ({ status: 204, headers: {}, body: '' }) });

    assert.equal((await world.post()).status, 204);
  });

  it('leaves out a byte order mark, which no JSON begins with', async () => {
    await using world = await startWorld({ handle: () => ({ status: 200, headers: {}, body: '\u{FEFF}["ü"]' }) });

    assert.equal((await world.post()).text, '["ü"]');
  });

  it('says that an answer names no media type', async () => {
    await using world = await startWorld({ handle: () => ({ status: 200, headers: {}, body: '' }) });

    assert.equal((await world.post()).contentType, '');
  });

  const mostBytes = 32 * 1024 * 1024;
  const sizes: Record<string, { maxBytes?: number; bytes: number; wantRead: boolean }> = {
    'an answer of exactly the limit': { maxBytes: 1000, bytes: 1000, wantRead: true },
    'one byte more': { maxBytes: 1000, bytes: 1001, wantRead: false },
    'an answer of 32 MiB where no limit is set': { bytes: mostBytes, wantRead: true },
    'one byte more than that': { bytes: mostBytes + 1, wantRead: false },
  };
  for (const [name, { bytes, wantRead, ...limit }] of Object.entries(sizes)) {
    it(`${wantRead ? 'reads' : 'refuses'} ${name}`, async () => {
      const answer = { status: 200, headers: {}, body: 'x'.repeat(bytes) };
      await using world = await startWorld({ handle: () => answer, ...limit });

      if (wantRead) assert.equal((await world.post()).text.length, bytes);
      else await assert.rejects(world.post(), AnswerTooLargeError);
    });
  }

  it('gives up when the signal aborts', async () => {
    await using world = await startWorld();
    const giveUp = new AbortController();
    world.server.faults.add({ matches: () => true, fault: { kind: 'delay', ms: 60_000 } });

    const pending = world.post('/', giveUp.signal);
    giveUp.abort();

    await assert.rejects(pending, (error) => describeNetworkFailure(error).kind === 'too-late');
  });

  it('says that nothing listens', async () => {
    const world = await startWorld();
    await world[Symbol.asyncDispose]();

    await assert.rejects(world.post(), (error) => describeNetworkFailure(error).kind === 'refused');
  });

  it('trusts a private CA for its own server, and no certificate without it', async () => {
    const extension = { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] };
    const pair = await generate([{ name: 'commonName', value: 'api' }], { extensions: [extension] } as object);
    const tls = { cert: pair.cert, key: pair.private };
    await using trusted = await startWorld({ tls, ca: pair.cert });
    await using stranger = await startWorld({ tls });

    assert.equal((await trusted.post()).status, 200);
    await assert.rejects(stranger.post(), (error) => describeNetworkFailure(error).kind === 'tls');
  });
});

/** A server that says to each request what it likes, in bytes, and a client of it. */
async function startRaw(speak: (socket: Socket) => void) {
  let requests = 0;
  const ended: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    ended.push(once(socket, 'close'));
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (!chunk.toString().startsWith('POST')) return;
      requests += 1;
      speak(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const transport = connectHttp({ ca: null });
  const client = connectPrefect({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    backend: 'server',
    token: constant(null),
    tenantId: aRunId(9),
    memory: { tenantId: aRunId(9), agentId: aRunId(8) },
    agentName: 'agent',
    labels: [],
    stackId: STACK,
    clock: aClock(),
    post: transport.post,
  });
  return {
    client,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      transport.close();
      await Promise.all(ended);
      server.close();
    },
  };
}

const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-large: ';
const noRuns = JSON.stringify([{ data: { flow_run: [] } }]);
const answerWithHead = (bytes: number): string =>
  `${head}${'x'.repeat(bytes)}\r\ncontent-length: ${noRuns.length}\r\n\r\n${noRuns}`;

describe('the head of an answer of the Prefect API', () => {
  it('may take nearly 16 KiB', async () => {
    await using world = await startRaw((socket) => socket.write(answerWithHead(15 * 1024)));

    const { runs } = await world.client.readRuns([aRunId(1)], patient());

    assert.deepEqual([[...runs], world.requests()], [[], 1]);
  });

  it('that takes more is no answer, and is not asked for again, over a kept connection either', async () => {
    let large = false;
    await using world = await startRaw((socket) => socket.write(answerWithHead(large ? 17 * 1024 : 1)));
    await world.client.readRuns([aRunId(1)], patient());
    large = true;

    await assert.rejects(world.client.readRuns([aRunId(1)], patient()), { code: 'PREFECT_UNREADABLE' });

    assert.equal(world.requests(), 2);
  });

  it('that comes byte by byte ends when the time is over', async () => {
    const giveUp = new AbortController();
    let sent = 0;
    const trickle = (socket: Socket): void => {
      if (socket.destroyed) return;
      sent += 1;
      if (sent === 100) giveUp.abort();
      socket.write('x');
      setImmediate(trickle, socket);
    };
    await using world = await startRaw((socket) => socket.write(head, () => trickle(socket)));

    await assert.rejects(world.client.readRuns([aRunId(1)], giveUp.signal), { code: 'PREFECT_UNREACHABLE' });

    assert.equal(world.requests(), 1);
  });
});
