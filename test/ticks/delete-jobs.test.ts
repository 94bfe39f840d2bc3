import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { aWorld, end, isDelete, isReadById, minute, set } from '../support/protocol-world.ts';
import { ConnectionLost } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

/** Runs that have ended well, each with a Job whose time to stay is over. */
async function endedRuns(count: number) {
  const { world, runId, agent } = aWorld();
  const others = Array.from({ length: count - 1 }, () =>
    seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m')),
  );
  await agent.dispatch();
  const runs = [runId, ...others];
  for (const id of runs) {
    set(world, id, 'Running');
    set(world, id, 'Success');
    end(world, id, 'Complete');
  }
  world.clock.advance(11 * minute);
  return { world, runs, agent };
}

describe('Jobs that are to be deleted', () => {
  it('go in batches of a hundred, their runs read once right before each', async () => {
    const { world, agent } = await endedRuns(230);
    const order: string[] = [];
    world.onPrefect = (request, forward) => {
      if (isReadById(request)) order.push('read');
      return forward();
    };
    world.onKubernetes = (request, forward) => {
      if (isDelete(request)) order.push('delete');
      return forward();
    };
    const report = await agent.reconcile();
    assert.equal(world.jobs().length, 0);
    assert.deepEqual([report.counts.applied, report.byRule['ttl-is-over']], [230, 230]);
    const runs = order.join(' ').split('read').slice(1);
    const deletesAfterReads = runs.map((run) => run.match(/delete/gu)?.length ?? 0);
    // The first read is the one that the plan rests on: the runs of Jobs that were not among the unfinished.
    assert.deepEqual(deletesAfterReads, [0, 100, 100, 30]);
  });

  it('that the time does not reach are held, each under its rule, and go in the next tick', async () => {
    const { world, agent } = await endedRuns(130);
    world.onKubernetes = (request, forward) => {
      if (isDelete(request)) world.clock.advance(1_000);
      return forward();
    };
    const report = await agent.reconcile();
    assert.ok(world.jobs().length > 30);
    assert.deepEqual([report.counts.applied, report.counts.held], [130 - world.jobs().length, world.jobs().length]);
    assert.equal(report.byRule['ttl-is-over'], 130);
    assert.ok(report.outcomes.filter(({ kind }) => kind === 'held').every(({ why }) => /no time left/u.test(why)));
    world.onKubernetes = (_request, forward) => forward();
    await agent.reconcile();
    assert.equal(world.jobs().length, 0);
  });

  it('stay where their runs cannot be read again, and cost the next batch nothing', async () => {
    const { world, agent } = await endedRuns(130);
    let reads = 0;
    world.onPrefect = (request, forward) => {
      if (isReadById(request) && (reads += 1) === 2) throw new ConnectionLost('away');
      return forward();
    };
    const report = await agent.reconcile();
    assert.deepEqual([report.counts.unknown, report.counts.applied, world.jobs().length], [100, 30, 100]);
  });
});
