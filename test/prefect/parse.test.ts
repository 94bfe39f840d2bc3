import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { microsOf, parseRuns } from '../../functions/prefect/parse.ts';
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

describe('microsOf', () => {
  const second = Date.parse('2024-03-01T02:00:00Z') * 1000;
  const cases: Record<string, { text: string; want: number }> = {
    'whole seconds': { text: '2024-03-01T02:00:00+00:00', want: second },
    'all six digits': { text: '2024-03-01T02:00:00.123456+00:00', want: second + 123_456 },
    'trailing zeros that Postgres drops': { text: '2024-03-01T02:00:00.12+00:00', want: second + 120_000 },
    'more digits than a microsecond': { text: '2024-03-01T02:00:00.1234569+00:00', want: second + 123_456 },
    'a space, as psql prints it': { text: '2024-03-01 02:00:00+00', want: second },
    'an offset of another zone': { text: '2024-03-01T04:30:00.000007+02:30', want: second + 7 },
    'an offset without colon': { text: '2024-03-01T04:30:00+0230', want: second },
    'no zone at all': { text: '2024-03-01T02:00:00', want: second },
    'a day without time': { text: '2024-03-01', want: Number.NaN },
    'a month that does not exist': { text: '2024-13-01T02:00:00Z', want: Number.NaN },
    'a word': { text: 'soon', want: Number.NaN },
  };
  for (const [name, { text, want }] of Object.entries(cases)) {
    it(`reads ${name}`, () => assert.equal(microsOf(text), want));
  }
});

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

  it('takes a state within another as often as a server nests them', () => {
    const nested = JSON.parse(`${'{"state":'.repeat(199)}{}${'}'.repeat(199)}`) as unknown;
    const { runs, unreadable } = parseRuns([{ ...row, serialized_state: nested }], T0);

    assert.deepEqual([runs.length, unreadable], [1, []]);
  });

  it('never quotes a value, which may be a secret', () => {
    const { unreadable } = parseRuns([{ ...row, labels: 'hunter2', version: 'hunter2', state: 7 }], T0);

    assert.doesNotMatch(JSON.stringify(unreadable), /hunter2/);
  });
});
