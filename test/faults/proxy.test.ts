import assert from 'node:assert/strict';
import https from 'node:https';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, it } from 'node:test';

import { T0 } from '../support/time.ts';
import { big, codeOf, protocols, startBench } from './proxy-bench.ts';
import type { WireFault } from './wire-faults.ts';

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
        const [entry] = bench.relay.history;
        assert.ok(entry !== undefined);
        const { method, body, actor, to } = entry;
        assert.deepEqual([method, body, actor, to], ['POST', 'sent', 'client', 'prefect']);
        // The client may have read the end of an answer before the proxy hears that all of it was written.
        for (let turn = 0; turn < 100 && entry.answered !== want.answered; turn += 1) await nextTurn();
        assert.deepEqual([entry.applied, entry.answered], [want.applied, want.answered]);
      });
    }

    it('without a rule everything passes, over and over', async () => {
      await using bench = await startBench(protocol);

      const seen = [await bench.see({ path: '/a' }), await bench.see({ path: '/b' })];

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
      for (const path of ['/hit', '/miss', '/hit', '/miss', '/hit', '/hit'])
        seen.push((await bench.see({ path })).status);

      assert.deepEqual(seen, [200, 200, 500, 200, 500, 200]);
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

      const seen = await bench.see({ signal: bench.clock.limit(10_000) });
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

it('TLS: a client that trusts another CA does not come through', async () => {
  await using bench = await startBench('HTTP/1.1 over TLS');
  const { promise, resolve } = Promise.withResolvers<unknown>();
  https.get(bench.proxy.url, { agent: false }).on('error', resolve).on('response', resolve);

  assert.match(codeOf(await promise), /SELF_SIGNED|UNABLE_TO_VERIFY/u);
  assert.deepEqual(bench.relay.history, []);
});
