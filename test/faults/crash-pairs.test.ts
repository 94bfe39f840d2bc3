import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { buildBundles, openCrashScene, type Blow, type Bundles } from './crash-world.ts';
import { aFullTick } from './full-tick.ts';
import { matrixRow } from './matrix.ts';
import { creates } from './requests.ts';
import { seedsFrom } from './sample.ts';
import { seeded } from './seeded.ts';

/** Requests of a cold tick with two runs, and some more: a blow beyond the last one kills nobody. */
const mostRequests = 14;
/** The same of the full tick: 11 requests of dispatch and 16 of reconcile when nobody is killed. */
const mostOfFullTick = 18;
const pairs = 24;

describe('two processes at once, each killed somewhere', () => {
  let bundles: Bundles;
  before(async () => {
    bundles = await buildBundles();
  });
  after(() => bundles[Symbol.asyncDispose]());

  /** Both blows of a pair. */
  function blowsOf(seed: number, most: number): readonly [Blow, Blow] {
    const random = seeded(seed);
    const blow = (): Blow => ({
      nth: 1 + Math.trunc(random() * most),
      when: random() < 0.5 ? 'before' : 'after',
    });
    return [blow(), blow()];
  }

  async function killDispatchers(seed: number): Promise<void> {
    const [first, second] = blowsOf(seed, mostRequests);
    await using world = await openCrashScene(bundles);
    const { scene } = world;
    const runs = scene.runs(2);
    await Promise.all([world.run('dispatch', first), world.run('dispatch', second)]);
    await scene.end();
    for (const id of runs) assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1], `seed ${seed}`);
  }

  /** Reconcile has a run to fail and Jobs to delete, dispatch two due runs and a claim whose dispatcher died. */
  async function killBoth(seed: number): Promise<void> {
    const [ofDispatch, ofReconcile] = blowsOf(seed, mostOfFullTick);
    let jobless = '';
    const full = await aFullTick(bundles, async ({ scene }) => {
      jobless = scene.aRun();
      await scene.dispatch({ dies: { match: creates, when: 'before' } });
    });
    await using world = full.world;
    const { scene } = world;
    const told = `seed ${seed}`;
    assert.deepEqual([scene.history(jobless), scene.jobsEver(jobless)], [['Scheduled', 'Submitted'], 0], told);
    const due = scene.runs(2);
    await Promise.all([world.run('dispatch', ofDispatch), world.run('reconcile', ofReconcile)]);
    await scene.end();
    const found = [...due, jobless, full.died, full.cancelled, full.imageless].map((id) => [
      scene.stateOf(id),
      scene.jobsEver(id),
    ]);
    const well = ['Success', 1];
    assert.deepEqual(found, [well, well, well, ['Failed', 1], ['Cancelled', 1], ['Failed', 1]], told);
    assert.deepEqual(
      [full.cancelled, full.imageless].map((id) => scene.jobsOf(id).length),
      [0, 0],
      told,
    );
    assert.equal(scene.history(full.died).filter((state) => state === 'Failed').length, 1, told);
  }

  matrixRow(8, 'SIGKILL of two dispatchers, by seed', async () => {
    for (const seed of seedsFrom(1, pairs, 12)) await killDispatchers(seed);
  });

  matrixRow(10, 'SIGKILL of dispatch and reconcile, by seed', async () => {
    for (const seed of seedsFrom(101, 100 + pairs, 12)) await killBoth(seed);
  });
});
