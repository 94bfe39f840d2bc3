import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { before, describe, it } from 'node:test';
import { text } from 'node:stream/consumers';

import { jsonAnswer, type LocalRequest } from '../../infra/local/http.ts';
import { makeServingCertificate, type ServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { serve, type LocalServer } from '../../infra/local/serve.ts';
import { T0 } from '../support/time.ts';
import { FaultClock } from './fault-clock.ts';
import { forwardTo } from './forward.ts';
import { startFaultProxy, type FaultProxy } from './proxy.ts';
import { Relay } from './relay.ts';
import type { WireFault } from './wire-faults.ts';

/** What one client saw of one request. */
interface Seen {
  readonly status: number | null;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Code of what went wrong; null: nothing did. */
  readonly error: string | null;
  /** Codes of the GOAWAY frames that came. */
  readonly goaways: readonly number[];
}

type Protocol = 'HTTP/1.1' | 'HTTP/1.1 over TLS' | 'HTTP/2';

const protocols: readonly Protocol[] = ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2'];
const big = 'x'.repeat(100);

let certificate: ServingCertificate;

interface Bench extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly relay: Relay;
  readonly clock: FaultClock;
  readonly server: LocalServer;
  readonly served: LocalRequest[];
  see(path?: string, signal?: AbortSignal): Promise<Seen>;
}

const codeOf = (error: unknown): string => {
  const { code, message } = error as { code?: string; message: string };
  return `${code ?? ''} ${message}`;
};

async function seeOne(url: string, path: string, signal?: AbortSignal): Promise<Seen> {
  const seen = { status: null as number | null, body: '', headers: {}, error: null as string | null, goaways: [] };
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const options = { ca: certificate.caPem, agent: false as const, method: 'POST', ...(signal ? { signal } : {}) };
  const request = url.startsWith('https') ? https.request(url + path, options) : http.request(url + path, options);
  request.on('response', resolve).on('error', reject).end('sent');
  try {
    const answer = await promise;
    Object.assign(seen, { status: answer.statusCode, headers: answer.headers });
    for await (const chunk of answer) seen.body += String(chunk);
  } catch (error) {
    seen.error = codeOf(error);
  }
  return seen;
}

async function seeTwo(url: string, path: string, signal?: AbortSignal): Promise<Seen> {
  const goaways: number[] = [];
  const session = http2.connect(url, { ca: certificate.caPem });
  session.on('error', () => undefined).on('goaway', (code: number) => goaways.push(code));
  const { promise, resolve } = Promise.withResolvers<Seen>();
  let head: Record<string, unknown> = {};
  let error: string | null = null;
  const stream = session.request({ ':method': 'POST', ':path': path }, signal ? { signal } : {});
  stream.on('response', (raw) => {
    head = raw;
  });
  stream.on('error', (problem) => {
    error = codeOf(problem);
  });
  const body = text(stream).catch(() => '');
  stream.on('close', () => {
    const status = Number(head[':status'] ?? 0) || null;
    const broken = error ?? (stream.readableEnded ? null : 'CUT');
    void body.then((got) => resolve({ status, body: got, headers: head, error: broken, goaways }));
  });
  stream.end('sent');
  const seen = await promise;
  session.destroy();
  return seen;
}

async function startBench(protocol: Protocol): Promise<Bench> {
  const clock = new FaultClock(T0);
  const now = (): Date => clock.now();
  const served: LocalRequest[] = [];
  const server = await serve({
    now,
    handle: (request) => {
      served.push(request);
      return jsonAnswer(200, big);
    },
  });
  const relay = new Relay({ now, pause: (ms, gone) => clock.pass(ms, gone) });
  const tls = protocol === 'HTTP/1.1' ? {} : { tls: certificate };
  const proxy = await startFaultProxy({
    to: 'prefect',
    actor: () => 'client',
    relay,
    forward: forwardTo(server),
    ...tls,
  });
  const see = protocol === 'HTTP/2' ? seeTwo : seeOne;
  return {
    proxy,
    relay,
    clock,
    server,
    served,
    see: (path = '/', signal) => see(proxy.url, path, signal),
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await server.close();
    },
  };
}

interface Case {
  readonly fault: WireFault;
  readonly status: number | null;
  /** Bytes of the body that arrived: between these. */
  readonly bytes: readonly [number, number];
  readonly broken: boolean;
  readonly applied: boolean;
  readonly answered: boolean;
}

const whole = big.length + 2;
const dead = { status: null, bytes: [0, 0], broken: true, answered: false } as const;
const fine = { status: 200, bytes: [whole, whole], broken: false, applied: true, answered: true } as const;

const cases: Record<string, Case> = {
  'delay: the answer comes later': { fault: { kind: 'delay', ms: 30_000 }, ...fine },
  'drop before: nothing was done': { fault: { kind: 'drop-before' }, ...dead, applied: false },
  'drop the answer: it was done': { fault: { kind: 'drop-answer' }, ...dead, applied: true },
  'status: another answer, nothing was done': {
    fault: { kind: 'status', status: 503, body: 'later' },
    status: 503,
    bytes: [5, 5],
    broken: false,
    applied: false,
    answered: true,
  },
  'truncate: the head, some bytes, and the end': {
    fault: { kind: 'truncate', bytes: 10 },
    status: 200,
    bytes: [0, 10],
    broken: true,
    applied: true,
    answered: false,
  },
  'drip: all of it, slowly': { fault: { kind: 'drip', bytes: 10, everyMs: 1_000 }, ...fine },
  'reset: nothing was done': { fault: { kind: 'reset' }, ...dead, applied: false },
  'rewrite: it was done, the answer is another': {
    fault: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, status: 202, body: 'other' }) },
    status: 202,
    bytes: [5, 5],
    broken: false,
    applied: true,
    answered: true,
  },
};

before(async () => {
  certificate = await makeServingCertificate();
});

for (const protocol of protocols) {
  describe(`the fault proxy over ${protocol}`, () => {
    for (const [name, want] of Object.entries(cases)) {
      it(name, async () => {
        await using bench = await startBench(protocol);
        bench.relay.rule({}, want.fault);

        const seen = await bench.see();

        assert.equal(seen.status, want.status);
        assert.ok(seen.body.length >= want.bytes[0] && seen.body.length <= want.bytes[1], `${seen.body.length} bytes`);
        assert.equal(seen.error !== null, want.broken, String(seen.error));
        assert.equal(bench.served.length, Number(want.applied));
        const { method, body, actor, to, applied, answered } = bench.relay.history[0] ?? {};
        assert.deepEqual([method, body, actor, to], ['POST', 'sent', 'client', 'prefect']);
        assert.deepEqual([applied, answered], [want.applied, want.answered]);
      });
    }

    it('without a rule everything passes, over and over', async () => {
      await using bench = await startBench(protocol);

      const seen = [await bench.see('/a'), await bench.see('/b')];

      assert.deepEqual(
        seen.map(({ status, error }) => [status, error]),
        [
          [200, null],
          [200, null],
        ],
      );
      assert.deepEqual(
        bench.served.map(({ path }) => path),
        ['/a', '/b'],
      );
    });

    it('a rule strikes the n-th match, as often as it is told, and only what matches', async () => {
      await using bench = await startBench(protocol);
      bench.relay.rule({ path: /^\/hit/u }, { kind: 'status', status: 500 }, { nth: 2, times: 2 });

      const seen: (number | null)[] = [];
      for (const path of ['/hit', '/miss', '/hit', '/miss', '/hit', '/hit']) seen.push((await bench.see(path)).status);

      assert.deepEqual(seen, [200, 200, 500, 200, 500, 200]);
    });

    it('a rule by the method alone strikes only that', async () => {
      await using bench = await startBench(protocol);
      bench.relay.rule({ method: 'DELETE' }, { kind: 'status', status: 403 });
      bench.relay.rule({ method: 'POST' }, { kind: 'status', status: 500 });

      const seen = [(await bench.see()).status, (await bench.see()).status];

      assert.deepEqual(seen, [500, 200]);
    });

    it('a status can say when to come again', async () => {
      await using bench = await startBench(protocol);
      bench.relay.rule({}, { kind: 'status', status: 429, retryAfterSeconds: 30 });

      const { headers } = await bench.see();

      assert.equal(headers['retry-after'], '30');
    });

    it('the world is that much older after a delay, and before each piece', async () => {
      await using bench = await startBench(protocol);
      bench.relay.rule({}, { kind: 'delay', ms: 30_000 });
      bench.relay.rule({}, { kind: 'drip', bytes: whole / 2, everyMs: 5_000 }, { nth: 2 });
      const age = (): number => bench.clock.now().getTime() - T0.getTime();

      await bench.see();
      const afterDelay = age();
      await bench.see();

      assert.deepEqual([afterDelay, age()], [30_000, 40_000]);
    });

    it('a client that gives up is not waited for, and what it asked for is done all the same', async () => {
      await using bench = await startBench(protocol);
      bench.relay.rule({}, { kind: 'delay', ms: 3_600_000 });

      const seen = await bench.see('/', bench.clock.limit(10_000));
      while (bench.relay.history[0]?.applied !== true) await nextTurn();

      assert.equal(seen.status, null);
      assert.ok(bench.clock.now().getTime() - T0.getTime() < 60_000);
      assert.equal(bench.relay.history[0]?.answered, false);
    });

    it('something happens before a request, or after it took effect and before its answer', async () => {
      await using bench = await startBench(protocol);
      const order: string[] = [];
      const act = (): void => void order.push(`served ${bench.served.length}`);
      bench.relay.rule({}, { kind: 'meanwhile', when: 'before', act });
      bench.relay.rule({}, { kind: 'meanwhile', when: 'after', act }, { nth: 2 });

      await bench.see();
      await bench.see();

      assert.deepEqual(order, ['served 0', 'served 2']);
    });

    it('down: nobody listens; back: at the same address', async () => {
      await using bench = await startBench(protocol);
      await bench.proxy.goDown();
      const { error } = await bench.see();
      await bench.proxy.comeBack();
      const { status } = await bench.see();

      assert.match(error ?? '', /ECONNREFUSED|ERR_HTTP2/u);
      assert.equal(status, 200);
    });

    it('a server behind it that is away shows as a closed connection', async () => {
      await using bench = await startBench(protocol);
      await bench.server.close();

      const { status, error } = await bench.see();

      assert.deepEqual([status, error !== null], [null, true]);
      assert.equal(bench.relay.history[0]?.applied, false);
    });
  });
}

describe('what exists in one protocol only', () => {
  it('go-away over HTTP/2: GOAWAY, the stream refused, nothing done', async () => {
    await using bench = await startBench('HTTP/2');
    bench.relay.rule({}, { kind: 'go-away' });

    const { error, goaways } = await bench.see();

    assert.deepEqual([goaways, bench.served.length], [[http2.constants.NGHTTP2_NO_ERROR], 0]);
    assert.match(error ?? '', /ERR_HTTP2_STREAM_ERROR|ERR_HTTP2_GOAWAY_SESSION/u);
  });

  for (const protocol of ['HTTP/1.1', 'HTTP/1.1 over TLS'] as const) {
    it(`go-away over ${protocol}: a full answer that closes the connection`, async () => {
      await using bench = await startBench(protocol);
      bench.relay.rule({}, { kind: 'go-away' });

      const { status, headers } = await bench.see();

      assert.deepEqual([status, headers['connection'], bench.served.length], [200, 'close', 1]);
    });

    it(`reset over ${protocol} is a TCP RST`, async () => {
      await using bench = await startBench(protocol);
      bench.relay.rule({}, { kind: 'reset' });

      assert.match((await bench.see()).error ?? '', /read ECONNRESET/u);
    });

    it(`a drop over ${protocol} is a FIN, not a RST`, async () => {
      await using bench = await startBench(protocol);
      bench.relay.rule({}, { kind: 'drop-answer' });

      assert.match((await bench.see()).error ?? '', /socket hang up/u);
    });
  }

  it('reset over HTTP/2 is a stream error', async () => {
    await using bench = await startBench('HTTP/2');
    bench.relay.rule({}, { kind: 'reset' });

    assert.match((await bench.see()).error ?? '', /ERR_HTTP2_STREAM_ERROR/u);
  });

  it('TLS: a client that trusts another CA does not come through', async () => {
    await using bench = await startBench('HTTP/1.1 over TLS');
    const { promise, resolve } = Promise.withResolvers<unknown>();
    https.get(bench.proxy.url, { agent: false }).on('error', resolve).on('response', resolve);

    assert.match(codeOf(await promise), /SELF_SIGNED|UNABLE_TO_VERIFY/u);
    assert.deepEqual(bench.relay.history, []);
  });
});
