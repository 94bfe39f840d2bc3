import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { withinCpu } from '../support/cpu-time.ts';
import { memoryGrounds } from './grounds.ts';
import { jobLists } from './requests.ts';
import { Scene } from './scene.ts';
import type { Match, ProxiedRequest } from './wire-faults.ts';

const always = { times: Number.POSITIVE_INFINITY };
const unfinished: Match = { to: 'prefect', body: /"Cancelling"/u };
const podLists: Match = { to: 'kubernetes', method: 'GET', path: /\/pods\?/u };
const eventLists: Match = { to: 'kubernetes', method: 'GET', path: /\/events\?/u };
const everything: Match = {};

const json = (value: unknown): string => JSON.stringify(value);
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const rowsFrom = (first: number): readonly object[] => Array.from({ length: 500 }, (_, n) => ({ id: id(first + n) }));

/** What redraws a terminal or turns its text round. */
const unreadable = /[^\P{Cc}\n\t]|[\u202A-\u202E\u2066-\u2069]/u;

/** Every text that the functions have left with Prefect, where people read it. */
function textsOf({ grounds }: Scene): readonly string[] {
  const { flow_run_state: states, log: logs } = grounds.prefect.tables;
  return [...states.all(), ...logs.all()].map(({ message }) => message ?? '');
}

/** Both functions work on, or say that they could not: within a bound of requests and CPU, and nothing is thrown. */
interface Lie {
  readonly about: Match;
  /** The body that comes in place of the true one; `asked` counts from 1. */
  readonly body: (asked: number, request: ProxiedRequest) => string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the ticks say: dispatch, then reconcile. */
  readonly want: readonly [dispatch: string | null, reconcile: string | null];
  readonly mostRequests?: number;
  /** The runs end Failed, as the API server's word demands. */
  readonly fails?: boolean;
}

const page = (items: readonly unknown[], token: string): string => json({ metadata: { continue: token }, items });
const batchOf = (request: ProxiedRequest, answer: unknown): string => {
  const operations = JSON.parse(request.body) as unknown;
  return json(Array.isArray(operations) ? operations.map(() => answer) : answer);
};
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const controls = '\0\u001B[2J\u001B]0;owned\u0007\r\nset-cookie: a=b\u009B31m\u202E';

const lies: Readonly<Record<string, Lie>> = {
  'pages of runs that repeat': {
    about: unfinished,
    body: (_asked, request) => batchOf(request, { data: { flow_run: rowsFrom(1), agent: [] } }),
    want: [null, 'PREFECT_UNREADABLE'],
    mostRequests: 12,
  },
  'pages of runs without end': {
    about: unfinished,
    body: (asked, request) => batchOf(request, { data: { flow_run: rowsFrom(asked * 500), agent: [] } }),
    want: [null, 'PREFECT_UNREADABLE'],
    mostRequests: 210,
  },
  'pages of Jobs that lead in a circle': {
    about: jobLists,
    body: () => page([], 'the-same-again'),
    want: ['CLUSTER_REFUSED', 'CLUSTER_REFUSED'],
    mostRequests: 10,
  },
  'pages of Jobs without end': {
    about: jobLists,
    body: (asked) => page([], `token-${asked}`),
    want: ['CLUSTER_REFUSED', 'CLUSTER_REFUSED'],
    mostRequests: 215,
  },
  'pages of events without end': {
    about: eventLists,
    body: (asked) => page([], `token-${asked}`),
    want: [null, null],
    mostRequests: 215,
  },
  'pages of pods of wrong types': {
    about: podLists,
    body: () => json({ items: [null, 5, [], { metadata: [] }, { metadata: { name: {}, uid: 1 } }], metadata: 'none' }),
    want: [null, null],
  },
  'Jobs without names, ages and labels': {
    about: jobLists,
    body: () => json({ items: [{}, { metadata: { name: 'a', uid: 'b', creationTimestamp: 'soon' } }, null, 'x'] }),
    want: [null, null],
  },
  'a list of Jobs that is deeper than the stack': {
    about: jobLists,
    body: () => `{"items": ${nested(200_000)}}`,
    want: [null, null],
  },
  'answers of Prefect that are deeper than the stack': {
    about: { to: 'prefect' },
    body: () => nested(200_000),
    want: ['PREFECT_UNREADABLE', 'PREFECT_UNREADABLE'],
  },
  'a million errors for one question': {
    about: { to: 'prefect' },
    body: (_asked, request) =>
      batchOf(request, { errors: Array.from({ length: 50_000 }, () => ({ message: controls })) }),
    want: ['PREFECT_REFUSED', 'PREFECT_REFUSED'],
  },
  'redirects, each to the next': {
    about: { to: 'prefect' },
    status: 302,
    headers: { location: 'http://169.254.169.254/latest/meta-data' },
    body: () => '{}',
    want: ['PREFECT_REFUSED', 'PREFECT_REFUSED'],
    mostRequests: 1,
  },
  'redirects of the API server': {
    about: { to: 'kubernetes' },
    status: 307,
    headers: { location: 'https://evil.example/' },
    body: () => '{}',
    want: ['CLUSTER_REFUSED', 'CLUSTER_REFUSED'],
    mostRequests: 8,
  },
  'a refusal with control characters': {
    about: { to: 'kubernetes', method: 'POST' },
    status: 422,
    fails: true,
    headers: { warning: `299 - "${controls}"`, 'retry-after': '1e308' },
    body: () => json({ kind: 'Status', reason: 'Invalid', message: `no: ${controls}`, details: 7 }),
    want: [null, null],
  },
  'nonsense from everybody': {
    about: everything,
    body: () => controls,
    want: ['PREFECT_UNREADABLE', 'PREFECT_UNREADABLE'],
  },
};

describe('a server that lies', () => {
  for (const [
    lie,
    { about, body, status = 200, headers = {}, want, mostRequests = 30, fails = false },
  ] of Object.entries(lies)) {
    it(`does no more harm than to be in the way: ${lie}`, async () => {
      const scene = await Scene.open(memoryGrounds());
      const runs = scene.runs(2, { part: { idle: true } });
      let asked = 0;
      const rewrite = (_true: unknown, request: ProxiedRequest) => {
        asked += 1;
        const type = { 'content-type': 'application/json' };
        return { status, headers: { ...type, ...headers }, body: body(asked, request) };
      };
      scene.relay.rule(about, { kind: 'rewrite', rewrite }, always);

      const ticks = await withinCpu(20_000, async () => {
        const dispatched = await scene.dispatch();
        const first = scene.requestsOfTheLast();
        const reconciled = await scene.reconcile();
        return { problems: [dispatched, reconciled], requests: [first, scene.requestsOfTheLast()] };
      });

      assert.deepEqual(
        ticks.problems.map(({ problem }) => problem?.code ?? null),
        want,
      );
      assert.ok(Math.max(...ticks.requests) <= mostRequests, `${ticks.requests.join(' and ')} requests`);
      for (const run of runs) assert.equal(scene.stateOf(run) === 'Failed', fails);
      assert.deepEqual(
        textsOf(scene).filter((text) => unreadable.test(text)),
        [],
      );
      scene.relay.clear();
    });
  }
});
