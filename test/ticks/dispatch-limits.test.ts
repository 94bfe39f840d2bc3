import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { aWorld, end, minute, stateOf } from '../support/protocol-world.ts';
import { at } from '../support/time.ts';

/** A world in which so many runs have been due for a minute. */
function anOutage(runs: number, env: Readonly<Record<string, string>>) {
  const { world, agent, runId } = aWorld(env);
  const others = Array.from({ length: runs - 1 }, () =>
    seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m')),
  );
  return { world, agent, runs: [runId, ...others] };
}

describe('what bounds a tick of dispatch', () => {
  it('drains what an outage has left by MAX_PER_TICK a tick, and says what it holds', async () => {
    const { world, agent, runs } = anOutage(5, { MAX_PER_TICK: '2' });

    const told = [];
    for (let tick = 0; tick < 4; tick += 1) {
      const { counts, byRule } = await agent.dispatch();
      told.push([counts.created, byRule['tick-is-full'] ?? 0]);
      world.clock.advance(minute);
    }

    assert.deepEqual(told, [
      [2, 3],
      [2, 1],
      [1, 0],
      [0, 0],
    ]);
    assert.equal(new Set(world.jobs().map(({ metadata }) => metadata.name)).size, runs.length);
  });

  it('counts MAX_PER_TICK over all the pages that it reads', async () => {
    const { world, agent } = anOutage(503, { MAX_PER_TICK: '501', MAX_IN_FLIGHT: '1000' });

    const { counts, outcomes } = await agent.dispatch();

    assert.equal(counts.created, 501);
    assert.equal(world.jobs().length, 501);
    const held = outcomes.filter(({ rule }) => rule === 'tick-is-full');
    assert.deepEqual([held.length, ...new Set(held.map(({ why }) => why))], [2, 'MAX_PER_TICK is 501']);
  });

  it('creates nothing while DISPATCH_PAUSED, claims nothing, and goes on where it was', async () => {
    const { world, agent, runs } = anOutage(2, { DISPATCH_PAUSED: 'true' });

    const paused = await agent.dispatch();
    const states = runs.map((run) => stateOf(world, run));
    const released = await world.container().dispatch();

    assert.deepEqual([paused.counts.created, paused.byRule['paused-by-operator'], paused.problem], [0, 2, null]);
    assert.deepEqual(states, ['Scheduled', 'Scheduled']);
    assert.deepEqual([released.counts.created, world.jobs().length], [2, 2]);
  });

  it('leaves reconcile at work while DISPATCH_PAUSED: a run whose Job failed is failed', async () => {
    const { world, runs } = anOutage(1, {});
    await world.container().dispatch();
    for (const run of runs) end(world, run, 'Failed');
    world.clock.advance(5 * minute);

    await world.container({ DISPATCH_PAUSED: 'true' }).reconcile();

    assert.deepEqual(
      runs.map((run) => stateOf(world, run)),
      ['Failed'],
    );
  });

  it('holds what is later than LATE_RUN_LIMIT, and nothing that is as late', async () => {
    const { world, agent, runs } = anOutage(1, { LATE_RUN_LIMIT: '10m' });
    const late = seedFlowRun(world.prefect, { startTime: at('-11m') }, at('-12m'));
    const asLate = seedFlowRun(world.prefect, { startTime: at('-10m') }, at('-12m'));

    const { counts, byRule } = await agent.dispatch();

    assert.deepEqual([counts.created, byRule['later-than-the-limit']], [2, 1]);
    assert.deepEqual(
      [late, asLate, ...runs].map((run) => stateOf(world, run)),
      ['Scheduled', 'Submitted', 'Submitted'],
    );
  });
});
