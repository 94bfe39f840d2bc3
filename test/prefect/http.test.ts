import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { generate } from 'selfsigned';

import { AnswerTooLargeError, connectHttp, StaleConnectionError } from '../../functions/prefect/http.ts';
import { describeNetworkFailure } from '../../functions/network.ts';
import type { PostAnswer } from '../../functions/prefect/contract.ts';
import { jsonAnswer } from '../../infra/local/http.ts';
import { serve, type LocalServer, type ServeOptions } from '../../infra/local/serve.ts';
import { patient } from '../support/clients.ts';
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
