import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { listJobs, writeJob } from '../../infra/local/kubernetes-api/state.ts';
import { setTaskRunState } from '../../infra/local/prefect-api/seed.ts';
import { memoryGrounds } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { claims, creates, readsById } from './requests.ts';
import { Scene } from './scene.ts';

const second = 1_000;
const minute = 60_000;
const open = async (wish: Parameters<typeof Scene.open>[1] = {}): Promise<Scene> => Scene.open(memoryGrounds(), wish);
const long = { work: { workMs: 20 * minute, ends: 'success' } } as const;

describe('somebody cancels', () => {
  const cancelled = (scene: Scene, id: string): void => {
    assert.equal(scene.stateOf(id), 'Cancelled');
    assert.ok(
      scene.jobsOf(id).every(({ status }) => (status.active ?? 0) === 0),
      'no Job is left at work',
    );
  };

  for (const [variant, match, when, jobs] of [
    ['before the claim lands', claims, 'before', 0],
    ['right after the claim', claims, 'after', 0],
    ['after the claim was verified', creates, 'before', 1],
  ] as const) {
    matrixRow(38, variant, async () => {
      const scene = await open();
      const id = scene.aRun();
      scene.relay.rule(match, { kind: 'meanwhile', when, act: () => scene.cancel(id) });
      await scene.dispatch();
      await scene.end();
      cancelled(scene, id);
      assert.equal(scene.jobsEver(id), jobs);
      assert.ok(!scene.history(id).includes('Running'));
    });
  }

  matrixRow(38, 'before anything', async () => {
    const scene = await open();
    const id = scene.aRun();
    scene.cancel(id);
    await scene.end();
    cancelled(scene, id);
    assert.deepEqual([scene.history(id), scene.jobsEver(id)], [['Scheduled', 'Cancelled'], 0]);
  });

  matrixRow(38, 'while the pod is pending', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { script: 'unschedulable' } });
    await scene.minutes(3);
    scene.cancel(id);
    await scene.end();
    cancelled(scene, id);
    assert.deepEqual([scene.jobsOf(id).length, scene.history(id).includes('Running')], [0, false]);
  });

  matrixRow(38, 'while it works', async () => {
    const scene = await open();
    const id = scene.aRun({ part: long });
    await scene.minutes(3);
    scene.cancel(id);
    await scene.end();
    cancelled(scene, id);
    assert.equal(scene.history(id).filter((state) => state === 'Running').length, 1);
  });

  matrixRow(38, 'and the flow does not hear of it', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { script: 'node-returns', work: long.work } });
    await scene.minutes(3);
    scene.set(id, 'Cancelled', 'by the API');
    await scene.end({ minutes: 20 });
    cancelled(scene, id);
    assert.equal(scene.jobsOf(id).length, 0);
  });

  matrixRow(38, 'after the end: nothing happens', async () => {
    const scene = await open();
    const id = scene.aRun();
    await scene.minutes(3);
    const before = scene.history(id);
    await scene.end();
    assert.deepEqual(scene.history(id), before);
  });
});

describe('somebody starts again', () => {
  matrixRow(39, 'a run that is finished', async () => {
    const scene = await open();
    const id = scene.aRun();
    await scene.minutes(3);
    assert.equal(scene.jobsOf(id).length, 1);
    scene.set(id, 'Scheduled', 'restarted');
    await scene.dispatch();
    assert.equal(scene.jobsOf(id).length, 2);
    await scene.end();
    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 2]);
    assert.equal(scene.history(id).filter((state) => state === 'Success').length, 2);
  });

  matrixRow(39, 'a run whose pod hangs', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { script: 'image-never-pulls' } });
    await scene.minutes(2);
    scene.cancel(id);
    scene.play(second);
    scene.set(id, 'Scheduled', 'restarted');
    scene.cast.direct(id, {});
    await scene.end({ minutes: 12 });
    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 2]);
  });

  matrixRow(39, 'a task of a Running run', async () => {
    const scene = await open({ flow: { tasks: [{ slug: 'load-1', maxRetries: 3 }] } });
    const id = scene.aRun({ part: { script: 'success', work: long.work } });
    await scene.minutes(1);
    const [task] = scene.view(id).taskRuns;
    const startTime = new Date(scene.now.getTime() + 12 * minute).toISOString();
    const state = { type: 'Retrying', run_count: 1, start_time: startTime };
    setTaskRunState(scene.grounds.prefect, { taskRunId: task?.id ?? '', state }, scene.now);
    scene.play(minute);
    assert.equal(scene.stateOf(id), 'Running');
    await scene.minutes(9);
    assert.equal(scene.jobsEver(id), 1);
    scene.cast.direct(id, {});
    await scene.end({ minutes: 10 });
    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 2]);
    assert.ok(!scene.history(id).includes('Failed'));
  });
});

describe('somebody deletes a run', () => {
  for (const [variant, match, when] of [
    ['before the claim', claims, 'before'],
    ['after the claim', claims, 'after'],
    ['after the read that verifies the claim', readsById, 'after'],
    ['after the create', creates, 'after'],
  ] as const) {
    matrixRow(40, variant, async () => {
      const scene = await open();
      const [id = '', ...others] = scene.runs(4);
      scene.relay.rule(match, { kind: 'meanwhile', when, act: () => scene.deleteRun(id) });
      const report = await scene.dispatch();
      assert.equal(report.problem, null);
      await scene.end();
      assert.equal(scene.jobsOf(id).length, 0);
      for (const other of others) assert.deepEqual([scene.stateOf(other), scene.jobsEver(other)], ['Success', 1]);
    });
  }

  matrixRow(40, 'while it works', async () => {
    const scene = await open();
    const id = scene.aRun({ part: long });
    await scene.minutes(2);
    scene.deleteRun(id);
    await scene.end();
    assert.equal(scene.jobsOf(id).length, 0);
  });
});

describe('others are here as well', () => {
  matrixRow(47, '4,500 older runs with other labels hide 500 of ours', async () => {
    const scene = await open({ env: { MAX_PER_TICK: '200' } });
    const hour = new Date(scene.now.getTime() - 60 * minute);
    for (let n = 0; n < 4_500; n += 1) scene.aRun({ ours: false, labels: ['gpu'], startTime: hour });
    const runs = scene.runs(500);
    const created: number[] = [];
    for (let tick = 0; tick < 4; tick += 1) {
      created.push((await scene.dispatch()).counts.created);
      scene.grounds.clock.advance(minute);
    }
    assert.deepEqual(created, [200, 200, 100, 0]);
    assert.ok(runs.every((id) => scene.stateOf(id) === 'Submitted'));
    scene.judge();
  });

  /** Makes a copy of the run's Job that is somebody else's. */
  function copyJob(scene: Scene, id: string, labels: Readonly<Record<string, string>>): string {
    const [job] = scene.jobsOf(id);
    assert.ok(job !== undefined);
    const uid = scene.grounds.cluster.newUid();
    const metadata = { ...job.metadata, name: `foreign-${uid.slice(0, 8)}`, uid, labels, annotations: {} };
    writeJob(scene.grounds.cluster, { ...job, metadata });
    return uid;
  }

  const foreign: Readonly<Record<string, (id: string) => Record<string, string>>> = {
    'a Job of another stack': (id) => ({ 'prefect.io/flow_run_id': id, 'prefect-serverless-agent/stack': 'theirs' }),
    'a Job of the ordinary agent': (id) => ({ 'prefect.io/flow_run_id': id, 'prefect.io/identifier': 'a1b2c3d4' }),
    'a Job that has nothing to do with Prefect': () => ({ app: 'theirs' }),
  };
  for (const [variant, labelsOf] of Object.entries(foreign)) {
    matrixRow(48, variant, async () => {
      const scene = await open();
      const id = scene.aRun();
      await scene.minutes(3);
      assert.equal(scene.stateOf(id), 'Success');
      const uid = copyJob(scene, id, labelsOf(id));
      scene.play(15 * minute);
      await scene.minutes(3);
      assert.ok(listJobs(scene.grounds.cluster).some(({ metadata }) => metadata.uid === uid));
      assert.deepEqual(
        [scene.stateOf(id), scene.jobsOf(id).some(({ metadata }) => metadata.uid !== uid)],
        ['Success', false],
      );
    });
  }

  matrixRow(48, 'an active Job of the ordinary agent holds the run', async () => {
    const scene = await open();
    const other = scene.aRun({ part: { script: 'unschedulable' } });
    await scene.dispatch();
    const id = scene.aRun();
    copyJob(scene, other, { 'prefect.io/flow_run_id': id, 'prefect.io/identifier': 'a1b2c3d4' });
    scene.play(3 * minute);

    const report = await scene.dispatch();

    assert.equal(report.outcomes.find(({ runId }) => runId === id)?.rule, 'active-job');
    assert.deepEqual([scene.stateOf(id), scene.jobsOf(id).length], ['Scheduled', 1]);
    scene.deleteJobs(id);
    scene.fault();
    await scene.end();
    assert.equal(scene.stateOf(id), 'Success');
  });

  matrixRow(51, 'a failed Job without our annotations, its run Running: reported by its labels', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { work: { workMs: 20 * second, ends: 'exit-1' } } });
    await scene.dispatch();
    for (const job of scene.jobsOf(id))
      writeJob(scene.grounds.cluster, { ...job, metadata: { ...job.metadata, annotations: {} } });
    await scene.end();
    assert.equal(scene.stateOf(id), 'Failed');
  });

  matrixRow(51, 'a failed Job without our annotations, its run Submitted: left alone', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { script: 'exit-1', idle: true } });
    await scene.dispatch();
    for (const job of scene.jobsOf(id))
      writeJob(scene.grounds.cluster, { ...job, metadata: { ...job.metadata, annotations: {} } });
    scene.play(3 * minute);
    await scene.reconcile();
    assert.equal(scene.stateOf(id), 'Submitted');
  });
});
