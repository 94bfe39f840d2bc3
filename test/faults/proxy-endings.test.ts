import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it } from 'node:test';

import { protocols, startBench, type Protocol } from './proxy-bench.ts';
import type { Match, WireFault } from './wire-faults.ts';

type Kind = WireFault['kind'];

/** A fault of each kind. */
const faults: { readonly [K in Kind]: Extract<WireFault, { readonly kind: K }> } = {
  delay: { kind: 'delay', ms: 1_000 },
  'drop-before': { kind: 'drop-before' },
  'drop-answer': { kind: 'drop-answer' },
  status: { kind: 'status', status: 503, retryAfterSeconds: 7 },
  truncate: { kind: 'truncate', bytes: 10 },
  drip: { kind: 'drip', bytes: 40, everyMs: 1_000 },
  reset: { kind: 'reset' },
  'go-away': { kind: 'go-away' },
  rewrite: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, status: 202 }) },
  meanwhile: { kind: 'meanwhile', when: 'after', act: () => undefined },
};

interface Ending {
  /** Status, or what the client says went wrong. */
  readonly sees: number | RegExp;
  /** Whether the server got the request. */
  readonly applied: boolean;
  /** Whether a client that keeps its connections sends the next request over the same one. */
  readonly keeps: boolean;
  /** What is said of the connection's end, where anything is. */
  readonly says?: 'Connection: close' | 'GOAWAY';
}

type Endings = Readonly<Record<Kind, Ending>>;

const kept = { applied: true, keeps: true } as const;
const lost = { applied: true, keeps: false } as const;
const undone = { applied: false, keeps: false } as const;
const fin = /^ECONNRESET socket hang up/u;
const cut = /^CUT$/u;

/** With TLS or without, a drop is a FIN, a reset a RST, and GOAWAY the end of the connection after an answer. */
const ofOne: Endings = {
  delay: { sees: 200, ...kept },
  'drop-before': { sees: fin, ...undone },
  'drop-answer': { sees: fin, ...lost },
  status: { sees: 503, applied: false, keeps: true },
  truncate: { sees: /^ECONNRESET aborted/u, ...lost },
  drip: { sees: 200, ...kept },
  reset: { sees: /^ECONNRESET read ECONNRESET/u, ...undone },
  'go-away': { sees: 200, ...lost, says: 'Connection: close' },
  rewrite: { sees: 202, ...kept },
  meanwhile: { sees: 200, ...kept },
};

const endings: Readonly<Record<Protocol, Endings>> = {
  'HTTP/1.1': ofOne,
  'HTTP/1.1 over TLS': ofOne,
  // Here a drop ends the connection without a GOAWAY, which would tell the client what was not done.
  'HTTP/2': {
    ...ofOne,
    'drop-before': { sees: cut, ...undone },
    'drop-answer': { sees: cut, ...lost },
    truncate: { sees: cut, ...lost },
    reset: { sees: /^ERR_HTTP2_STREAM_ERROR .*INTERNAL_ERROR$/u, applied: false, keeps: true },
    'go-away': { sees: /^ERR_HTTP2_STREAM_ERROR .*REFUSED_STREAM$/u, ...undone, says: 'GOAWAY' },
  },
};

const requests = [
  ['PUT', '/a'],
  ['PUT', '/b'],
  ['POST', '/a'],
  ['POST', '/b'],
] as const;

for (const protocol of protocols) {
  describe(`how each fault ends over ${protocol}, and what becomes of the connection`, () => {
    for (const [kind, want] of Object.entries(endings[protocol])) {
      it(kind, async () => {
        await using bench = await startBench(protocol, { keepAlive: true });
        bench.relay.rule({}, faults[kind as Kind]);

        const { status, error, headers, goaways } = await bench.see();
        const { length: served } = bench.served;
        const next = await bench.see();

        if (typeof want.sees === 'number') assert.deepEqual([status, error], [want.sees, null]);
        else assert.match(error ?? '', want.sees);
        assert.deepEqual([served, bench.proxy.connections()], [Number(want.applied), want.keeps ? 1 : 2]);
        assert.deepEqual([next.status, next.error], [200, null], 'the fault strikes once');
        assert.equal(headers['connection'] === 'close', want.says === 'Connection: close');
        assert.deepEqual(goaways, want.says === 'GOAWAY' ? [http2.constants.NGHTTP2_NO_ERROR] : []);
        assert.equal(headers['retry-after'], kind === 'status' ? '7' : undefined);
      });
    }
  });

  describe(`which requests a rule is about, over ${protocol}`, () => {
    const rules: Readonly<Record<string, { readonly match: Match; readonly hits: readonly string[] }>> = {
      'a method alone': { match: { method: 'PUT' }, hits: ['PUT /a', 'PUT /b'] },
      'a path alone': { match: { path: /^\/a$/u }, hits: ['PUT /a', 'POST /a'] },
      'a method and a path': { match: { method: 'PUT', path: /^\/a$/u }, hits: ['PUT /a'] },
      'a body': { match: { body: /^sent$/u }, hits: ['PUT /a', 'PUT /b', 'POST /a', 'POST /b'] },
      'another body': { match: { body: /^other$/u }, hits: [] },
      'another API': { match: { to: 'aws' }, hits: [] },
      'another actor': { match: { actor: 'somebody else' }, hits: [] },
      'nothing said': { match: {}, hits: ['PUT /a', 'PUT /b', 'POST /a', 'POST /b'] },
    };
    for (const [name, want] of Object.entries(rules)) {
      it(name, async () => {
        await using bench = await startBench(protocol, { keepAlive: true });
        bench.relay.rule(want.match, { kind: 'status', status: 418 }, { times: Number.POSITIVE_INFINITY });

        const hits: string[] = [];
        for (const [method, path] of requests) {
          const { status } = await bench.see({ method, path });
          if (status === 418) hits.push(`${method} ${path}`);
        }

        assert.deepEqual(hits, want.hits);
        assert.deepEqual(
          bench.relay.history.map(({ method, path }) => [method, path]),
          requests,
        );
      });
    }
  });
}
