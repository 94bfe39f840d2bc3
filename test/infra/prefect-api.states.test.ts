import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { ServiceError } from '../../infra/local/prefect-api/errors.ts';
import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import { toJsonb, type JsonValue } from '../../infra/local/prefect-api/jsonb.ts';
import {
  cancelFlowRun,
  heartbeatFlowRun,
  moveTaskRunStart,
  seedAgent,
  seedFlow,
  seedFlowRun,
  setFlowRunState,
  setTaskRunState,
} from '../../infra/local/prefect-api/seed.ts';
import { isFinished, isRunning, isScheduled, reserialize } from '../../infra/local/prefect-api/state-json.ts';
import { createPrefectState, type PrefectState } from '../../infra/local/prefect-api/state.ts';
import { insertFlowRunState } from '../../infra/local/prefect-api/transitions.ts';
import { PrefectDouble } from '../support/prefect-api.ts';
import { at, T0 } from '../support/time.ts';

const setStates =
  'mutation($input: set_flow_run_states_input!) { set_flow_run_states(input: $input) { states { id status } } }';
const submitted = { type: 'Submitted', message: 'Submitted for execution' };

function stateWithRun(): { state: PrefectState; runId: string } {
  const state = createPrefectState({ seed: 'states' });
  seedFlow(state, { tasks: [{ slug: 'extract' }, { slug: 'load' }] });
  return { state, runId: seedFlowRun(state, {}, T0) };
}

const statesOf = (state: PrefectState, runId: string): string[] =>
  (readFlowRun(state, runId)?.states ?? []).map((row) => `${row.version} ${row.state}`);

const tasksOf = (state: PrefectState, runId: string) => readFlowRun(state, runId)?.taskRuns ?? [];

describe('a state that the service serialises again', () => {
  const lines = readFileSync(new URL('../fixtures/prefect/states.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  for (const line of lines) {
    const { state, serialized, error } = JSON.parse(line) as {
      state: JsonValue;
      serialized?: JsonValue;
      error?: string;
    };

    it(`is what Prefect 1.4.1 makes of ${JSON.stringify(state)}`, () => {
      // A start time that is absent becomes the machine's time there, so the recording names one wherever it counts.
      if (error === undefined) assert.deepEqual(reserialize(state, T0).serialized, toJsonb(serialized ?? null));
      else assert.throws(() => reserialize(state, T0), new ServiceError(error));
    });
  }

  it('starts now when a scheduled state names no time', () => {
    const now = '2026-03-01T02:00:00+00:00';
    for (const type of ['Scheduled', 'Resume', 'Retrying', 'Queued']) {
      assert.equal(reserialize({ type, start_time: null }, T0).serialized['start_time'], now, type);
    }
  });

  it('belongs to the family of its class', () => {
    assert.deepEqual(['Queued', 'Retrying', 'Pending', 'Submitted'].map(isScheduled), [true, true, false, false]);
    assert.deepEqual(['Running', 'Cancelling', 'Cancelled'].map(isRunning), [true, true, false]);
    assert.deepEqual(['Mapped', 'TriggerFailed', 'Running'].map(isFinished), [true, true, false]);
  });
});

describe('setting Submitted', () => {
  const cases = {
    '29.9 s after another': { seconds: '+29900ms', wantRefused: true },
    '30 s after another': { seconds: '+30000ms', wantRefused: false },
  };
  for (const [name, { seconds, wantRefused }] of Object.entries(cases)) {
    it(`is ${wantRefused ? 'refused' : 'accepted'} ${name}`, () => {
      const { state, runId } = stateWithRun();
      setFlowRunState(state, { runId, state: submitted }, T0);

      const again = () => setFlowRunState(state, { runId, state: submitted }, at(seconds));

      const refusal = new ServiceError('State update failed: this run has already been submitted.');
      if (wantRefused) assert.throws(again, refusal);
      else assert.doesNotThrow(again);
    });
  }

  it('is refused within 30 s even after the run was scheduled again', () => {
    const { state, runId } = stateWithRun();
    setFlowRunState(state, { runId, state: submitted }, T0);
    setFlowRunState(state, { runId, state: { type: 'Scheduled' } }, at('+5s'));

    assert.throws(() => setFlowRunState(state, { runId, state: submitted }, at('+10s')), /already been submitted/);
  });

  it('does not hold up another run', () => {
    const { state, runId } = stateWithRun();
    const other = seedFlowRun(state, {}, T0);
    setFlowRunState(state, { runId, state: submitted }, T0);

    assert.doesNotThrow(() => setFlowRunState(state, { runId: other, state: submitted }, T0));
  });

  it('keeps the id of an agent that exists, and of no other', () => {
    const api = new PrefectDouble();
    const runs = [seedFlowRun(api.state, {}, T0), seedFlowRun(api.state, {}, T0)];
    const agent = seedAgent(api.state, { name: 'ours' }, T0);
    const nobody = '00000000-0000-4000-8000-000000000000';

    for (const [index, id] of [agent, nobody].entries()) {
      const variables = { input: { states: [{ flow_run_id: runs[index], state: submitted }] } };
      api.ask(setStates, variables, { headers: { 'x-prefect-agent-id': id } });
    }

    assert.deepEqual(
      runs.map((id) => readFlowRun(api.state, id)?.agent),
      ['ours', null],
    );
  });
});

describe('the row trigger', () => {
  const read = (type: string) => reserialize({ type }, T0);

  it('copies a row whose version equals the run', () => {
    const { state, runId } = stateWithRun();
    const run = state.tables.flow_run.get(runId);
    assert.ok(run !== null);

    insertFlowRunState({ state, now: T0 }, run, { state: read('Cancelled'), version: 1 });

    assert.equal(run.state, 'Cancelled');
    assert.deepEqual(statesOf(state, runId), ['1 Scheduled', '1 Cancelled']);
  });

  it('does not copy a row with a lower version, and keeps it', () => {
    const { state, runId } = stateWithRun();
    const run = state.tables.flow_run.get(runId);
    assert.ok(run !== null);

    insertFlowRunState({ state, now: T0 }, run, { state: read('Cancelled'), version: 0 });

    assert.equal(run.state, 'Scheduled');
    assert.deepEqual(statesOf(state, runId), ['1 Scheduled', '0 Cancelled']);
  });

  it('keeps the first start and the last end', () => {
    const { state, runId } = stateWithRun();
    for (const [type, offset] of [
      ['Running', '+1m'],
      ['Failed', '+2m'],
      ['Running', '+3m'],
      ['Success', '+4m'],
    ] as const) {
      setFlowRunState(state, { runId, state: { type } }, at(offset));
    }

    const run = state.tables.flow_run.get(runId);
    assert.equal(run?.start_time, at('+1m').getTime() * 1000);
    assert.equal(run.end_time, at('+4m').getTime() * 1000);
  });

  it('leaves the end open for TriggerFailed', () => {
    const { state, runId } = stateWithRun();
    setFlowRunState(state, { runId, state: { type: 'TriggerFailed' } }, T0);

    assert.equal(state.tables.flow_run.get(runId)?.end_time, null);
  });
});

describe('a heartbeat', () => {
  const cases = { Submitted: true, Running: true, Cancelling: true, Scheduled: false, Failed: false };
  for (const [type, wantBeat] of Object.entries(cases)) {
    it(`is ${wantBeat ? '' : 'not '}written by setting ${type}`, () => {
      const { state, runId } = stateWithRun();
      setFlowRunState(state, { runId, state: { type } }, at('+1m'));

      assert.deepEqual(readFlowRun(state, runId)?.heartbeat, wantBeat ? at('+1m') : null);
    });
  }

  it('is answered with success for a run that does not exist', () => {
    const nobody = '00000000-0000-4000-8000-000000000000';
    const { data } = new PrefectDouble().ask(
      `mutation { update_flow_run_heartbeat(input: { flow_run_id: "${nobody}" }) { success } }`,
    );

    assert.deepEqual(data, { update_flow_run_heartbeat: { success: true } });
  });
});

describe('a list of states', () => {
  it('hides every result behind the first failure, and applies the others', () => {
    const api = new PrefectDouble();
    const [first, second] = [seedFlowRun(api.state, {}, T0), seedFlowRun(api.state, {}, T0)];
    const nobody = '00000000-0000-4000-8000-000000000000';
    const failed = { type: 'Failed' };
    const states = [
      { flow_run_id: first, state: failed },
      { flow_run_id: nobody, state: failed },
      { flow_run_id: second, state: { type: 'Bogus' } },
      { flow_run_id: second, state: failed },
    ];

    const reply = api.ask(setStates, { input: { states } });

    assert.equal(reply.status, 200);
    assert.deepEqual(
      reply.errors.map(({ message }) => message),
      [`State update failed for flow run ID ${nobody}`],
    );
    assert.deepEqual(reply.data, { set_flow_run_states: null });
    assert.deepEqual(
      [first, second].map((id) => readFlowRun(api.state, id)?.state),
      ['Failed', 'Failed'],
    );
  });

  it('gives two states of one run the same version, because all runs are loaded first', () => {
    const api = new PrefectDouble();
    const runId = seedFlowRun(api.state, {}, T0);
    const states = ['Running', 'Success'].map((type) => ({ flow_run_id: runId, state: { type } }));

    api.ask(setStates, { input: { states } });

    assert.deepEqual(statesOf(api.state, runId), ['1 Scheduled', '2 Running', '2 Success']);
  });

  it('gives every row of a request its own, later instant of creation', () => {
    const api = new PrefectDouble();
    const runId = seedFlowRun(api.state, {}, T0);
    const states = ['Running', 'Failed', 'Success'].map((type) => ({ flow_run_id: runId, state: { type } }));
    api.ask(setStates, { input: { states } });

    const { data } = api.ask(`{ flow_run_state(order_by: { created: asc }) { created state } }`);

    const rows = data['flow_run_state'] as { created: string; state: string }[];
    assert.deepEqual(
      rows.map(({ state }) => state),
      ['Scheduled', 'Running', 'Failed', 'Success'],
    );
    assert.equal(new Set(rows.map(({ created }) => created)).size, 4);
  });
});

describe('cancelling', () => {
  it('sets Cancelled on every unfinished task of a run that does not run', () => {
    const { state, runId } = stateWithRun();
    const [first] = tasksOf(state, runId);
    setTaskRunState(state, { taskRunId: first?.id ?? '', state: { type: 'Success' } }, T0);

    assert.equal(cancelFlowRun(state, runId, at('+1m')), 'Cancelled');

    assert.deepEqual(
      tasksOf(state, runId).map((task) => task.state),
      ['Success', 'Cancelled'],
    );
  });

  it('leaves the tasks of a running run to the process', () => {
    const { state, runId } = stateWithRun();
    setFlowRunState(state, { runId, state: { type: 'Running' } }, T0);

    assert.equal(cancelFlowRun(state, runId, at('+1m')), 'Cancelling');

    assert.deepEqual(
      tasksOf(state, runId).map((task) => task.state),
      ['Pending', 'Pending'],
    );
  });

  it('does nothing to a finished run', () => {
    const { state, runId } = stateWithRun();
    setFlowRunState(state, { runId, state: { type: 'Success' } }, T0);

    assert.equal(cancelFlowRun(state, runId, at('+1m')), 'Success');

    assert.deepEqual(statesOf(state, runId), ['1 Scheduled', '2 Success']);
  });

  it('spreads to the tasks, failing does not', () => {
    const { state, runId } = stateWithRun();
    setFlowRunState(state, { runId, state: { type: 'Failed' } }, T0);

    assert.deepEqual(
      tasksOf(state, runId).map((task) => task.state),
      ['Pending', 'Pending'],
    );
  });
});

describe('a task run', () => {
  for (const [flowState, wantRefused] of [
    ['Submitted', true],
    ['Cancelling', true],
    ['Running', false],
  ] as const) {
    it(`may ${wantRefused ? 'not ' : ''}start while its flow run is ${flowState}`, () => {
      const { state, runId } = stateWithRun();
      setFlowRunState(state, { runId, state: { type: flowState } }, T0);
      const taskRunId = tasksOf(state, runId)[0]?.id ?? '';

      const start = () => setTaskRunState(state, { taskRunId, state: { type: 'Running' } }, T0);

      if (!wantRefused) assert.doesNotThrow(start);
      else {
        const text = 'provided a running state but associated flow run';
        const message = `State update failed for task run ID ${taskRunId}: ${text} ${runId} is not in a running state.`;
        assert.throws(start, new ServiceError(message));
      }
    });
  }

  it('has no Submitted lock', () => {
    const { state, runId } = stateWithRun();
    const write = { taskRunId: tasksOf(state, runId)[0]?.id ?? '', state: submitted };
    setTaskRunState(state, write, T0);

    assert.doesNotThrow(() => setTaskRunState(state, write, at('+1s')));
  });

  it('carries its cached inputs into a state that has none', () => {
    const { state, runId } = stateWithRun();
    const taskRunId = tasksOf(state, runId)[0]?.id ?? '';
    const inputs = { x: { type: 'Result', location: 'a' } };
    setTaskRunState(state, { taskRunId, state: { type: 'Retrying', cached_inputs: inputs } }, T0);
    setTaskRunState(state, { taskRunId, state: { type: 'Submitted' } }, T0);

    const serialized = state.tables.task_run.get(taskRunId)?.serialized_state as { cached_inputs: object };
    assert.deepEqual(Object.keys(serialized.cached_inputs), ['x']);
  });

  it('may be made due by moving its start, in state, column and history alike', () => {
    const { state, runId } = stateWithRun();
    const taskRunId = tasksOf(state, runId)[0]?.id ?? '';
    setTaskRunState(state, { taskRunId, state: { type: 'Retrying', start_time: at('+1h').toISOString() } }, T0);

    moveTaskRunStart(state, taskRunId, at('-1m'));

    const row = state.tables.task_run.get(taskRunId);
    assert.equal(row?.state_start_time, at('-1m').getTime() * 1000);
    assert.equal((row.serialized_state as { start_time: string }).start_time, '2026-03-01T01:59:00+00:00');
    assert.equal(state.tables.task_run_state.by('task_run_id', taskRunId).at(-1)?.start_time, row.state_start_time);
  });
});

describe('a payload', () => {
  const sizeOf = (length: number) => ({ type: 'Failed', message: 'x'.repeat(length) });
  // {"type": "Failed", "message": "…"}: 33 characters around the text, and 49 bytes that Python adds to a string.
  const room = 1_000_000 - 49 - 33;

  it('of a million bytes is accepted, of one more it is refused', () => {
    const { state, runId } = stateWithRun();

    assert.doesNotThrow(() => setFlowRunState(state, { runId, state: sizeOf(room) }, T0));
    assert.throws(() => setFlowRunState(state, { runId, state: sizeOf(room + 1) }, T0), /State payload is too large\./);
  });

  it('counts every character beyond ASCII as its escape', () => {
    const { state, runId } = stateWithRun();
    const message = 'é'.repeat(room / 6 + 1);

    assert.throws(() => setFlowRunState(state, { runId, state: { type: 'Failed', message } }, T0), /too large/);
  });
});

describe('the double for the flow process', () => {
  it('beats without touching the state', () => {
    const { state, runId } = stateWithRun();
    heartbeatFlowRun(state, runId, at('+1m'));

    assert.deepEqual(readFlowRun(state, runId)?.heartbeat, at('+1m'));
    assert.deepEqual(statesOf(state, runId), ['1 Scheduled']);
  });
});
