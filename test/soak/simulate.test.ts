import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { T0 } from '../support/time.ts';
import { drawScenario } from './draw-scenario.ts';
import { aRun, aScenario } from './scenario-example.ts';
import type { Strike } from './scenario.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulate.ts';
import { tellFailing } from './tell.ts';

const minute = 60_000;

const invariantsOf = async (scenario: Parameters<typeof simulate>[0]): Promise<readonly string[]> =>
  (await simulate(scenario)).violations.map(({ invariant }) => invariant);

/** The create of a dispatcher that has given it up takes effect so much later. */
const lateCreate = (ms: number): Strike => ({
  row: 13,
  on: 'create',
  notBeforeMs: 0,
  passes: 0,
  times: 1,
  effect: { kind: 'late', ms },
});

describe('a simulated world', () => {
  it('brings a run to its end, and comes to rest', async () => {
    const { witnessed, violations } = await simulate(aScenario());

    assert.deepEqual(violations, []);
    assert.deepEqual(
      witnessed.runs.map(({ history }) => history.map(({ state }) => state)),
      [['Scheduled', 'Submitted', 'Running', 'Success']],
    );
    assert.equal(witnessed.jobs.length, 1);
    assert.ok(witnessed.endedAt.getTime() - T0.getTime() < 15 * minute);
  });

  it('has the same history for the same seed, and another one for another', async () => {
    const play = async (seed: number) => (await simulate(drawScenario(seed, { runs: 4, hours: 0.5 }))).fingerprint;

    const [first, again, other] = [await play(7), await play(7), await play(8)];

    assert.equal(first, again);
    assert.notEqual(first, other);
  });

  it('survives a create as late as the API server may carry one out', async () => {
    assert.deepEqual(await invariantsOf(aScenario({ hours: 1, strikes: [lateCreate(58_000)] })), []);
  });

  it('finds the second Job of a create that is later than that, when the first one is long gone', async () => {
    const runs = [aRun(), aRun({ dueAtMs: 14 * minute })];
    const found = await invariantsOf(aScenario({ runs, strikes: [lateCreate(12 * minute)] }));
    assert.ok(found.includes('U'), found.join());
  });
});

describe('a crowd of Jobs of others', () => {
  const listsOf = async (crowd: number): Promise<readonly number[]> => {
    const { witnessed, violations } = await simulate(aScenario({ settings: { crowd } }));
    assert.deepEqual(violations, []);
    const lists = witnessed.requests.filter(({ path }) => path.includes('/jobs?'));
    return [lists.length, lists.filter(({ path }) => path.includes('continue=')).length];
  };

  it('makes every list of Jobs go on to a second page', async () => {
    const [[, few], [lists = 0, pages]] = [await listsOf(0), await listsOf(520)];
    assert.equal(few, 0);
    assert.ok(lists > 20);
    // It comes to rest as soon as it may, and that may be between two pages.
    assert.equal(pages, Math.floor(lists / 2));
  });
});

describe('a failing seed', () => {
  const noise: Strike = { row: 49, on: 'words', notBeforeMs: 0, passes: 0, times: 3, effect: { kind: 'drop-before' } };
  const scenario = aScenario({
    runs: [aRun(), aRun(), aRun({ dueAtMs: 14 * minute })],
    strikes: [noise, lateCreate(12 * minute), { ...noise, on: 'poll' }],
    acts: [{ row: 16, kind: 'prefect-restart', atMs: minute, forMs: 0 }],
  });

  it('is told with nothing but what it takes, its states and Jobs, and how to see it again', async () => {
    const { violations } = await simulate(scenario);
    const shortest = await shrink({ scenario, violations }, 40);
    const { witnessed } = await simulate(shortest.scenario);
    const told = tellFailing(shortest, witnessed, 'npm run soak -- --seed 1');

    assert.deepEqual([shortest.scenario.strikes, shortest.scenario.acts], [[lateCreate(12 * minute)], []]);
    assert.match(told, /^seed 1 violates U: npm run soak -- --seed 1\n {2}U \(run [0-9a-f-]{36}\): /u);
    assert.match(told, /late \{"ms":720000\} at create of anybody/u);
    assert.match(told, /Submitted of ours, key \d+: [\s\S]*Job prefect-/u);
  });
});
