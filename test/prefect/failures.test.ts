import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { BoundaryError, type ErrorCode } from '../../functions/errors.ts';
import type { PrefectOptions } from '../../functions/prefect/contract.ts';
import { Secret } from '../../functions/secret.ts';
import type { Source } from '../../functions/source.ts';
import type { Fault } from '../../infra/local/faults.ts';
import { jsonAnswer } from '../../infra/local/http.ts';
import { aRunId } from '../support/builders.ts';
import { patient, startPrefectWorld, type PrefectWorld } from '../support/clients.ts';

const known = { tenantId: '99999999-9999-4999-8999-999999999999' };
const anything = () => true;

const read = (world: PrefectWorld, wish: Partial<PrefectOptions> = {}) =>
  world.connect({ ...known, ...wish }).readRuns([aRunId(1)], patient());

const html = (status: number): Fault => ({
  kind: 'answer',
  answer: { status, headers: { 'content-type': 'text/html' }, body: '<html>hunter2 Bad Gateway</html>' },
});
const json = (status: number, body: unknown): Fault => ({ kind: 'answer', answer: jsonAnswer(status, body) });
const cut = (end: number): Fault => ({
  kind: 'rewrite',
  rewrite: (answer) => ({ ...answer, body: answer.body.slice(0, end) }),
});
const inside = (message: string, code = 'INTERNAL_SERVER_ERROR'): Fault =>
  json(200, [{ errors: [{ message, extensions: { code } }], data: null }]);

/** A source whose tokens come one after the other; it counts how often a new one was asked for. */
function tokens(...values: string[]): Source<Secret> & { refreshed: number } {
  let index = 0;
  const source = {
    refreshed: 0,
    current: async () => new Secret(values[index] ?? ''),
    refresh: async () => {
      source.refreshed += 1;
      index = Math.min(index + 1, values.length - 1);
      return source.current();
    },
  };
  return source;
}

describe('a read without a readable answer', () => {
  const cases: Record<string, { fault: Fault; wantCode: ErrorCode; wantAdvice: RegExp }> = {
    'the connection dies': { fault: { kind: 'drop-before' }, wantCode: 'PREFECT_UNREACHABLE', wantAdvice: /broke/ },
    'the gateway is down': { fault: html(502), wantCode: 'PREFECT_UNREACHABLE', wantAdvice: /status 502/ },
    'it is overloaded, in JSON': { fault: json(503, { m: 1 }), wantCode: 'PREFECT_UNREACHABLE', wantAdvice: /503/ },
    'it is forbidden': { fault: json(403, {}), wantCode: 'PREFECT_REFUSED', wantAdvice: /scope/ },
    'it redirects': { fault: html(302), wantCode: 'PREFECT_REFUSED', wantAdvice: /final address/ },
    'the body is too large for a proxy': { fault: html(413), wantCode: 'PREFECT_REFUSED', wantAdvice: /5 MB/ },
    'a login page answers': { fault: html(200), wantCode: 'PREFECT_UNREADABLE', wantAdvice: /not the user interface/ },
    'the answer is cut short': { fault: cut(9), wantCode: 'PREFECT_UNREADABLE', wantAdvice: /cut short/ },
    'the answer is empty': { fault: cut(0), wantCode: 'PREFECT_UNREADABLE', wantAdvice: /cut short/ },
    'one object comes in place of an array': {
      fault: json(200, { data: { flow_run: [] } }),
      wantCode: 'PREFECT_UNREADABLE',
      wantAdvice: /GraphQL batch/,
    },
    'the array is too short': { fault: json(200, []), wantCode: 'PREFECT_UNREADABLE', wantAdvice: /GraphQL batch/ },
    'the data is of another shape': {
      fault: json(200, [{ data: { flow_run: null } }]),
      wantCode: 'PREFECT_UNREADABLE',
      wantAdvice: /GraphQL batch/,
    },
    'the query engine is down': {
      fault: inside('request to http://hasura:3000/v1alpha1/graphql failed, reason: connect ECONNREFUSED'),
      wantCode: 'PREFECT_UNREACHABLE',
      wantAdvice: /hasura/,
    },
    'the query engine refuses': {
      fault: inside('hunter2 is no uuid', 'data-exception'),
      wantCode: 'PREFECT_REFUSED',
      wantAdvice: /\(data-exception\)/,
    },
    'data comes beside an error': {
      fault: json(200, [{ errors: [{ message: 'half of it' }], data: { flow_run: [] } }]),
      wantCode: 'PREFECT_REFUSED',
      wantAdvice: /without a code/,
    },
  };
  for (const [name, { fault, wantCode, wantAdvice }] of Object.entries(cases)) {
    it(`is ${wantCode} when ${name}`, async () => {
      await using world = await startPrefectWorld();
      world.api.faults.add({ matches: anything, fault });

      await assert.rejects(read(world), (error) => {
        assert.ok(error instanceof BoundaryError);
        assert.equal(error.code, wantCode);
        assert.match(error.message, wantAdvice);
        assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /hunter2/);
        return true;
      });
    });
  }

  it('is PREFECT_UNREACHABLE when the caller gives up', async () => {
    await using world = await startPrefectWorld();
    const giveUp = AbortSignal.abort();

    await assert.rejects(world.connect(known).readRuns([aRunId(1)], giveUp), { code: 'PREFECT_UNREACHABLE' });
  });

  it('is PREFECT_UNREACHABLE when nothing listens, and keeps credentials of the URL to itself', async () => {
    await using world = await startPrefectWorld();
    const client = world.connect({ ...known, url: 'http://user:hunter2@127.0.0.1:1/graphql?key=hunter2' });

    await assert.rejects(client.readRuns([aRunId(1)], patient()), (error) => {
      assert.ok(error instanceof BoundaryError);
      assert.match(
        error.message,
        /^The Prefect API at http:\/\/127\.0\.0\.1:1\/graphql could not be reached: nothing listens/,
      );
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });

  it('sends a read again when a kept connection was dead, once', async () => {
    await using world = await startPrefectWorld();
    const client = world.connect(known);
    await client.readRuns([aRunId(1)], patient());
    world.api.faults.add({ matches: anything, fault: { kind: 'drop-before' } });

    await client.readRuns([aRunId(1)], patient());
    world.api.faults.add({ matches: anything, fault: { kind: 'drop-before' }, times: 2 });

    await assert.rejects(client.readRuns([aRunId(1)], patient()), { code: 'PREFECT_UNREACHABLE' });
  });
});

describe('a request', () => {
  it('is a POST of an array of documents with their variables, and says that it is JSON', async () => {
    await using world = await startPrefectWorld();

    await read(world);

    const request = world.api.exchanges.at(-1)?.request;
    assert.equal(request?.method, 'POST');
    assert.equal(request.headers['content-type'], 'application/json');
    assert.equal(request.headers['accept'], 'application/graphql-response+json, application/json');
    const [operation, ...others] = JSON.parse(request.body) as readonly Record<string, unknown>[];
    assert.deepEqual([Object.keys(operation ?? {}), others], [['query', 'variables'], []]);
  });
});

describe('the runner token', () => {
  it('goes with each request, with the tenant beside it', async () => {
    await using world = await startPrefectWorld({ token: 'right' });

    await read(world, { token: tokens('right') });

    const headers = world.api.exchanges.at(-1)?.request.headers ?? {};
    assert.equal(headers['authorization'], 'Bearer right');
    assert.equal(headers['x-prefect-tenant-id'], known.tenantId);
    assert.equal(headers['x-prefect-core-version'], '1.4.1');
  });

  it('is fetched again once after it was rejected', async () => {
    await using world = await startPrefectWorld({ token: 'new' });
    const token = tokens('old', 'new');

    await read(world, { token });

    assert.equal(token.refreshed, 1);
  });

  it('is fetched again when the rejection comes inside a 200 answer', async () => {
    await using world = await startPrefectWorld();
    const token = tokens('old', 'new');
    world.api.faults.add({ matches: anything, fault: inside('no', 'UNAUTHENTICATED') });

    await read(world, { token });

    assert.equal(token.refreshed, 1);
  });

  const rejected: Record<string, { values: string[]; wantRequests: number }> = {
    'the new one is rejected too': { values: ['old', 'older'], wantRequests: 2 },
    'there is no other one': { values: ['old'], wantRequests: 1 },
  };
  for (const [name, { values, wantRequests }] of Object.entries(rejected)) {
    it(`is PREFECT_REFUSED when ${name}`, async () => {
      await using world = await startPrefectWorld({ token: 'right' });

      await assert.rejects(read(world, { token: tokens(...values) }), (error) => {
        assert.ok(error instanceof BoundaryError);
        assert.equal(error.code, 'PREFECT_REFUSED');
        assert.match(error.message, /rejected the runner token/);
        assert.doesNotMatch(error.message, /old/);
        return true;
      });
      assert.equal(world.api.exchanges.length, wantRequests);
    });
  }

  it('is PREFECT_REFUSED when the API wants one and none is configured', async () => {
    await using world = await startPrefectWorld({ token: 'right' });

    await assert.rejects(read(world), { code: 'PREFECT_REFUSED', message: /RUNNER_TOKEN_SECRET_ARN/ });
  });
});

describe('the tenant', () => {
  it('is asked for once, and a server without one says how to make it', async () => {
    await using world = await startPrefectWorld();
    const [tenant] = [...world.api.state.tables.tenant.all()];
    const client = world.connect();
    await client.listUnfinishedRuns(patient());
    await client.listUnfinishedRuns(patient());
    assert.deepEqual([client.tenantId(), world.api.exchanges.length], [tenant?.id, 3]);

    world.api.faults.add({ matches: anything, fault: json(200, [{ data: { tenant: [] } }]) });
    await assert.rejects(world.connect().listUnfinishedRuns(patient()), { message: /create-tenant/ });
  });

  it('comes from the key where the API is a hosted one', async () => {
    await using world = await startPrefectWorld();
    const memory = { tenantId: null, agentId: null };
    world.api.faults.add({
      matches: ({ body }) => body.includes('auth_info'),
      fault: json(200, [{ data: { auth_info: { tenant_id: known.tenantId } } }]),
    });

    const client = world.connect({ backend: 'cloud', memory });
    await client.listUnfinishedRuns(patient());

    assert.equal(client.tenantId(), known.tenantId);
  });
});

describe('a token that is slow to come', () => {
  const slow = () => {
    const source = { asked: 0, current: () => never(), refresh: () => never() };
    const never = (): Promise<Secret> => {
      source.asked += 1;
      return new Promise<Secret>(() => undefined);
    };
    return source;
  };

  it('takes no longer than the request that it is for', async () => {
    await using world = await startPrefectWorld();
    const controller = new AbortController();
    const reading = world.connect({ ...known, token: slow() }).readRuns([aRunId(1)], controller.signal);
    controller.abort(new DOMException('out of time', 'TimeoutError'));
    await assert.rejects(reading, { code: 'PREFECT_UNREACHABLE' });
  });

  it('is not asked for when there is no time left', async () => {
    await using world = await startPrefectWorld();
    const token = slow();
    const gone = AbortSignal.abort(new DOMException('out of time', 'TimeoutError'));
    await assert.rejects(world.connect({ ...known, token }).readRuns([aRunId(1)], gone), {
      code: 'PREFECT_UNREACHABLE',
    });
    assert.equal(token.asked, 0);
  });
});
