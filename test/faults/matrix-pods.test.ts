import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { kubeTime, type Job } from '../../infra/local/kubernetes-api/objects.ts';
import { listPods, writeJob } from '../../infra/local/kubernetes-api/state.ts';
import { memoryGrounds } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { Scene } from './scene.ts';
import { defaultLimits } from './witness.ts';

const second = 1_000;
const minute = 60_000;
const open = async (wish: Parameters<typeof Scene.open>[1] = {}): Promise<Scene> => Scene.open(memoryGrounds(), wish);

const long = { work: { workMs: 60 * minute, ends: 'success' } } as const;

/** A run whose process works, in its third minute. */
async function atWork(wish: Parameters<typeof open>[0] = {}, part: Parameters<Scene['cast']['direct']>[1] = long) {
  const scene = await open(wish);
  const id = scene.aRun({ part });
  await scene.dispatch();
  scene.play(3 * minute);
  assert.equal(scene.stateOf(id), 'Running');
  return { scene, id };
}

interface End {
  readonly state: string;
  /** Jobs of the run in all. */
  readonly jobs: number;
  readonly after?: number;
}

/** After so many minutes (7) without a fault the run stands there, and the checker finds nothing. */
async function ends(scene: Scene, id: string, { state, jobs, after = 7 }: End): Promise<void> {
  await scene.end({ minutes: after });
  assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], [state, jobs]);
}

describe('Jobs go', () => {
  matrixRow(29, 'by hand, while the pod is pending', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { script: 'unschedulable' } });
    await scene.minutes(1);
    scene.deleteJobs(id);
    scene.fault();
    scene.cast.direct(id, {});
    await ends(scene, id, { state: 'Success', jobs: 2 });
  });

  matrixRow(29, 'by hand, while it works', async () => {
    const { scene, id } = await atWork();
    scene.deleteJobs(id);
    scene.fault();
    await scene.minutes(5);
    assert.equal(scene.stateOf(id), 'Running');
    scene.cast.direct(id, {});
    await ends(scene, id, { state: 'Success', jobs: 2, after: 45 });
    assert.ok(!scene.history(id).includes('Failed'));
  });

  matrixRow(29, 'by hand, after success', async () => {
    const scene = await open();
    const id = scene.aRun();
    await scene.minutes(2);
    scene.deleteJobs(id);
    scene.fault();
    await ends(scene, id, { state: 'Success', jobs: 1 });
    assert.deepEqual(scene.history(id), ['Scheduled', 'Submitted', 'Running', 'Success']);
  });

  const shortLived = { env: { TTL_SUCCEEDED: '10m', TTL_FAILED: '10m' } };

  matrixRow(30, 'and the run is Success', async () => {
    const scene = await open(shortLived);
    const id = scene.aRun();
    await scene.dispatch();
    scene.play(12 * minute);
    assert.equal(scene.jobsOf(id).length, 0);
    await ends(scene, id, { state: 'Success', jobs: 1 });
  });

  matrixRow(30, 'and the run is Submitted: its pod was early', async () => {
    const scene = await open({ ...shortLived, flow: { settings: { lazarus_enabled: false } } });
    const id = scene.aRun({ part: { script: 'success', idle: true } });
    await scene.dispatch();
    scene.play(12 * minute);
    assert.deepEqual([scene.stateOf(id), scene.jobsOf(id).length], ['Submitted', 0]);
    scene.cast.direct(id, {});
    scene.fault();
    await ends(scene, id, { state: 'Success', jobs: 2 });
  });

  matrixRow(30, 'and the run is Running', async () => {
    const scene = await open(shortLived);
    const id = scene.aRun({ part: { script: 'exit-1', work: long.work } });
    await scene.dispatch();
    scene.play(12 * minute);
    assert.equal(scene.jobsOf(id).length, 0);
    scene.fault();
    scene.cast.direct(id, {});
    await ends(scene, id, { state: 'Success', jobs: 2, after: 30 });
    assert.ok(!scene.history(id).includes('Failed'));
  });
});

describe('pods are lost', () => {
  for (const [kind, part] of [
    ['evicted', { script: 'unschedulable' }],
    ['preempted', { script: 'unschedulable' }],
    ['evicted', { script: 'image-never-pulls' }],
  ] as const) {
    matrixRow(31, `${kind} while ${part.script}, one retry`, async () => {
      const scene = await open({ env: { INFRA_RETRIES: '1' } });
      const id = scene.aRun({ part });
      await scene.dispatch();
      scene.play(130 * second);
      scene.cast.happen(id, { kind });
      scene.play(10 * second);
      scene.fault();
      scene.cast.direct(id, {});
      await ends(scene, id, { state: 'Success', jobs: 2 });
      assert.deepEqual(scene.history(id), ['Scheduled', 'Submitted', 'Submitted', 'Running', 'Success']);
    });
  }

  matrixRow(31, 'evicted again, beyond the retries: Failed with the diagnosis', async () => {
    const scene = await open({ env: { INFRA_RETRIES: '1' } });
    const id = scene.aRun({ part: { script: 'unschedulable' } });
    for (let time = 0; time < 2; time += 1) {
      await scene.dispatch();
      scene.play(130 * second);
      scene.cast.happen(id, { kind: 'evicted' });
      scene.play(10 * second);
      await scene.reconcile();
      scene.play(minute);
    }
    await ends(scene, id, { state: 'Failed', jobs: 2 });
    assert.match(scene.view(id).message ?? '', /infrastructure/u);
  });

  matrixRow(32, 'and Lazarus has rescheduled the run: the old Job fails nothing', async () => {
    const { scene, id } = await atWork();
    scene.cast.happen(id, { kind: 'evicted' });
    scene.play(10 * second);
    scene.set(id, 'Scheduled', 'Rescheduled by a Lazarus process. This is attempt 1.');
    scene.fault();
    scene.cast.direct(id, {});
    await scene.reconcile();
    assert.equal(scene.stateOf(id), 'Scheduled');
    await ends(scene, id, { state: 'Success', jobs: 2 });
    assert.ok(!scene.history(id).includes('Failed'));
  });

  matrixRow(32, 'and it is left to zombie killer and Lazarus', async () => {
    const { scene, id } = await atWork({ env: { INFRA_RETRIES: '1' } });
    scene.cast.happen(id, { kind: 'evicted' });
    scene.play(10 * second);
    scene.fault();
    scene.cast.direct(id, {});
    await ends(scene, id, { state: 'Success', jobs: 2, after: 40 });
    assert.ok(!scene.history(id).includes('Failed'));
  });

  matrixRow(33, 'for ten minutes with their node, and come back', async () => {
    const { scene, id } = await atWork({}, { script: 'node-returns', work: { workMs: 12 * minute, ends: 'success' } });
    scene.fault();
    await scene.minutes(6);
    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Running', 1]);
    await scene.minutes(4);
    scene.fault();
    await ends(scene, id, { state: 'Success', jobs: 1 });
    assert.ok(!scene.history(id).includes('Failed'));
  });
});

describe('processes end badly', () => {
  for (const [ending, words] of [
    ['out-of-memory', /OOMKilled/u],
    ['exit-1', /exited with code 1/u],
  ] as const) {
    matrixRow(34, ending, async () => {
      const { scene, id } = await atWork({}, { work: { workMs: 4 * minute, ends: ending } });
      scene.fault();
      await ends(scene, id, { state: 'Failed', jobs: 1 });
      assert.match(scene.view(id).message ?? '', words);
      assert.equal(scene.history(id).filter((state) => state === 'Failed').length, 1);
    });
  }

  matrixRow(34, 'exit 0 with the run still Running, and the services of the server are off', async () => {
    const scene = await open({ flow: { settings: { lazarus_enabled: false, heartbeat_enabled: false } } });
    const id = scene.aRun({ part: { script: 'success', work: long.work } });
    await ends(scene, id, { state: 'Failed', jobs: 1 });
    assert.match(scene.view(id).message ?? '', /still Running/u);
  });

  matrixRow(34, 'exit 0 with the run still Running: left to the server', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { script: 'success', work: long.work } });
    await scene.minutes(5);
    assert.equal(scene.stateOf(id), 'Running');
    scene.cast.direct(id, {});
    await ends(scene, id, { state: 'Success', jobs: 2, after: 40 });
    assert.ok(!scene.history(id).includes('Failed'));
  });
});

describe('pods do not start', () => {
  const scripts = { 'image-never-pulls': 3 * minute, 'config-error': 3 * minute, unschedulable: 5 * minute } as const;
  const env = { PENDING_GRACE: '5m' };
  const limits = { ...defaultLimits, pendingGraceMs: 5 * minute };

  for (const [script, graceMs] of Object.entries(scripts) as [keyof typeof scripts, number][]) {
    matrixRow(35, `${script}, healed just within the grace`, async () => {
      const scene = await open({ env });
      const id = scene.aRun({ part: { script } });
      await scene.dispatch();
      scene.play(graceMs - second);
      await scene.reconcile();
      assert.equal(scene.stateOf(id), 'Submitted');
      scene.cast.happen(id, { kind: 'scheduled' });
      scene.cast.happen(id, { kind: 'started' });
      scene.play(2 * second);
      await scene.reconcile();
      assert.equal(scene.stateOf(id), 'Running');
      scene.fault();
      await scene.end({ limits });
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
    });

    matrixRow(35, `${script}, healed just after the grace`, async () => {
      const scene = await open({ env });
      const id = scene.aRun({ part: { script } });
      await scene.dispatch();
      scene.play(graceMs + 20 * second);
      await scene.reconcile();
      assert.equal(scene.stateOf(id), 'Failed');
      scene.cast.happen(id, { kind: 'started' });
      scene.fault();
      await scene.end({ limits });
      assert.deepEqual([scene.stateOf(id), scene.jobsOf(id).length, scene.jobsEver(id)], ['Failed', 0, 1]);
      assert.ok(scene.cast.executions.every(({ outcome }) => outcome === 'nothing-to-do'));
    });
  }
});

describe('the Job controller speaks', () => {
  const template = (spec: object) => {
    const pod = { spec: { containers: [{}] } };
    return { env: { JOB_TEMPLATE: JSON.stringify({ spec: { ...spec, template: pod } }) } };
  };

  matrixRow(36, 'DeadlineExceeded', async () => {
    const scene = await open(template({ activeDeadlineSeconds: 120 }));
    const id = scene.aRun({ part: long });
    await scene.dispatch();
    scene.play(3 * minute);
    scene.fault();
    await ends(scene, id, { state: 'Failed', jobs: 1 });
    assert.match(scene.view(id).message ?? '', /activeDeadlineSeconds/u);
    assert.equal(scene.history(id).filter((state) => state === 'Failed').length, 1);
  });

  matrixRow(36, 'PodFailurePolicy', async () => {
    const rules = [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }];
    const scene = await open(template({ backoffLimit: 3, podFailurePolicy: { rules } }));
    const id = scene.aRun({ part: { work: { workMs: 20_000, ends: 'exit-1' } } });
    await ends(scene, id, { state: 'Failed', jobs: 1 });
    assert.equal(scene.history(id).filter((state) => state === 'Failed').length, 1);
  });

  /** Changes the run's Job as somebody with the rights would. */
  function change(scene: Scene, id: string, edit: (job: Job) => Job): void {
    for (const job of scene.jobsOf(id)) writeJob(scene.grounds.cluster, edit(job));
  }

  matrixRow(36, 'Suspended: waits, and goes on', async () => {
    const scene = await open({ env: { PENDING_GRACE: '5m' } });
    const id = scene.aRun({ part: { script: 'unschedulable' } });
    await scene.dispatch();
    change(scene, id, (job) => ({ ...job, spec: { ...job.spec, suspend: true } }));
    await scene.minutes(10);
    assert.deepEqual(scene.history(id), ['Scheduled', 'Submitted']);
    scene.cast.direct(id, {});
    change(scene, id, (job) => ({ ...job, spec: { ...job.spec, suspend: false } }));
    scene.fault();
    await ends(scene, id, { state: 'Success', jobs: 1 });
  });

  matrixRow(36, 'FailureTarget alone: no report', async () => {
    const { scene, id } = await atWork();
    const at = kubeTime(scene.now);
    const condition = {
      type: 'FailureTarget',
      status: 'True',
      reason: 'BackoffLimitExceeded',
      message: '',
      lastTransitionTime: at,
    } as const;
    change(scene, id, (job) => ({ ...job, status: { ...job.status, conditions: [condition] } }));
    await scene.reconcile();
    assert.deepEqual([scene.stateOf(id), listPods(scene.grounds.cluster).length], ['Running', 1]);
    scene.judge();
  });
});
