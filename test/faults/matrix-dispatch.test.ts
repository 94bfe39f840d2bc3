import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { handle as kubernetesHandle } from '../../infra/local/kubernetes-api/handle.ts';
import { memoryGrounds } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { Scene } from './scene.ts';
import { claims, creates, logWrites } from './requests.ts';
import type { ProxiedRequest } from './wire-faults.ts';

/** A request that was under way reaches the API server now. */
const land = (scene: Scene, request: ProxiedRequest | undefined): void => {
  assert.ok(request !== undefined);
  kubernetesHandle(scene.grounds.cluster, request, scene.now);
};

const open = async (wish: Parameters<typeof Scene.open>[1] = {}): Promise<Scene> => Scene.open(memoryGrounds(), wish);

describe('dispatch dies', () => {
  matrixRow(1, 'each request before it', async () => {
    for (const nth of [1, 2, 3]) {
      const scene = await open();
      const runs = scene.runs(3);
      await scene.dispatch({ dies: { match: { to: 'prefect' }, nth, when: 'before' } });
      assert.ok(runs.every((id) => scene.stateOf(id) === 'Scheduled'));

      await scene.dispatch();

      assert.ok(runs.every((id) => scene.jobsOf(id).length === 1));
      await scene.end();
    }
  });

  matrixRow(2, 'at the claim', async () => {
    const scene = await open();
    const [id = ''] = scene.runs(1);
    await scene.dispatch({ dies: { match: claims, when: 'before' } });
    assert.deepEqual(scene.history(id), ['Scheduled']);

    await scene.dispatch();

    assert.deepEqual(scene.history(id), ['Scheduled', 'Submitted']);
    await scene.end();
    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
  });

  for (const [variant, match, when] of [
    ['right after the claim', claims, 'after'],
    ['at the create', creates, 'before'],
  ] as const) {
    matrixRow(3, variant, async () => {
      const scene = await open();
      const [id = ''] = scene.runs(1);
      await scene.dispatch({ dies: { match, when } });
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Submitted', 0]);
      await scene.minutes(1);
      assert.equal(scene.jobsEver(id), 0);

      await scene.end();

      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
      assert.deepEqual(scene.history(id), ['Scheduled', 'Submitted', 'Submitted', 'Running', 'Success']);
    });
  }

  matrixRow(4, 'right after the create', async () => {
    const scene = await open();
    const [id = ''] = scene.runs(1);
    await scene.dispatch({ dies: { match: creates, when: 'after' } });

    await scene.end();

    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
    assert.deepEqual(scene.history(id), ['Scheduled', 'Submitted', 'Running', 'Success']);
  });
});

describe('dispatch dies, and the pod waits', () => {
  matrixRow(4, 'right after the create, and the pod waits for longer than the lease', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { script: 'unschedulable' } });
    await scene.dispatch({ dies: { match: creates, when: 'after' } });
    scene.play(3 * 60_000);
    await scene.dispatch();
    assert.deepEqual([scene.history(id), scene.jobsEver(id)], [['Scheduled', 'Submitted'], 1]);

    scene.cast.happen(id, { kind: 'scheduled' });
    scene.cast.happen(id, { kind: 'started' });
    await scene.end();

    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
  });
});

describe('dispatch is nearly done, or has much to do', () => {
  for (const [when, lines] of [
    ['before', 0],
    ['after', 1],
  ] as const) {
    matrixRow(5, `${when} the log is written`, async () => {
      const scene = await open();
      const id = scene.aRun();
      await scene.dispatch({ dies: { match: logWrites, when } });

      await scene.end();

      const told = scene.view(id).logs.filter(({ message }) => message?.startsWith('Submitted for execution') ?? false);
      assert.equal(told.length, lines);
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
    });
  }

  for (const [variant, match, nth] of [
    ['at the claims of the first wave', claims, 1],
    ['in the middle of its creates', creates, 12],
    ['at the claims of the second wave', claims, 2],
  ] as const) {
    matrixRow(7, variant, async () => {
      const scene = await open();
      const runs = scene.runs(30);
      await scene.dispatch({ dies: { match, nth, when: 'after' } });
      assert.ok(runs.some((id) => scene.jobsOf(id).length === 0));

      await scene.end();

      for (const id of runs) assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
    });
  }
});

describe('a create takes its time', () => {
  matrixRow(13, 'it lands after its key was claimed again', async () => {
    const scene = await open();
    const id = scene.aRun();
    const late: ProxiedRequest[] = [];
    scene.relay.rule(creates, { kind: 'drop-before', act: (request) => void late.push(request) }, { times: 3 });
    await scene.dispatch();
    scene.play(2 * 60_000);
    scene.relay.rule(creates, { kind: 'meanwhile', when: 'after', act: () => land(scene, late[0]) });

    await scene.dispatch();

    assert.equal(late.length, 3);
    await scene.end();
    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
  });
});
