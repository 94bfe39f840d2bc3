import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { keepReconcileBusy } from './busy-reconcile.ts';
import { memoryGrounds } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { Scene } from './scene.ts';

const minute = 60_000;
const open = async (wish: Parameters<typeof Scene.open>[1] = {}): Promise<Scene> => Scene.open(memoryGrounds(), wish);

interface Moment {
  readonly nth: number;
  readonly when: 'before' | 'after';
}

/** Every request of a tick, before and after its effect. */
const momentsOf = (requests: number): readonly Moment[] =>
  Array.from({ length: requests }, (_, index) => index + 1).flatMap((nth) => [
    { nth, when: 'before' as const },
    { nth, when: 'after' as const },
  ]);

async function aFullTick() {
  const scene = await open();
  return { scene, ...(await keepReconcileBusy(scene)) };
}

describe('reconcile dies', () => {
  matrixRow(6, 'at every request of a full tick', async () => {
    const clean = await aFullTick();
    await clean.scene.reconcile();
    const requests = clean.scene.requestsOfTheLast();
    assert.ok(requests >= 10, `${requests} requests`);

    for (const { nth, when } of momentsOf(requests)) {
      const { scene, died, cancelled, imageless } = await aFullTick();
      await scene.reconcile({ dies: { match: {}, nth, when } });
      await scene.end({ minutes: 6 });
      const runs = [died, cancelled, imageless];
      const ends = runs.map((id) => [scene.stateOf(id), scene.jobsEver(id), scene.jobsOf(id).length]);
      assert.deepEqual(
        ends,
        [
          ['Failed', 1, 1],
          ['Cancelled', 1, 0],
          ['Failed', 1, 0],
        ],
        `${when} request ${nth}`,
      );
      const failures = scene.history(died).filter((state) => state === 'Failed');
      assert.equal(failures.length, 1, `${when} request ${nth}`);
    }
  });
});

describe('the flow succeeds while reconcile works', () => {
  const aLostPod = async () => {
    const scene = await open();
    const id = scene.aRun({ part: { work: { workMs: 60 * minute, ends: 'success' } } });
    await scene.dispatch();
    scene.play(3 * minute);
    scene.cast.happen(id, { kind: 'evicted' });
    scene.play(10_000);
    return { scene, id };
  };

  matrixRow(37, 'before and after each request of the tick that would fail it', async () => {
    const clean = await aLostPod();
    await clean.scene.reconcile();
    assert.equal(clean.scene.stateOf(clean.id), 'Failed');
    let covered = 0;
    for (const { nth, when } of momentsOf(clean.scene.requestsOfTheLast())) {
      const { scene, id } = await aLostPod();
      const act = (): void => scene.set(id, 'Success', 'All reference tasks succeeded.');
      scene.relay.rule({}, { kind: 'meanwhile', when, act }, { nth });

      await scene.reconcile();

      assert.equal(scene.stateOf(id), 'Success', `${when} request ${nth}`);
      await scene.reconcile();
      assert.equal(scene.stateOf(id), 'Success', `${when} request ${nth}`);
      const states = scene.history(id);
      covered += Number(states.lastIndexOf('Failed') > states.indexOf('Success'));
      scene.judge();
    }
    // Only a success that comes between the last read and the write can be covered for a moment.
    assert.ok(covered <= 2, `${covered} times`);
  });
});
