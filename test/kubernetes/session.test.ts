import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';

import {
  openSession,
  pageBytes,
  smallAnswerBytes,
  type ApiRequest,
  type ApiSession,
} from '../../functions/kubernetes/session.ts';
import { describeNetworkFailure } from '../../functions/network.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { patient } from '../support/clients.ts';

type OnStream = (stream: http2.ServerHttp2Stream, path: string, session: http2.ServerHttp2Session) => void;

interface World extends AsyncDisposable {
  readonly session: ApiSession;
  readonly stranger: ApiSession;
  readonly seen: string[];
}

/** What a server may send before it waits for us. */
const windowBytes = 4 * 1024 * 1024;

const answer: OnStream = (stream, path) => {
  stream.respond({ ':status': 200, 'x-path': path });
  stream.end('done');
};

/** A bare HTTP/2 server: what a connection may do to us is below what the local API plays. */
async function startWorld(onStream: OnStream = answer): Promise<World> {
  const { caPem, ...tls } = await makeServingCertificate();
  const server = http2.createSecureServer(tls);
  const seen: string[] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy());
    const path = headers[':path'] ?? '';
    seen.push(`${headers[':method']} ${path}`);
    if (stream.session !== undefined) onStream(stream, path, stream.session as http2.ServerHttp2Session);
  });
  server.on('sessionError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const session = openSession({ endpoint, ca: caPem });
  const stranger = openSession({ endpoint, ca: null });
  return {
    session,
    stranger,
    seen,
    [Symbol.asyncDispose]: async () => {
      session.close();
      stranger.close();
      for (const each of sessions) each.destroy();
      server.close();
    },
  };
}

const get = (path: string, wish: Partial<ApiRequest> = {}): ApiRequest => ({
  method: 'GET',
  path,
  headers: {},
  signal: patient(),
  ...wish,
});
const post = (path: string): ApiRequest => get(path, { method: 'POST', body: '{}' });

describe('openSession', () => {
  it('opens nothing before the first request', async () => {
    await using world = await startWorld();

    assert.equal(world.session.connections(), 0);
  });

  it('carries many requests over one connection', async () => {
    await using world = await startWorld();

    const paths = Array.from({ length: 250 }, (_, n) => `/${n}`);
    const answers = await Promise.all(paths.map((path) => world.session.send(get(path))));

    assert.deepEqual(
      answers.map(({ headers }) => headers['x-path']),
      paths,
    );
    assert.equal(world.session.connections(), 1);
  });

  it('lets the server send a page of a list without waiting for us', async () => {
    const page = 3 * 1024 * 1024;
    const windows: (number | undefined)[] = [];
    await using world = await startWorld((stream, path, session) => {
      const ofStream = session.remoteSettings.initialWindowSize;
      windows.push(Math.min(ofStream ?? 0, session.state.remoteWindowSize ?? 0));
      answer(stream, path, session);
    });
    await world.session.send(get('/first'));

    await world.session.send(get('/page'));

    assert.ok((windows.at(-1) ?? 0) > page, `a window of ${windows.at(-1)} bytes`);
  });

  it('opens another connection after the server said to go away', async () => {
    await using world = await startWorld((stream, path, session) => {
      answer(stream, path, session);
      if (path === '/first') session.goaway();
    });
    await world.session.send(get('/first'));

    const { status } = await world.session.send(post('/second'));

    assert.deepEqual([status, world.session.connections()], [200, 2]);
  });

  it('opens another connection after the old one died between two requests', async () => {
    await using world = await startWorld((stream, path, session) => {
      answer(stream, path, session);
      if (path === '/last') stream.on('close', () => session.destroy());
    });
    await world.session.send(get('/last'));
    await new Promise((resolve) => setImmediate(resolve));

    const { status } = await world.session.send(get('/next'));

    assert.equal(status, 200);
  });

  it('sends a refused stream again, even a create', async () => {
    let refusals = 1;
    await using world = await startWorld((stream, path, session) => {
      if (refusals === 0) return answer(stream, path, session);
      refusals -= 1;
      return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    });

    const { status } = await world.session.send(post('/jobs'));

    assert.deepEqual([status, world.seen], [200, ['POST /jobs', 'POST /jobs']]);
  });

  const dying: Record<string, { request: ApiRequest; times: number; wantSeen: number; wantOk: boolean }> = {
    'a read once': { request: get('/jobs'), times: 1, wantSeen: 2, wantOk: true },
    'a read not twice': { request: get('/jobs'), times: 2, wantSeen: 2, wantOk: false },
    'a create never': { request: post('/jobs'), times: 1, wantSeen: 1, wantOk: false },
  };
  for (const [name, { request, times, wantSeen, wantOk }] of Object.entries(dying)) {
    it(`repeats ${name} when the connection dies under it`, async () => {
      let left = times;
      await using world = await startWorld((stream, path, session) => {
        if (left === 0) return answer(stream, path, session);
        left -= 1;
        return session.destroy();
      });

      const outcome = await world.session.send(request).then(
        () => true,
        (error: unknown) => (describeNetworkFailure(error).kind === 'broken' ? false : 'another error'),
      );

      assert.deepEqual([outcome, world.seen.length], [wantOk, wantSeen]);
    });
  }

  it('rejects an answer that ends in the middle', async () => {
    await using world = await startWorld((stream, _path, session) => {
      stream.respond({ ':status': 200 });
      stream.write('half', () => setImmediate(() => session.destroy()));
    });

    await assert.rejects(world.session.send(post('/jobs')), (error) => describeNetworkFailure(error).kind === 'broken');
  });

  const sizes: Record<string, { wish?: Partial<ApiRequest>; status: number; bytes: number; want: number | null }> = {
    'a success of exactly the limit': { status: 201, bytes: smallAnswerBytes, want: smallAnswerBytes },
    'no success beyond it': { status: 201, bytes: smallAnswerBytes + 1, want: null },
    'a page of exactly its limit': { wish: { mostBytes: pageBytes }, status: 200, bytes: pageBytes, want: pageBytes },
    'no page beyond it': { wish: { mostBytes: pageBytes }, status: 200, bytes: pageBytes + 1, want: null },
    'a refusal of exactly the limit': { status: 400, bytes: smallAnswerBytes, want: smallAnswerBytes },
    'the status alone of a refusal beyond it': { status: 400, bytes: smallAnswerBytes + 1, want: 0 },
    'the status alone of a refusal beyond it in place of a page': {
      wish: { mostBytes: pageBytes },
      status: 500,
      bytes: smallAnswerBytes + 1,
      want: 0,
    },
  };
  for (const [name, { wish, status, bytes, want }] of Object.entries(sizes)) {
    it(`reads ${name}`, async () => {
      await using world = await startWorld((stream) => {
        stream.respond({ ':status': status });
        stream.end('x'.repeat(bytes));
      });

      const read = world.session.send(get('/', wish));

      if (want === null) await assert.rejects(read, /larger than/u);
      else assert.deepEqual(await read.then(({ body, ...rest }) => [rest.status, body.length]), [status, want]);
      assert.deepEqual(world.seen, ['GET /']);
    });
  }

  it('reads on where another answer was too large', async () => {
    await using world = await startWorld((stream, path, session) => {
      if (path !== '/large') return answer(stream, path, session);
      stream.respond({ ':status': 200 });
      return stream.end('x'.repeat(smallAnswerBytes + 1));
    });
    for (let sent = 0; sent < 2 * windowBytes; sent += smallAnswerBytes)
      await assert.rejects(world.session.send(get('/large')), /larger than/u);

    const { status } = await world.session.send(get('/next'));

    assert.deepEqual([status, world.session.connections()], [200, 1]);
  });

  it('leaves no connection open that a refused stream turned it from', async () => {
    let refusals = 1;
    const ended: Promise<unknown>[] = [];
    await using world = await startWorld((stream, path, session) => {
      if (refusals === 0) return answer(stream, path, session);
      refusals -= 1;
      ended.push(once(session, 'close'));
      return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    });
    await world.session.send(post('/jobs'));

    world.session.close();

    await Promise.all(ended);
    assert.equal(ended.length, 1);
  });

  it('gives up one request without touching the others', async () => {
    await using world = await startWorld((stream, path, session) => {
      if (path !== '/never') setImmediate(() => answer(stream, path, session));
    });
    const giveUp = new AbortController();

    const never = world.session.send(get('/never', { signal: giveUp.signal }));
    const other = world.session.send(get('/other'));
    giveUp.abort();

    await assert.rejects(never, (error) => describeNetworkFailure(error).kind === 'too-late');
    assert.equal((await other).status, 200);
    assert.equal(world.session.connections(), 1);
  });

  it('sends nothing for a signal that has aborted before', async () => {
    await using world = await startWorld();

    await assert.rejects(world.session.send(get('/', { signal: AbortSignal.abort() })));

    assert.deepEqual(world.seen, []);
  });

  for (const request of [get('/jobs'), post('/jobs')]) {
    it(`leaves no ${request.method} in flight when it is closed, and begins none after`, async () => {
      const arrived = Promise.withResolvers<void>();
      await using world = await startWorld(() => arrived.resolve());
      const pending = world.session.send(request);
      await arrived.promise;

      world.session.close();

      await assert.rejects(pending, (error) => describeNetworkFailure(error).kind === 'broken');
      await assert.rejects(world.session.send(request));
      assert.deepEqual([world.seen.length, world.session.connections()], [1, 1]);
    });
  }

  it('trusts nothing but the given CA', async () => {
    await using world = await startWorld();

    await assert.rejects(world.stranger.send(get('/')), (error) => describeNetworkFailure(error).kind === 'tls');
  });
});
