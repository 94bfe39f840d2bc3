import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import type { JsonRecord } from '../../infra/local/prefect-api/jsonb.ts';
import {
  heartbeatFlowRun,
  seedFlow,
  seedFlowRun,
  setFlowRunState,
  setTaskRunState,
  type SeedFlow,
} from '../../infra/local/prefect-api/seed.ts';
import { runLazarus, runZombieKiller } from '../../infra/local/prefect-api/services.ts';
import { createPrefectState, type PrefectState } from '../../infra/local/prefect-api/state.ts';
import { at, T0 } from '../support/time.ts';

interface Scene {
  readonly state: PrefectState;
  readonly runId: string;
  readonly taskRunId: string;
}

/** A run of one task whose heartbeat, written at T0, is exactly 10 min old at +10m. */
function aRunIn(type: string, flow: SeedFlow = {}): Scene {
  const state = createPrefectState({ seed: 'services' });
  seedFlow(state, { tasks: [{ slug: 'load', maxRetries: 2, retryDelaySeconds: 90 }], ...flow });
  const runId = seedFlowRun(state, {}, T0);
  setFlowRunState(state, { runId, state: { type } }, T0);
  return { state, runId, taskRunId: state.tables.task_run.by('flow_run_id', runId)[0]?.id ?? '' };
}

const setTask = ({ state, taskRunId }: Scene, task: JsonRecord): void =>
  setTaskRunState(state, { taskRunId, state: task }, T0);
const run = ({ state, runId }: Scene) => {
  const view = readFlowRun(state, runId);
  assert.ok(view !== null);
  return view;
};

describe('Lazarus', () => {
  for (const type of ['Submitted', 'Running']) {
    it(`schedules a ${type} run again when its heartbeat is 10 min old, not a millisecond before`, () => {
      const scene = aRunIn(type);

      assert.deepEqual(runLazarus(scene.state, at('+599999ms')), []);
      assert.deepEqual(runLazarus(scene.state, at('+10m')), [scene.runId]);

      assert.equal(run(scene).state, 'Scheduled');
      assert.equal(run(scene).message, 'Rescheduled by a Lazarus process.');
      assert.equal(run(scene).timesResurrected, 1);
      assert.deepEqual(
        run(scene).logs.map(({ level, name, message }) => ({ level, name, message })),
        [
          {
            level: 'INFO',
            name: 'prefect-server.Lazarus.FlowRun',
            message: 'Rescheduled by a Lazarus process. This is attempt 1.',
          },
        ],
      );
    });
  }

  it('fails a run that was scheduled again three times', () => {
    const scene = aRunIn('Submitted');
    for (const offset of ['+10m', '+30m', '+50m', '+70m']) {
      runLazarus(scene.state, at(offset));
      if (offset !== '+70m')
        setFlowRunState(scene.state, { runId: scene.runId, state: { type: 'Submitted' } }, at(offset));
    }

    assert.equal(run(scene).state, 'Failed');
    assert.equal(
      run(scene).message,
      'A Lazarus process attempted to reschedule this run 3 times without success. Marking as failed.',
    );
    assert.equal(run(scene).timesResurrected, 3);
    assert.equal(run(scene).logs.at(-1)?.level, 'ERROR');
  });

  const keptAway = ['Scheduled', 'Paused', 'Resume', 'Retrying', 'Running', 'Cancelling'];
  const notKeptAway = ['Pending', 'Submitted', 'Queued', 'Success', 'Failed'];
  for (const type of [...keptAway, ...notKeptAway]) {
    const wantTouched = notKeptAway.includes(type);
    it(`${wantTouched ? 'does not mind' : 'keeps away from'} a run with a task that is ${type}`, () => {
      const scene = aRunIn('Running');
      setTask(scene, { type });

      assert.deepEqual(runLazarus(scene.state, at('+10m')), wantTouched ? [scene.runId] : []);
    });
  }

  it('does not see a run without a heartbeat, nor one that beats', () => {
    const scene = aRunIn('Running');
    heartbeatFlowRun(scene.state, scene.runId, at('+5m'));
    assert.deepEqual(runLazarus(scene.state, at('+10m')), []);

    const stored = scene.state.tables.flow_run.get(scene.runId);
    assert.ok(stored !== null);
    stored.heartbeat = null;
    assert.deepEqual(runLazarus(scene.state, at('+24h')), []);
  });

  for (const setting of ['lazarus_enabled', 'heartbeat_enabled']) {
    it(`leaves flows alone whose group says ${setting}: false`, () => {
      const scene = aRunIn('Submitted', { settings: { [setting]: false } });

      assert.deepEqual(runLazarus(scene.state, at('+1h')), []);
    });
  }

  it('does not touch a Cancelling run', () => {
    const scene = aRunIn('Cancelling');

    assert.deepEqual(runLazarus(scene.state, at('+1h')), []);
  });
});

describe('the zombie killer', () => {
  const dead = (): Scene => {
    const scene = aRunIn('Running');
    setTask(scene, { type: 'Running' });
    return scene;
  };

  it('retries a running task of a run whose heartbeat is 10 min old, not before', () => {
    const scene = dead();
    assert.deepEqual(runZombieKiller(scene.state, at('+599999ms')).taskRuns, []);

    assert.deepEqual(runZombieKiller(scene.state, at('+10m')).taskRuns, [scene.taskRunId]);

    const task = run(scene).taskRuns[0];
    assert.equal(task?.state, 'Retrying');
    assert.deepEqual(task.startTime, at('+690s'));
    const text = 'No heartbeat detected from the remote task; retrying the run.This will be retry 1 of 2.';
    assert.equal(scene.state.tables.task_run.get(scene.taskRunId)?.state_message, text);
    assert.deepEqual(
      run(scene).logs.map(({ name, message }) => ({ name, message })),
      [{ name: 'prefect-server.ZombieKiller.TaskRun', message: text }],
    );
  });

  it('grants the last retry', () => {
    const scene = dead();
    setTask(scene, { type: 'Retrying', run_count: 1 });
    setTask(scene, { type: 'Running' });

    runZombieKiller(scene.state, at('+10m'));

    assert.match(run(scene).logs[0]?.message ?? '', /This will be retry 2 of 2\.$/);
  });

  it('fails the task once its retries are used up', () => {
    const scene = dead();
    for (const attempt of [1, 2]) {
      setTask(scene, { type: 'Retrying', run_count: attempt });
      setTask(scene, { type: 'Running' });
    }

    runZombieKiller(scene.state, at('+10m'));

    assert.equal(run(scene).taskRuns[0]?.state, 'Failed');
    assert.match(run(scene).logs[0]?.message ?? '', /marking the task run .* as failed\.$/);
  });

  it('fails the task when its flow run does not run any more', () => {
    const scene = dead();
    setFlowRunState(scene.state, { runId: scene.runId, state: { type: 'Failed' } }, T0);

    runZombieKiller(scene.state, at('+10m'));

    assert.equal(run(scene).taskRuns[0]?.state, 'Failed');
  });

  it('fails a Cancelling run that is dead', () => {
    const scene = aRunIn('Cancelling');

    assert.deepEqual(runZombieKiller(scene.state, at('+10m')).flowRuns, [scene.runId]);

    assert.equal(run(scene).state, 'Failed');
    assert.equal(run(scene).message, 'No heartbeat detected from the flow run; marking the run as failed.');
  });

  it('leaves flows without heartbeats alone, but not those without Lazarus', () => {
    const silent = aRunIn('Cancelling', { settings: { heartbeat_enabled: false } });
    assert.deepEqual(runZombieKiller(silent.state, at('+1h')).flowRuns, []);

    const noLazarus = aRunIn('Cancelling', { settings: { lazarus_enabled: false } });
    assert.deepEqual(runZombieKiller(noLazarus.state, at('+1h')).flowRuns, [noLazarus.runId]);
  });
});
