import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { FlowProcess, type FlowWork, type ProcessEnd } from '../../infra/local/flow-process.ts';
import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import type { JsonValue } from '../../infra/local/prefect-api/jsonb.ts';
import { cancelFlowRun, seedFlow, seedFlowRun, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import { createPrefectState } from '../../infra/local/prefect-api/state.ts';
import { at, T0 } from '../support/time.ts';

/** A flow run with one task, in a state of its own, and a process for it. */
function aProcess(wish: { work?: Partial<FlowWork>; state?: JsonValue; startTime?: Date } = {}) {
  const state = createPrefectState({ seed: 1 });
  const flowId = seedFlow(state, { name: 'etl', tasks: [{ slug: 'load' }] });
  const runId = seedFlowRun(state, { flowId, startTime: wish.startTime ?? at('-1m') }, at('-10m'));
  if (wish.state !== undefined) setFlowRunState(state, { runId, state: wish.state }, at('-5m'));
  const process = new FlowProcess({ state, runId, work: { workMs: 60_000, ends: 'success', ...wish.work } });
  const seen = () => {
    const run = readFlowRun(state, runId);
    return { state: run?.state, task: run?.taskRuns[0]?.state, heartbeat: run?.heartbeat, rows: run?.states.length };
  };
  return { state, runId, process, seen };
}

/** Steps a process second by second until it ends or `until` has come. */
function stepUntil(process: FlowProcess, from: Date, until: Date): { end: ProcessEnd | null; at: Date } {
  let now = from;
  for (; now <= until; now = new Date(now.getTime() + 1_000)) {
    const end = process.step(now);
    if (end !== null) return { end, at: now };
  }
  return { end: null, at: now };
}

const submitted = (inner: JsonValue): JsonValue => ({
  type: 'Submitted',
  message: 'Submitted for execution',
  state: inner,
});
const exit = (exitCode: number): ProcessEnd => ({ kind: 'exited', exitCode });

describe('flow process', () => {
  const atOnce: Readonly<Record<string, { state: JsonValue; want: ProcessEnd }>> = {
    'a run that has finished': { state: { type: 'Failed', message: 'by hand' }, want: exit(0) },
    'a run that was cancelled while it waited': { state: { type: 'Cancelled', message: 'by a user' }, want: exit(0) },
    'a Submitted run that is not due': {
      state: submitted({ type: 'Scheduled', start_time: at('+1m').toISOString() }),
      want: exit(0),
    },
    'a Scheduled run that is not due': {
      state: { type: 'Scheduled', start_time: at('+1m').toISOString() },
      want: exit(0),
    },
  };
  for (const [name, { state, want }] of Object.entries(atOnce)) {
    it(`ends at once for ${name}, and writes nothing`, () => {
      const { process, seen } = aProcess({ state });
      const before = seen();

      assert.deepEqual(process.start(T0), want);
      assert.deepEqual(seen(), before);
    });
  }

  it('ends with 1 for a run that does not exist', () => {
    const process = new FlowProcess({
      state: createPrefectState({ seed: 1 }),
      runId: '00000000-0000-4000-8000-000000000001',
      work: { workMs: 1_000, ends: 'success' },
    });

    assert.deepEqual(process.start(T0), exit(1));
  });

  it('runs a Submitted run that is due to the millisecond', () => {
    const { process, seen } = aProcess({ state: submitted({ type: 'Scheduled', start_time: T0.toISOString() }) });

    assert.equal(process.start(T0), null);
    assert.deepEqual([seen().state, seen().task], ['Running', 'Running']);
  });

  it('takes up a Running run without a new state', () => {
    const { process, seen } = aProcess({ state: { type: 'Running', message: 'Running flow.' } });
    const before = seen().rows;

    assert.equal(process.start(T0), null);
    assert.deepEqual([seen().rows, seen().task], [before, 'Running']);
  });

  const ends: Readonly<Record<FlowWork['ends'], { want: ProcessEnd; wantState: string; wantTask: string }>> = {
    success: { want: exit(0), wantState: 'Success', wantTask: 'Success' },
    failed: { want: exit(0), wantState: 'Failed', wantTask: 'Failed' },
    'exit-1': { want: exit(1), wantState: 'Running', wantTask: 'Running' },
    'out-of-memory': { want: { kind: 'out-of-memory' }, wantState: 'Running', wantTask: 'Running' },
    'load-error': { want: exit(1), wantState: 'Failed', wantTask: 'Pending' },
  };
  for (const [name, { want, wantState, wantTask }] of Object.entries(ends)) {
    it(`ends with ${name}`, () => {
      const { process, seen } = aProcess({ work: { ends: name as FlowWork['ends'] } });

      const end = process.start(T0) ?? stepUntil(process, T0, at('+2m')).end;

      assert.deepEqual(end, want);
      assert.deepEqual([seen().state, seen().task], [wantState, wantTask]);
    });
  }

  it('writes a heartbeat at its start and every 30 s', () => {
    const { process, seen } = aProcess({ work: { workMs: 600_000 } });

    process.start(T0);
    stepUntil(process, T0, at('+29s'));
    assert.deepEqual(seen().heartbeat, T0);
    stepUntil(process, at('+30s'), at('+45s'));

    assert.deepEqual(seen().heartbeat, at('+30s'));
  });

  it('sees a cancel within 15 s', () => {
    const { process, seen, state, runId } = aProcess({ work: { workMs: 600_000 } });

    process.start(T0);
    stepUntil(process, T0, at('+16s'));
    cancelFlowRun(state, runId, at('+17s'));
    const { end, at: endedAt } = stepUntil(process, at('+17s'), at('+2m'));

    assert.deepEqual(end, exit(0));
    assert.deepEqual([seen().state, endedAt], ['Cancelled', at('+30s')]);
  });

  it('does not see that somebody set another state, and overwrites it at its end', () => {
    const { process, seen, state, runId } = aProcess();

    process.start(T0);
    setFlowRunState(state, { runId, state: { type: 'Failed', message: 'by hand' } }, at('+10s'));
    stepUntil(process, at('+10s'), at('+2m'));

    assert.equal(seen().state, 'Success');
  });
});
