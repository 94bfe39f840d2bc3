import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseRuns } from '../../functions/prefect/parse.ts';
import { at, T0 } from '../support/time.ts';

const runId = '11111111-2222-4333-8444-555555555555';

const scheduledState = { type: 'Scheduled', message: 'Flow run scheduled.', start_time: '2024-03-01T02:00:00+00:00' };

const row = {
  id: runId,
  name: 'brave-otter',
  version: 3,
  state: 'Scheduled',
  serialized_state: scheduledState,
  labels: ['etl'],
  scheduled_start_time: '2024-03-01T02:00:00.123456+00:00',
  heartbeat: null,
  times_resurrected: 1,
  run_config: { type: 'KubernetesRun' },
  flow: { id: 'f1', name: 'etl', core_version: '1.4.1', storage: { type: 'S3' }, flow_group: { settings: { a: 1 } } },
  task_runs: [],
  states: [
    {
      id: 's1',
      version: 1,
      state: 'Scheduled',
      created: '2024-03-01T02:00:00.000001+00:00',
      message: null,
      serialized_state: scheduledState,
    },
  ],
};

describe('parseRuns', () => {
  it('keeps what the ticks need', () => {
    const { runs, unreadable } = parseRuns([row], T0);

    assert.deepEqual(unreadable, []);
    assert.deepEqual(runs, [
      {
        id: runId,
        name: 'brave-otter',
        version: 3,
        state: 'Scheduled',
        serializedState: scheduledState,
        labels: ['etl'],
        scheduledStartTime: new Date('2024-03-01T02:00:00.123Z'),
        heartbeat: null,
        timesResurrected: 1,
        runConfig: { type: 'KubernetesRun' },
        flow: { id: 'f1', name: 'etl', coreVersion: '1.4.1', storage: { type: 'S3' }, settings: { a: 1 } },
        dueTaskRuns: 0,
        waitingTaskRuns: 0,
        history: [
          {
            id: 's1',
            version: 1,
            state: 'Scheduled',
            createdMicros: Date.parse('2024-03-01T02:00:00Z') * 1000 + 1,
            message: null,
            serializedState: scheduledState,
          },
        ],
        eventMarks: [],
      },
    ]);
  });

  it('keeps the marks of told events, and none from lines of others', () => {
    const logs = [{ info: { event: 'a1' } }, { info: null }, { info: { event: 7 } }, { info: 'a1' }];
    assert.deepEqual(parseRuns([{ ...row, logs }], T0).runs[0]?.eventMarks, ['a1']);
  });

  it('takes missing labels, settings and run config for empty ones', () => {
    const bare = { ...row, labels: null, run_config: null, flow: { ...row.flow, flow_group: null } };

    const [run] = parseRuns([bare], T0).runs;

    assert.deepEqual([run?.labels, run?.runConfig, run?.flow.settings], [[], null, {}]);
  });

  it('counts a waiting task run as due from its start time on', () => {
    const starts = [at('-1s'), T0, at('+1s')].map((start) => ({ state_start_time: start.toISOString() }));
    const waiting = { ...row, task_runs: [...starts, { state_start_time: null }] };

    const [run] = parseRuns([waiting], T0).runs;

    assert.deepEqual([run?.dueTaskRuns, run?.waitingTaskRuns], [2, 4]);
  });

  const broken: Record<string, { row: unknown; wantId: string | null; wantProblem: RegExp }> = {
    'labels of another type': { row: { ...row, labels: 'etl' }, wantId: runId, wantProblem: /^labels: / },
    'a label that is no text': { row: { ...row, labels: ['a', 7] }, wantId: runId, wantProblem: /^labels\.1: / },
    'a state that is text': {
      row: { ...row, serialized_state: '{"type":"Scheduled"}' },
      wantId: runId,
      wantProblem: /^serialized_state: expected a JSON object of at most 200 levels$/,
    },
    'a state that is deeper than the stack': {
      row: { ...row, serialized_state: JSON.parse(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`) as unknown },
      wantId: runId,
      wantProblem: /^serialized_state: .* 200 levels$/,
    },
    'a history row without time': {
      row: { ...row, states: [{ ...row.states[0], created: 'soon' }] },
      wantId: runId,
      wantProblem: /^states\.0\.created: not a timestamp$/,
    },
    'no history at all': { row: { ...row, states: undefined }, wantId: runId, wantProblem: /^states: / },
    'an id that could not stand in a label': { row: { ...row, id: 'a b' }, wantId: 'a b', wantProblem: /^id: / },
    'something that is no object': { row: 'nothing', wantId: null, wantProblem: /^the run: / },
  };
  for (const [name, { row: bad, wantId, wantProblem }] of Object.entries(broken)) {
    it(`sets aside ${name} without losing the others`, () => {
      const { runs, unreadable } = parseRuns([row, bad, row], T0);

      assert.equal(runs.length, 2);
      assert.deepEqual(
        unreadable.map(({ id }) => id),
        [wantId],
      );
      assert.match(unreadable[0]?.problem ?? '', wantProblem);
    });
  }

  /** The row with one value at a path of names and positions; undefined: the field is left out. */
  function rowWith(path: string, value: unknown): unknown {
    const full = { ...row, heartbeat: scheduledState.start_time, logs: [{ info: null }] };
    const copy = JSON.parse(JSON.stringify({ ...full, task_runs: [{ state_start_time: null }] })) as unknown;
    const names = path.split('.');
    const last = names.pop() ?? '';
    const place = names.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], copy);
    Object.assign(place as object, { [last]: value });
    return JSON.parse(JSON.stringify(copy));
  }

  const notOptional = [
    'id',
    'version',
    'state',
    'serialized_state',
    'flow',
    'flow.id',
    'task_runs',
    'states',
    'logs.0.info',
  ];
  const notOptionalInHistory = ['id', 'version', 'state', 'created', 'serialized_state'].map(
    (name) => `states.0.${name}`,
  );
  const objects = /(?:serialized_state|settings)$/u;
  const noObject = 'expected a JSON object of at most 200 levels';
  for (const path of [...notOptional, ...notOptionalInHistory]) {
    it(`misses ${path}`, () => {
      const want = `${path}: ${objects.test(path) ? noObject : 'Invalid input'}`;
      assert.deepEqual(parseRuns([rowWith(path, undefined)], T0).unreadable, [
        { id: path === 'id' ? null : runId, problem: want },
      ]);
    });
  }

  const optional = [
    'name',
    'labels',
    'scheduled_start_time',
    'heartbeat',
    'times_resurrected',
    'run_config',
    'flow.name',
  ];
  const optionalToo = [
    'flow.core_version',
    'flow.storage',
    'flow.flow_group',
    'flow.flow_group.settings',
    'states.0.message',
  ];
  for (const path of [...optional, ...optionalToo, 'task_runs.0.state_start_time']) {
    it(`does without ${path}, which may be null or absent`, () => {
      const { runs, unreadable } = parseRuns([rowWith(path, null), rowWith(path, undefined)], T0);

      assert.deepEqual([runs.length, unreadable], [2, []]);
    });
  }

  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    id: [7, 'a', `${runId}0`, `${runId.slice(0, -1)}g`],
    name: [7],
    version: ['3', 1.5, 2 ** 53],
    state: [null, 7],
    serialized_state: [null, [], 'a'],
    labels: ['a', {}],
    'labels.0': [null],
    scheduled_start_time: [7],
    heartbeat: [{}],
    times_resurrected: ['1', 0.5],
    flow: [null, 'etl', []],
    'flow.id': [7],
    'flow.name': [7],
    'flow.core_version': [1],
    'flow.flow_group': ['a', []],
    'flow.flow_group.settings': ['a', []],
    task_runs: [null, {}],
    'task_runs.0': [null, []],
    'task_runs.0.state_start_time': [7],
    states: [null, {}],
    'states.0': [null, 'a'],
    'states.0.id': [null, 7],
    'states.0.version': [null, 1.5],
    'states.0.state': [null],
    'states.0.created': [null, 7],
    'states.0.message': [7],
    'states.0.serialized_state': [null, 'a'],
    logs: [null, {}],
    'logs.0': [null, 'a'],
  };
  for (const [path, values] of Object.entries(wrong)) {
    it(`names ${path} when it is of another type`, () => {
      const { runs, unreadable } = parseRuns(
        values.map((value) => rowWith(path, value)),
        T0,
      );

      const want = `${path}: ${objects.test(path) ? noObject : 'Invalid input'}`;
      assert.equal(runs.length, 0);
      assert.deepEqual(
        unreadable.map(({ problem }) => problem),
        values.map(() => want),
      );
    });
  }

  for (const path of ['scheduled_start_time', 'heartbeat', 'task_runs.0.state_start_time', 'states.0.created']) {
    it(`names ${path} when it is no timestamp`, () => {
      const [bad] = parseRuns([rowWith(path, '2024-13-01T02:00:00Z')], T0).unreadable;

      assert.equal(bad?.problem, `${path}: not a timestamp`);
    });
  }

  it('names the first problem where there are several, in the order of the fields', () => {
    const { unreadable } = parseRuns([{ ...row, logs: 7, states: 7, task_runs: 7, flow: { ...row.flow, id: 7 } }], T0);

    assert.deepEqual(unreadable, [{ id: runId, problem: 'flow.id: Invalid input' }]);
  });

  it('takes a state within another as often as a server nests them, and 200 times at most', () => {
    const nested = (times: number) => JSON.parse(`${'{"state":'.repeat(times)}{}${'}'.repeat(times)}`) as unknown;
    const rows = [199, 200, 201].map((times) => ({ ...row, serialized_state: nested(times) }));
    const { runs, unreadable } = parseRuns(rows, T0);

    assert.deepEqual([runs.length, unreadable.length], [2, 1]);
  });

  it('never quotes a value, which may be a secret', () => {
    const { unreadable } = parseRuns([{ ...row, labels: 'hunter2', version: 'hunter2', state: 7 }], T0);

    assert.doesNotMatch(JSON.stringify(unreadable), /hunter2/);
  });
});
