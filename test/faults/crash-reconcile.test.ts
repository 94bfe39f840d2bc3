import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { blowsAt, buildBundles, type Bundles } from './crash-world.ts';
import { aFullTick } from './full-tick.ts';
import { matrixRow } from './matrix.ts';
import { sampled } from './sample.ts';

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
    assert.equal(clean.world.scene.stateOf(clean.died), 'Failed');

    for (const blow of sampled(blowsAt(requests.length), 7)) {
      const { world, died, cancelled, imageless } = await aFullTick(bundles);
      await using _world = world;
      const { scene } = world;
      await world.run('reconcile', blow);
      await scene.end({ minutes: 6 });
      const told = `${blow.when} request ${blow.nth}`;
      const found = [died, cancelled, imageless].map((id) => [
        scene.stateOf(id),
        scene.jobsEver(id),
        scene.jobsOf(id).length,
      ]);
      assert.deepEqual(
        found,
        [
          ['Failed', 1, 1],
          ['Cancelled', 1, 0],
          ['Failed', 1, 0],
        ],
        told,
      );
      assert.equal(scene.history(died).filter((state) => state === 'Failed').length, 1, told);
    }
  });
});
