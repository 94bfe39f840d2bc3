import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { asks, failElement, serviceDown } from '../../infra/local/prefect-api/faults.ts';
import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { startPrefectApi } from '../../infra/local/prefect-api/server.ts';
import { PrefectDouble } from '../support/prefect-api.ts';
import { T0 } from '../support/time.ts';

const html = 'text/html; charset=utf-8';
const hello = '{"data":{"hello":"👋"}}\n';
const bodyMissing = 'POST body missing. Did you forget use body-parser middleware?';

describe('a request', () => {
  const cases = {
    'with an object of variables': { body: '{"query":"{hello}","variables":{}}', status: 200, want: hello },
    'with variables as text': { body: '{"query":"{hello}","variables":"{\\"a\\":1}"}', status: 200, want: hello },
    'with the text null for variables': { body: '{"query":"{hello}","variables":"null"}', status: 200, want: hello },
    'with null for variables': { body: '{"query":"{hello}","variables":null}', status: 200, want: hello },
    'without variables': { body: '{"query":"{hello}"}', status: 200, want: hello },
    'with variables that are no JSON': {
      body: '{"query":"{hello}","variables":"{"}',
      status: 400,
      want: 'Variables are invalid JSON.',
    },
    'with an empty body': { body: '', status: 500, want: bodyMissing },
    'with an empty object': { body: '{}', status: 500, want: bodyMissing },
    'with an empty array': { body: '[]', status: 500, want: bodyMissing },
    'without a query': { body: '{"variables":{}}', status: 400, want: 'Must provide query string.' },
    'with a query that is no text': { body: '{"query":1}', status: 400, want: 'GraphQL queries must be strings.' },
    'in an array of one': { body: '[{"query":"{hello}"}]', status: 200, want: '[{"data":{"hello":"👋"}}]\n' },
  };
  for (const [name, { body, status, want }] of Object.entries(cases)) {
    it(`${name} is answered ${status}`, () => {
      const answer = new PrefectDouble().send({ body });

      assert.equal(answer.status, status);
      assert.equal(answer.body, want);
    });
  }

  it('with another content type has no body', () => {
    const answer = new PrefectDouble().send({ headers: { 'content-type': 'text/plain' }, body: '{"query":"{hello}"}' });

    assert.deepEqual([answer.status, answer.body], [500, bodyMissing]);
  });

  for (const [what, body] of [
    ['no JSON', '{oops'],
    ['a bare scalar', '"{hello}"'],
  ] as const) {
    it(`whose body is ${what} is answered by a page`, () => {
      const answer = new PrefectDouble().send({ body });

      assert.equal(answer.status, 400);
      assert.equal(answer.headers['content-type'], html);
      assert.match(answer.body, /^<!DOCTYPE html>[^]*<pre>SyntaxError: /);
    });
  }

  it('of 5 MB passes, one byte more does not', () => {
    const api = new PrefectDouble();
    const frame = '{"query":"{hello}","variables":{"x":""}}';
    const bodyOf = (bytes: number) => frame.replace('""', `"${'a'.repeat(bytes - frame.length)}"`);
    const limit = 5 * 1024 * 1024;

    assert.equal(api.send({ body: bodyOf(limit) }).status, 200);
    const refused = api.send({ body: bodyOf(limit + 1) });
    assert.equal(refused.status, 413);
    assert.match(refused.body, /<pre>PayloadTooLargeError: request entity too large/);
  });

  it('may go to any path', () => {
    const answer = new PrefectDouble().send({ path: '/graphql', body: '{"query":"{hello}"}' });

    assert.equal(answer.body, hello);
  });

  const gets = {
    'with a query': { path: '/?query=%7Bhello%7D', status: 200, want: hello },
    'without one': { path: '/', status: 400, want: 'GET query missing.' },
    'with a mutation': {
      path: '/?query=mutation%7Bcancel_flow_run(input%3A%7Bflow_run_id%3A%22x%22%7D)%7Bstate%7D%7D',
      status: 405,
      want: 'GET supports only query operation',
    },
    'for health': { path: '/.well-known/apollo/server-health', status: 200, want: '{"status":"pass"}' },
  };
  for (const [name, { path, status, want }] of Object.entries(gets)) {
    it(`by GET ${name} is answered ${status}`, () => {
      const answer = new PrefectDouble().send({ method: 'GET', path });

      assert.deepEqual([answer.status, answer.body], [status, want]);
    });
  }

  it('by another method is answered 405', () => {
    assert.equal(new PrefectDouble().send({ method: 'PUT' }).status, 405);
  });

  for (const [authorization, wantStatus] of [
    ['Bearer secret', 200],
    ['Bearer other', 401],
    ['secret', 401],
    [null, 401],
  ] as const) {
    it(`${authorization === null ? 'without authorization' : `with "${authorization}"`} meets a proxy: ${wantStatus}`, () => {
      const api = new PrefectDouble({ token: 'secret' });
      const headers = authorization === null ? {} : { authorization };

      const answer = api.send({ headers, body: '{"query":"{hello}"}' });

      assert.equal(answer.status, wantStatus);
      assert.doesNotThrow(() => JSON.parse(answer.body));
    });
  }
});

describe('an error of the gateway', () => {
  it('stands before the data, with position and path', () => {
    const body = JSON.stringify({ query: '{ hello\n flow_run_by_pk(id: "zz") { id } }' });

    const answer = new PrefectDouble().send({ body });

    const message = 'invalid input syntax for type uuid: \\"zz\\"';
    const extensions = `{"path":"$","code":"data-exception","exception":{"message":"${message}"}}`;
    const error = `{"message":"${message}","locations":[{"line":2,"column":2}],"path":["flow_run_by_pk"],"extensions":${extensions}}`;
    assert.equal(answer.body, `{"errors":[${error}],"data":{"hello":"👋","flow_run_by_pk":null}}\n`);
  });

  it('about depth counts through fragments and not into introspection', () => {
    const api = new PrefectDouble();
    const nested = (depth: number): string => (depth === 0 ? 'id' : `flow { flow_runs { ${nested(depth - 1)} } }`);
    const fragment = `query q { flow_run { ...f } } fragment f on flow_run { ${nested(3)} ...g } fragment g on flow_run { id }`;
    const introspection =
      '{ __schema { types { fields { type { ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } }';

    assert.equal(api.ask(fragment).status, 200);
    const tooDeep = api.ask(
      fragment.replace('fragment g on flow_run { id }', `fragment g on flow_run { ${nested(4)} }`),
    );
    assert.deepEqual(
      tooDeep.errors.map(({ message }) => message),
      ["'q' exceeds maximum operation depth of 7"],
    );
    assert.equal(api.ask(introspection).status, 200);
  });

  it('about an input names the place where the value stands, also below a nested variable', () => {
    const query = `mutation($id: UUID!) { cancel_flow_run(input: { flow_run_id: $id }) { state } }`;

    const { errors } = new PrefectDouble().ask(query, { id: 'zz' });

    const want = "Variable '$id' got invalid value 'zz'; Expected type UUID. Could not parse UUID: zz";
    assert.deepEqual(
      errors.map(({ message }) => message),
      [want],
    );
  });

  it('tells that a state may not be a literal', () => {
    const id = '00000000-0000-4000-8000-000000000000';
    const query = (state: string) =>
      `mutation { set_flow_run_states(input: { states: [{ flow_run_id: "${id}", state: ${state} }] }) { states { id } } }`;
    const api = new PrefectDouble();

    const literal = api.ask(query('{ type: "Failed" }')).errors[0]?.message ?? '';
    const text = api.ask(query(String.raw`"{\"type\": \"Failed\"}"`)).errors[0]?.message ?? '';

    assert.match(literal, /^Expected type JSON!, found /);
    assert.equal(text, `State update failed for flow run ID ${id}`);
  });
});

describe('the cost of a request', () => {
  const query = '{"query":"{hello}"}';
  const mutation = (fields: number) =>
    JSON.stringify({
      query: `mutation { ${Array.from({ length: fields }, (_, n) => `a${n}: create_tenant(input: { name: "t${n}", slug: "t${n}" }) { id }`).join(' ')} }`,
    });
  const cases = {
    'one query': { body: query, wantMs: 70 },
    'a query of two fields, side by side': { body: '{"query":"{hello api { mode }}"}', wantMs: 70 },
    'three aliased mutations, one after the other': { body: mutation(3), wantMs: 210 },
    'an array, as long as its slowest element': { body: `[${query},${mutation(2)},${query}]`, wantMs: 140 },
    'a syntax error, which reaches nobody': { body: '{"query":"{"}', wantMs: undefined },
  };
  for (const [name, { body, wantMs }] of Object.entries(cases)) {
    it(`is ${wantMs ?? 0} ms for ${name}`, () => {
      assert.equal(new PrefectDouble({ costPerOperationMs: 70 }).send({ body }).costMs, wantMs);
    });
  }
});

describe('the running server', () => {
  const headers = { 'content-type': 'application/json' };
  const write = 'mutation($input: set_flow_run_states_input!) { set_flow_run_states(input: $input) { states { id } } }';
  const fail = (runId: string) => ({
    query: write,
    variables: { input: { states: [{ flow_run_id: runId, state: { type: 'Failed' } }] } },
  });
  const post = async (url: string, body: unknown): Promise<unknown> =>
    (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).json();

  it('lives in the time it is given', async () => {
    await using api = await startPrefectApi({ now: () => T0, seed: 'server' });
    const runId = seedFlowRun(api.state, {}, T0);

    await post(api.url, {
      query: `mutation { update_flow_run_heartbeat(input: { flow_run_id: "${runId}" }) { success } }`,
    });

    assert.deepEqual(readFlowRun(api.state, runId)?.heartbeat, T0);
  });

  it('can be told to fail one element of a batch that was carried out', async () => {
    await using api = await startPrefectApi({ now: () => T0 });
    const runs = [seedFlowRun(api.state, {}, T0), seedFlowRun(api.state, {}, T0)];
    const fault = failElement(1, 'set_flow_run_states', 'no luck');
    api.faults.add({ matches: asks('set_flow_run_states'), fault });

    const answer = (await post(api.url, runs.map(fail))) as { errors?: { message: string }[] }[];

    assert.deepEqual(
      answer.map(({ errors }) => errors?.[0]?.message),
      [undefined, 'no luck'],
    );
    assert.deepEqual(
      runs.map((id) => readFlowRun(api.state, id)?.state),
      ['Failed', 'Failed'],
    );
  });

  it('can be told that its service is down: status 200, nothing done', async () => {
    await using api = await startPrefectApi({ now: () => T0 });
    const runId = seedFlowRun(api.state, {}, T0);
    api.faults.add({ matches: asks('set_flow_run_states'), fault: serviceDown('set_flow_run_states') });

    const answer = (await post(api.url, fail(runId))) as { errors: { message: string }[]; data: unknown };

    assert.match(answer.errors[0]?.message ?? '', /failed, reason: connect ECONNREFUSED/);
    assert.deepEqual(answer.data, { set_flow_run_states: null });
    assert.equal(readFlowRun(api.state, runId)?.state, 'Scheduled');
  });

  it('gives out the same ids for the same seed', () => {
    const [first, second] = [new PrefectDouble(), new PrefectDouble()];

    assert.equal(seedFlowRun(first.state, {}, T0), seedFlowRun(second.state, {}, T0));
  });
});
