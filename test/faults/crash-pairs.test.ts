import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { buildBundles, openCrashScene, type Blow, type Bundles } from './crash-world.ts';
import type { FunctionName } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { seedsFrom } from './sample.ts';
import { seeded } from './seeded.ts';

/** Requests of a cold tick, and some more: a blow beyond the last one kills nobody. */
const mostRequests = 14;
const pairs = 24;

describe('two processes at once, each killed somewhere', () => {
  let bundles: Bundles;
  before(async () => {
    bundles = await buildBundles();
  });
  after(() => bundles[Symbol.asyncDispose]());

  async function killPair(other: FunctionName, seed: number): Promise<void> {
    const random = seeded(seed);
    const blow = (): Blow => ({
      nth: 1 + Math.trunc(random() * mostRequests),
      when: random() < 0.5 ? 'before' : 'after',
    });
    await using world = await openCrashScene(bundles);
    const { scene } = world;
    const runs = scene.runs(2);
    await Promise.all([world.run('dispatch', blow()), world.run(other, blow())]);
    await scene.end();
    for (const id of runs) assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1], `seed ${seed}`);
  }

  matrixRow(8, 'SIGKILL of two dispatchers, by seed', async () => {
    for (const seed of seedsFrom(1, pairs, 12)) await killPair('dispatch', seed);
  });

  matrixRow(10, 'SIGKILL of dispatch and reconcile, by seed', async () => {
    for (const seed of seedsFrom(101, 100 + pairs, 12)) await killPair('reconcile', seed);
  });
});
