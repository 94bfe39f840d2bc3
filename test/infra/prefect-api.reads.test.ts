import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { jsonbContains, toJsonb, type JsonValue } from '../../infra/local/prefect-api/jsonb.ts';
import {
  heartbeatFlowRun,
  moveTaskRunStart,
  seedAgent,
  seedFlow,
  seedFlowRun,
  setFlowRunState,
  setTaskRunState,
  writeRunLog,
} from '../../infra/local/prefect-api/seed.ts';
import { formatColumn, formatIso, parseTimestamp } from '../../infra/local/prefect-api/timestamps.ts';
import { PrefectDouble } from '../support/prefect-api.ts';
import { at, T0 } from '../support/time.ts';

/** Runs alpha (labels a), beta (a and b, Running, beaten at +1m), gamma (none, due at +1h). */
function threeRuns() {
  const api = new PrefectDouble();
  seedFlow(api.state, { tasks: [{ slug: 'load' }] });
  const alpha = seedFlowRun(api.state, { name: 'alpha', labels: ['a'] }, T0);
  const beta = seedFlowRun(api.state, { name: 'beta', labels: ['b', 'a'] }, T0);
  const gamma = seedFlowRun(api.state, { name: 'gamma', startTime: at('+1h') }, T0);
  const context = { stack: 'ours', key: '1' };
  setFlowRunState(api.state, { runId: beta, state: { type: 'Running', context } }, at('+1m'));
  return { api, alpha, beta, gamma };
}

const namesIn = (data: Readonly<Record<string, unknown>>): string[] =>
  (data['flow_run'] as { name: string }[] | undefined)?.map(({ name }) => name) ?? [];

function namesWhere(where: string): string[] {
  const { api } = threeRuns();
  const { data, errors } = api.ask(`{ flow_run(where: ${where}) { name } }`);
  assert.deepEqual(errors, []);
  return namesIn(data);
}

describe('a where', () => {
  const cases = {
    'nothing at all': { where: '{}', want: ['alpha', 'beta', 'gamma'] },
    'an equal column': { where: '{ state: { _eq: "Running" } }', want: ['beta'] },
    'one of a list': { where: '{ name: { _in: ["gamma", "alpha"] } }', want: ['alpha', 'gamma'] },
    'none of a list': { where: '{ name: { _nin: ["gamma", "alpha"] } }', want: ['beta'] },
    'an empty list': { where: '{ name: { _in: [] } }', want: [] },
    'an alternative': {
      where: '{ _or: [{ name: { _eq: "alpha" } }, { state: { _eq: "Running" } }] }',
      want: ['alpha', 'beta'],
    },
    'an empty alternative': { where: '{ _or: [] }', want: [] },
    'several conditions at once': { where: '{ name: { _eq: "alpha" }, state: { _eq: "Running" } }', want: [] },
    'a conjunction': {
      where: '{ _and: [{ name: { _neq: "alpha" } }, { state: { _eq: "Scheduled" } }] }',
      want: ['gamma'],
    },
    'a negation': { where: '{ _not: { state: { _eq: "Running" } } }', want: ['alpha', 'gamma'] },
    'a time at or before': {
      where: '{ state_start_time: { _lte: "2026-03-01T02:00:00Z" } }',
      want: ['alpha'],
    },
    'a time in another zone': {
      where: '{ state_start_time: { _gt: "2026-03-01 03:00:00+02" } }',
      want: ['alpha', 'gamma'],
    },
    'a column that is null': { where: '{ heartbeat: { _is_null: true } }', want: ['alpha', 'gamma'] },
    'a column that is not null': { where: '{ heartbeat: { _is_null: false } }', want: ['beta'] },
    'a comparison with a null column': { where: '{ heartbeat: { _lte: "2099-01-01" } }', want: ['beta'] },
    // In SQL the negation of an unknown truth is unknown: rows with null stay out either way.
    'a negated comparison with a null column': {
      where: '{ _not: { heartbeat: { _gt: "2099-01-01" } } }',
      want: ['beta'],
    },
    'a pattern': { where: '{ name: { _like: "%et_" } }', want: ['beta'] },
    'labels within a set': { where: '{ labels: { _contained_in: ["a", "c"] } }', want: ['alpha', 'gamma'] },
    'labels within a set, and some': {
      where: '{ labels: { _contained_in: ["a", "b"], _neq: [] } }',
      want: ['alpha', 'beta'],
    },
    'equal labels': { where: '{ labels: { _eq: [] } }', want: ['gamma'] },
    'a state that contains a mark': {
      where: '{ serialized_state: { _contains: { context: { stack: "ours" } } } }',
      want: ['beta'],
    },
    'a state with another mark': {
      where: '{ serialized_state: { _contains: { context: { stack: "other" } } } }',
      want: [],
    },
    'a state with a key': { where: '{ serialized_state: { _has_key: "start_time" } }', want: ['alpha', 'gamma'] },
    'a relationship to one': { where: '{ flow: { name: { _eq: "seeded-flow" } } }', want: ['alpha', 'beta', 'gamma'] },
    'a relationship to nobody': { where: '{ agent: { name: { _eq: "ours" } } }', want: [] },
    'a relationship to many, of which one fits': {
      where: '{ states: { state: { _eq: "Running" } } }',
      want: ['beta'],
    },
    'a relationship to any row': { where: '{ logs: {} }', want: [] },
  };
  for (const [name, { where, want }] of Object.entries(cases)) {
    it(`filters by ${name}`, () => assert.deepEqual(namesWhere(where), want));
  }

  const nulls = {
    'an operand': '{ state: { _eq: null } }',
    'a list': '{ name: { _in: null } }',
    'a column': '{ state: null }',
    'a conjunction': '{ _and: null }',
    'an alternative': '{ _or: null }',
    'a negation': '{ _not: null }',
    'a relationship': '{ task_runs: null }',
    'a question about null': '{ heartbeat: { _is_null: null } }',
  };
  for (const [name, where] of Object.entries(nulls)) {
    it(`filters nothing where ${name} is null`, () => assert.deepEqual(namesWhere(where), ['alpha', 'beta', 'gamma']));
  }

  it('takes its values from variables', () => {
    const { api } = threeRuns();
    const query = 'query($where: flow_run_bool_exp) { flow_run(where: $where) { name } }';

    const { data } = api.ask(query, { where: { labels: { _contained_in: ['a'] }, state: { _eq: 'Scheduled' } } });

    assert.deepEqual(namesIn(data), ['alpha', 'gamma']);
  });

  it('with an unknown operator is refused before anything is done', () => {
    const reply = threeRuns().api.ask('{ flow_run(where: { name: { _near: "x" } }) { id } }');

    assert.equal(reply.status, 400);
    assert.equal(reply.errors[0]?.extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  });

  for (const [what, where] of [
    ['uuid', '{ id: { _eq: "zz" } }'],
    ['timestamp with time zone', '{ heartbeat: { _lte: "soon" } }'],
  ] as const) {
    it(`with text that is no ${what} fails with status 200 and no data`, () => {
      const reply = threeRuns().api.ask(`{ flow_run(where: ${where}) { id } }`);

      assert.equal(reply.status, 200);
      assert.match(reply.errors[0]?.message ?? '', new RegExp(`^invalid input syntax for type ${what}: "`));
      assert.equal(reply.errors[0]?.extensions.code, 'data-exception');
      assert.deepEqual(reply.data, {});
    });
  }
});

describe('an order', () => {
  const cases = {
    'ascending, nulls last': { order: '{ heartbeat: asc }', want: ['beta', 'alpha', 'gamma'] },
    'descending, nulls first': { order: '{ heartbeat: desc }', want: ['alpha', 'gamma', 'beta'] },
    'ascending, nulls first': { order: '{ heartbeat: asc_nulls_first }', want: ['alpha', 'gamma', 'beta'] },
    'descending, nulls last': { order: '{ heartbeat: desc_nulls_last }', want: ['beta', 'alpha', 'gamma'] },
    'by two columns': { order: '[{ state: asc }, { name: desc }]', want: ['beta', 'gamma', 'alpha'] },
    'through a relationship': { order: '[{ flow: { name: asc } }, { name: desc }]', want: ['gamma', 'beta', 'alpha'] },
  };
  for (const [name, { order, want }] of Object.entries(cases)) {
    it(`is ${name}`, () => {
      const { data } = threeRuns().api.ask(`{ flow_run(order_by: ${order}) { name } }`);

      assert.deepEqual(namesIn(data), want);
    });
  }

  it('comes before offset and limit', () => {
    const { data } = threeRuns().api.ask('{ flow_run(order_by: { name: desc }, offset: 1, limit: 1) { name } }');

    assert.deepEqual(namesIn(data), ['beta']);
  });

  it('decides which row stands for its kind', () => {
    const query = '{ flow_run(order_by: [{ state: asc }, { name: desc }], distinct_on: [state]) { name } }';

    assert.deepEqual(namesIn(threeRuns().api.ask(query).data), ['beta', 'gamma']);
  });
});

describe('what a run shows', () => {
  it('is everything our own poll asks for', () => {
    const { api, beta } = threeRuns();
    const [taskRun] = api.state.tables.task_run.by('flow_run_id', beta);
    setTaskRunState(api.state, { taskRunId: taskRun?.id ?? '', state: { type: 'Retrying' } }, at('+1m'));
    moveTaskRunStart(api.state, taskRun?.id ?? '', at('-1m'));
    const query = `{
      flow_run(where: { id: { _eq: "${beta}" } }) {
        id name version state labels scheduled_start_time state_start_time heartbeat run_config times_resurrected
        tenant_id agent_id agent { name } flow { name core_version storage flow_group { settings } }
        states(order_by: { created: asc }) { version state message serialized_state }
        task_runs(where: { state: { _in: ["Retrying"] }, state_start_time: { _lte: "2026-03-01T02:00:00Z" } }) { id }
        task_runs_aggregate { aggregate { count } }
      }
    }`;

    const { data, errors } = api.ask(query);

    assert.deepEqual(errors, []);
    const [run] = data['flow_run'] as Record<string, unknown>[];
    assert.equal(run?.['scheduled_start_time'], '2026-03-01T02:00:00+00:00');
    assert.equal(run['state_start_time'], null);
    assert.equal(run['heartbeat'], '2026-03-01T02:01:00+00:00');
    assert.deepEqual(run['labels'], ['a', 'b']);
    assert.deepEqual(run['agent'], null);
    assert.deepEqual(
      (run['states'] as { state: string }[]).map(({ state }) => state),
      ['Scheduled', 'Running'],
    );
    assert.deepEqual(run['task_runs'], [{ id: taskRun?.id }]);
    assert.deepEqual(run['task_runs_aggregate'], { aggregate: { count: 1 } });
  });

  it('includes the agent that submitted it, by which it can be found', () => {
    const { api, alpha } = threeRuns();
    const agent = seedAgent(api.state, { name: 'ours' }, T0);
    const write =
      'mutation($input: set_flow_run_states_input!) { set_flow_run_states(input: $input) { states { id } } }';
    const states = [{ flow_run_id: alpha, state: { type: 'Submitted' } }];
    api.ask(write, { input: { states } }, { headers: { 'x-prefect-agent-id': agent } });

    const { data } = api.ask('{ flow_run(where: { agent: { name: { _eq: "ours" } } }) { name agent { name } } }');

    assert.deepEqual(data, { flow_run: [{ name: 'alpha', agent: { name: 'ours' } }] });
  });

  it('is null for an id that nothing has', () => {
    const { data } = new PrefectDouble().ask('{ flow_run_by_pk(id: "00000000-0000-4000-8000-000000000000") { id } }');

    assert.deepEqual(data, { flow_run_by_pk: null });
  });

  it('counts with the same conditions', () => {
    const { data } = threeRuns().api.ask(
      '{ flow_run_aggregate(where: { state: { _eq: "Scheduled" } }) { aggregate { count } nodes { name } } }',
    );

    assert.deepEqual(data, {
      flow_run_aggregate: { aggregate: { count: 2 }, nodes: [{ name: 'alpha' }, { name: 'gamma' }] },
    });
  });
});

describe('a mutation of the query engine itself', () => {
  it('changes rows without lock, version or history', () => {
    const { api, alpha } = threeRuns();
    const update = `mutation { update_flow_run(where: { id: { _eq: "${alpha}" } }, _set: { state: "Failed" })
      { affected_rows returning { name } } }`;

    const { data } = api.ask(update);

    assert.deepEqual(data, { update_flow_run: { affected_rows: 1, returning: [{ name: 'alpha' }] } });
    assert.equal(api.state.tables.flow_run_state.by('flow_run_id', alpha).length, 1);
  });

  it('fires the trigger when it inserts a state', () => {
    const { api, alpha } = threeRuns();
    const insert = `mutation($objects: [flow_run_state_set_input!]!) {
      insert_flow_run_state(objects: $objects) { affected_rows } }`;
    const row = {
      flow_run_id: alpha,
      state: 'Success',
      version: 2,
      timestamp: '2026-03-01T02:05:00Z',
      serialized_state: {},
    };

    api.ask(insert, { objects: [row] });

    assert.equal(api.state.tables.flow_run.get(alpha)?.state, 'Success');
  });

  it('deletes what it finds', () => {
    const { api, alpha } = threeRuns();
    writeRunLog(api.state, { runId: alpha, message: 'hello' }, T0);
    heartbeatFlowRun(api.state, alpha, T0);

    const { data } = api.ask('mutation { delete_log(where: { message: { _eq: "hello" } }) { affected_rows } }');

    assert.deepEqual(data, { delete_log: { affected_rows: 1 } });
  });
});

describe('jsonb', () => {
  const cases: Record<string, { left: JsonValue; right: JsonValue; want: boolean }> = {
    'a subset of keys, nested': { left: { a: { b: 1, c: 2 } }, right: { a: { b: 1 } }, want: true },
    'another value': { left: { a: { b: 1 } }, right: { a: { b: 2 } }, want: false },
    'items in any order': { left: ['x', 'y'], right: ['y', 'x', 'x'], want: true },
    'an item too many': { left: ['x'], right: ['x', 'y'], want: false },
    'a bare scalar in an array': { left: ['x'], right: 'x', want: true },
    'a bare scalar in a nested array': { left: { a: ['x'] }, right: { a: 'x' }, want: false },
    'an empty object in anything like it': { left: { a: 1 }, right: {}, want: true },
    'an empty array in an object': { left: { a: 1 }, right: [], want: false },
    'null in null': { left: { a: null }, right: { a: null }, want: true },
  };
  for (const [name, { left, right, want }] of Object.entries(cases)) {
    it(`${want ? 'contains' : 'does not contain'} ${name}`, () => assert.equal(jsonbContains(left, right), want));
  }

  it('gives keys back by length, then by their bytes', () => {
    const stored = toJsonb({ message: 1, type: 2, _result: 3, state: 4, context: 5, b: 6, a: 7 });

    assert.equal(JSON.stringify(stored), '{"a":7,"b":6,"type":2,"state":4,"_result":3,"context":5,"message":1}');
  });
});

describe('a timestamp', () => {
  const cases = {
    '2024-03-01T02:00:00Z': { wantColumn: '2024-03-01T02:00:00+00:00', wantIso: '2024-03-01T02:00:00+00:00' },
    '2024-03-01T02:00:00.120Z': {
      wantColumn: '2024-03-01T02:00:00.12+00:00',
      wantIso: '2024-03-01T02:00:00.120000+00:00',
    },
    '2024-03-01 02:00:00.000007+02': {
      wantColumn: '2024-03-01T00:00:00.000007+00:00',
      wantIso: '2024-03-01T02:00:00.000007+02:00',
    },
    '2024-03-01T02:00:00-0330': { wantColumn: '2024-03-01T05:30:00+00:00', wantIso: '2024-03-01T02:00:00-03:30' },
    '2024-03-01': { wantColumn: '2024-03-01T00:00:00+00:00', wantIso: '2024-03-01T00:00:00+00:00' },
  };
  for (const [text, { wantColumn, wantIso }] of Object.entries(cases)) {
    it(`written ${text} is read and printed as Postgres and Python do`, () => {
      const parsed = parseTimestamp(text);

      assert.ok(parsed !== null);
      assert.equal(formatColumn(parsed.micros), wantColumn);
      assert.equal(formatIso(parsed.micros, parsed.offsetMinutes), wantIso);
    });
  }

  for (const text of ['soon', '', '5', '2024-13-01T00:00:00Z', '2024-03-01T02:00:00+']) {
    it(`is not "${text}"`, () => assert.equal(parseTimestamp(text), null));
  }
});
