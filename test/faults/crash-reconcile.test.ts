import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { blowsAt, buildBundles, openCrashScene, type Bundles } from './crash-world.ts';
import { matrixRow } from './matrix.ts';
import { sampled } from './sample.ts';

const minute = 60_000;

/** A dead flow, a cancelled pending run and an image that never comes, four minutes after their Jobs were made. */
async function aFullTick(bundles: Bundles) {
  const world = await openCrashScene(bundles, 4 * minute);
  const { scene } = world;
  const died = scene.aRun({ part: { work: { workMs: 20_000, ends: 'exit-1' } } });
  const cancelled = scene.aRun({ part: { script: 'unschedulable' } });
  const imageless = scene.aRun({ part: { script: 'image-never-pulls' } });
  await scene.dispatch();
  scene.play(4 * minute);
  scene.cancel(cancelled);
  return { world, scene, runs: [died, cancelled, imageless] };
}

describe('reconcile, killed', () => {
  let bundles: Bundles;
  before(async () => {
    bundles = await buildBundles();
  });
  after(() => bundles[Symbol.asyncDispose]());

  matrixRow(6, 'SIGKILL at every request of a full tick of the deployed bundle', async () => {
    const clean = await aFullTick(bundles);
    await using _ended = clean.world;
    const requests = await clean.world.run('reconcile');
    assert.equal(clean.scene.stateOf(clean.runs[0] ?? ''), 'Failed');

    for (const blow of sampled(blowsAt(requests.length), 7)) {
      const { world, scene, runs } = await aFullTick(bundles);
      await using _world = world;
      await world.run('reconcile', blow);
      await scene.end({ minutes: 6 });
      const told = `${blow.when} request ${blow.nth}`;
      const found = runs.map((id) => [scene.stateOf(id), scene.jobsEver(id), scene.jobsOf(id).length]);
      assert.deepEqual(
        found,
        [
          ['Failed', 1, 1],
          ['Cancelled', 1, 0],
          ['Failed', 1, 0],
        ],
        told,
      );
      assert.equal(scene.history(runs[0] ?? '').filter((state) => state === 'Failed').length, 1, told);
    }
  });
});
