import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { deniedByWebhook } from '../../infra/local/kubernetes-api/status.ts';
import { setTaskRunState } from '../../infra/local/prefect-api/seed.ts';
import { aWorld, before, end, isCreate, isReadById, minute, set, stateOf } from '../support/protocol-world.ts';
import { at } from '../support/time.ts';

/** A Running run whose Job ended like this, and whose task retry has been due for a minute. */
async function aDueRetry(ended: 'Complete' | 'Failed', env: Readonly<Record<string, string>> = {}) {
  const { world, runId, agent } = aWorld(env);
  await agent.dispatch();
  set(world, runId, 'Running');
  const [task] = world.prefect.tables.task_run.by('flow_run_id', runId);
  const state = { type: 'Retrying', run_count: 1, start_time: at('+10m').toISOString() };
  setTaskRunState(world.prefect, { taskRunId: task?.id ?? '', state }, world.clock.now());
  end(world, runId, ended);
  world.clock.advance(11 * minute);
  return { world, runId, agent };
}

describe('a task retry that is due (protocol rule 17)', () => {
  it('gets its next Job after a Job that ended well', async () => {
    const { world, runId, agent } = await aDueRetry('Complete');
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 2);
  });

  it('gets none after a Job that failed: reconcile fails the run, and no Job runs under that Failed', async () => {
    const { world, runId, agent } = await aDueRetry('Failed');
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Failed');
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
  });

  it('gets none when the run is being cancelled since the poll, and its pod wrote Running over that', async () => {
    const { world, runId, agent } = await aDueRetry('Complete');
    world.onPrefect = before(isReadById, () => {
      set(world, runId, 'Cancelling');
      set(world, runId, 'Running');
    });
    const report = await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
    assert.equal(report.counts.superseded, 1);
  });

  it('that admission refuses fails the run, and reconcile does not take that for a Failed that came late', async () => {
    const { world, runId, agent } = await aDueRetry('Complete');
    world.onKubernetes = (request, forward) =>
      isCreate(request) ? deniedByWebhook('policy.example.com', 'no owner') : forward();
    await agent.dispatch();
    world.clock.advance(minute);
    const { byRule } = await agent.reconcile();
    assert.deepEqual([stateOf(world, runId), byRule['our-write-covers-a-newer-state']], ['Failed', undefined]);
  });

  it('whose Job is made right before reconcile fails the run for the last one: the run goes on', async () => {
    const { world, runId, agent } = await aDueRetry('Failed', { INFRA_RETRIES: '1' });
    let made = false;
    world.onKubernetes = (request, forward) => {
      if (made || !request.path.includes('/pods')) return forward();
      made = true;
      return agent.dispatch().then(forward);
    };
    const report = await world.container({ INFRA_RETRIES: '1' }).reconcile();
    assert.deepEqual([world.jobsOf(runId).length, stateOf(world, runId)], [2, 'Running']);
    assert.equal(report.counts.superseded, 1);
  });

  it('that gets no Job meanwhile does not keep the run', async () => {
    const { world, runId } = await aDueRetry('Failed', { INFRA_RETRIES: '1' });
    await world.container({ INFRA_RETRIES: '1' }).reconcile();
    assert.equal(stateOf(world, runId), 'Failed');
  });
});
