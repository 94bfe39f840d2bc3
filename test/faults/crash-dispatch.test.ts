import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { blowsAt, buildBundles, openCrashScene, type Blow, type Bundles } from './crash-world.ts';
import { aDueRetry, dueRetryMs, retryingFlow } from './due-retry.ts';
import { matrixRow } from './matrix.ts';
import { claims, creates, polls } from './requests.ts';
import { sampled } from './sample.ts';
import type { Scene } from './scene.ts';
import { matching, type Match } from './wire-faults.ts';
import type { WitnessedRequest } from './witness.ts';

const minute = 60_000;

/** Two claims whose dispatcher died before it created anything, four minutes ago: their lease is over. */
async function twoAbandonedClaims(scene: Scene): Promise<readonly string[]> {
  const runs = scene.runs(2);
  await scene.dispatch({ dies: { match: creates, when: 'before' } });
  scene.play(4 * minute);
  assert.deepEqual(
    runs.map((id) => [scene.stateOf(id), scene.jobsEver(id)]),
    runs.map(() => ['Submitted', 0]),
  );
  return runs;
}

/** What else a tick may find, and how many Jobs each of these runs ever has in the end. */
const findings = [
  {
    row: 3,
    name: 'claims again',
    wish: { beginsAgoMs: 4 * minute },
    prepare: twoAbandonedClaims,
    jobs: 1,
  },
  {
    row: 4,
    name: 'starts a task retry',
    wish: { beginsAgoMs: dueRetryMs, flow: retryingFlow },
    prepare: async (scene: Scene) => [await aDueRetry(scene)],
    jobs: 2,
  },
] as const;

describe('dispatch, killed in a tick that', () => {
  let bundles: Bundles;
  before(async () => {
    bundles = await buildBundles();
  });
  after(() => bundles[Symbol.asyncDispose]());

  for (const { row, name, wish, prepare, jobs } of findings) {
    matrixRow(row, `${name}: SIGKILL at each request`, async () => {
      const play = async (blow?: Blow): Promise<number> => {
        await using world = await openCrashScene(bundles, wish);
        const { scene } = world;
        const runs = await prepare(scene);
        const requests = await world.run('dispatch', blow);
        if (blow === undefined) assert.ok(requests.some((request) => matching(creates)({ ...request, headers: {} })));
        await scene.end();
        const found = runs.map((id) => [scene.stateOf(id), scene.jobsEver(id)]);
        const told = blow === undefined ? 'not killed' : `${blow.when} request ${blow.nth}`;
        assert.deepEqual(
          found,
          runs.map(() => ['Success', jobs]),
          told,
        );
        return requests.length;
      };
      for (const blow of sampled(blowsAt(await play()), 4)) await play(blow);
    });
  }
});

/** Two runs in a cold tick of the deployed bundle: SIGKILL at every request, then clean ticks and the checker. */
describe('dispatch, killed', () => {
  let bundles: Bundles;
  let requests: readonly WitnessedRequest[] = [];

  before(async () => {
    bundles = await buildBundles();
    await using world = await openCrashScene(bundles);
    world.scene.runs(2);
    requests = await world.run('dispatch');
  });
  after(() => bundles[Symbol.asyncDispose]());

  async function kill(blow: Blow): Promise<void> {
    await using world = await openCrashScene(bundles);
    const { scene } = world;
    const runs = scene.runs(2);
    await world.run('dispatch', blow);
    await scene.end();
    const told = `${blow.when} request ${blow.nth}`;
    for (const id of runs) {
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1], told);
      const lines = scene
        .view(id)
        .logs.filter(({ message }) => message?.startsWith('Submitted for execution') ?? false);
      assert.ok(lines.length <= 1, told);
    }
  }

  /** The place of the first request that matches, in the order in which they arrived. */
  const placeOf = (match: Match): number => {
    const place = requests.findIndex((request) => matching(match)({ ...request, headers: {} }));
    assert.ok(place >= 0);
    return place + 1;
  };

  /** Moments are counted in halves: `before` the n-th request is 2n, `after` it 2n + 1. */
  const momentOf = ({ nth, when }: Blow): number => 2 * nth + Number(when === 'after');

  async function killBetween(from: number, to: number): Promise<void> {
    const blows = blowsAt(requests.length).filter((blow) => momentOf(blow) >= from && momentOf(blow) < to);
    assert.ok(blows.length > 0);
    for (const blow of sampled(blows, 4)) await kill(blow);
  }

  matrixRow(1, 'SIGKILL at each request up to the poll', () => killBetween(0, 2 * placeOf(polls) + 1));
  matrixRow(2, 'SIGKILL at each request from the poll to the claim', () =>
    killBetween(2 * placeOf(polls) + 1, 2 * placeOf(claims) + 1),
  );
  matrixRow(3, 'SIGKILL at each request from the claim to the create', () =>
    killBetween(2 * placeOf(claims) + 1, 2 * placeOf(creates) + 1),
  );
  matrixRow(4, 'SIGKILL right after the first create, and around the second', () =>
    killBetween(2 * placeOf(creates) + 1, 2 * placeOf(creates) + 4),
  );
  matrixRow(5, 'SIGKILL at each request after the creates', () =>
    killBetween(2 * placeOf(creates) + 4, Number.POSITIVE_INFINITY),
  );
});
