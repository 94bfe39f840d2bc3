import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { jsonAnswer } from '../../infra/local/http.ts';
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

describe('runs that dispatch holds', () => {
  it('do not hide newer ones when they are too late, and are said', async () => {
    const { world, agent, runs } = anOutage(1, { LATE_RUN_LIMIT: '10m' });
    for (let n = 0; n < 501; n += 1) seedFlowRun(world.prefect, { startTime: at('-11m') }, at('-12m'));

    const { counts, byRule } = await agent.dispatch();

    assert.deepEqual([counts.created, byRule['later-than-the-limit']], [1, 500]);
    assert.deepEqual(
      runs.map((run) => stateOf(world, run)),
      ['Submitted'],
    );
  });

  it('do not hide runs of other labels when their label has reached its cap', async () => {
    const { world, agent } = anOutage(0, { AGENT_LABELS: 'k8s,gpu', LABEL_LIMITS: 'gpu=1' });
    for (let n = 0; n < 502; n += 1) seedFlowRun(world.prefect, { labels: ['gpu'], startTime: at('-5m') }, at('-6m'));
    const behind = seedFlowRun(world.prefect, { labels: ['k8s'], startTime: at('-1m') }, at('-2m'));

    const first = await agent.dispatch();
    const later = seedFlowRun(world.prefect, { labels: ['k8s'], startTime: at('-30s') }, at('-1m'));
    const second = await agent.dispatch();

    assert.deepEqual([stateOf(world, behind), stateOf(world, later)], ['Submitted', 'Submitted']);
    assert.deepEqual([first.counts.created, first.byRule['label-at-capacity']], [2, 499]);
    assert.deepEqual([second.counts.created, second.byRule['label-at-capacity']], [1, 500]);
  });
});

describe('a server that refuses the filter for due runs', () => {
  it('is said once a tick, with those of others that come first, and ours behind them are dispatched', async () => {
    const { world, agent, runs } = anOutage(1, {});
    for (let n = 0; n < 80; n += 1) seedFlowRun(world.prefect, { labels: ['gpu'], startTime: at('-5m') }, at('-6m'));
    const extensions = { code: 'validation-failed' };
    const refused = { errors: [{ message: 'field "_contained_in" not found', extensions }] };
    world.onPrefect = (request, forward) => {
      const answer = forward();
      if (!request.body.includes('get_runs_in_queue')) return answer;
      const items = JSON.parse(answer.body) as unknown[];
      return jsonAnswer(200, [refused, refused, refused, ...items.slice(3)]);
    };

    const { counts, facts, outcomes } = await agent.dispatch();

    assert.deepEqual([counts.created, counts.warned, facts['foreign_runs_in_front']], [1, 2, 80]);
    assert.deepEqual(
      outcomes.filter(({ kind }) => kind === 'warned').map(({ rule }) => rule),
      ['label-filter-refused', 'foreign-runs-in-front'],
    );
    assert.deepEqual(
      runs.map((run) => stateOf(world, run)),
      ['Submitted'],
    );
  });
});
