import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { jobs, pods } from '../../infra/local/kubernetes-api/resources.ts';
import { deleteFlowRun } from '../../infra/local/prefect-api/flow-runs.ts';
import { runLazarus } from '../../infra/local/prefect-api/services.ts';
import { at } from '../support/time.ts';
import { cancelFlowRun, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { ConnectionLost, type SimulatedWorld } from '../support/simulated-world.ts';
import {
  minute,
  isDelete,
  isClaim,
  isFailure,
  isReadById,
  isWrite,
  aWorld,
  stateOf,
  historyOf,
  messageOf,
  set,
  before,
  end,
  playRunning,
} from '../support/protocol-world.ts';

describe('protocol rule 11: reconcile reads runs, then Jobs, and again before each write', () => {
  it('a Job made between its two reads is no absent Job', async () => {
    const { world, runId, agent } = aWorld();
    const reconciler = world.container();
    const order: string[] = [];
    world.onPrefect = (request, forward) => {
      order.push('prefect');
      const answer = forward();
      if (order.length === 1) return Promise.resolve(agent.dispatch()).then(() => answer);
      return isClaim(request) ? forward() : answer;
    };
    world.onKubernetes = (_request, forward) => {
      order.push('kubernetes');
      return forward();
    };
    await reconciler.reconcile();
    assert.equal(order[0], 'prefect');
    assert.equal(world.jobsOf(runId).length, 1);
    assert.equal(stateOf(world, runId), 'Submitted');
  });

  it('a run that succeeded since the plan is not failed', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    world.clock.advance(3 * minute);
    end(world, runId, 'Failed');
    world.onKubernetes = before(
      () => true,
      () => set(world, runId, 'Success'),
    );
    const report = await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Success');
    assert.equal(report.counts.superseded, 1);
  });
});

describe('an invocation that was stopped beyond its deadline', () => {
  /** Stopped for ten minutes after the last read before its Failed, while the user restarts the run. */
  const stoppedFor = async (ms: number) => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    world.clock.advance(3 * minute);
    end(world, runId, 'Failed');
    world.onPrefect = (request, forward) => {
      const answer = forward();
      if (isReadById(request)) world.clock.advance(ms);
      return answer;
    };
    await agent.reconcile();
    return stateOf(world, runId);
  };

  it('writes nothing any more', async () => assert.equal(await stoppedFor(10 * minute), 'Running'));
  it('but writes as long as it has time', async () => assert.equal(await stoppedFor(1_000), 'Failed'));
});

describe('protocol rule 12: Failed only for the attempt that failed, verified in the history', () => {
  it('an old failed Job does not fail the attempt that Lazarus scheduled', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    end(world, runId, 'Failed');
    set(world, runId, 'Scheduled: Rescheduled by a Lazarus process.');
    world.clock.advance(3 * minute);
    await agent.dispatch();
    assert.equal(stateOf(world, runId), 'Submitted');
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Submitted');
    assert.equal(world.jobsOf(runId).length, 2);
  });

  /** A user ends the run between our read and our claim, and what writes that back is lost. */
  const claimOver = async (state: string) => {
    const { world, runId, agent } = aWorld();
    world.onPrefect = (request, forward) => {
      if (isClaim(request)) set(world, runId, state);
      if (isWrite(request, state)) throw new ConnectionLost('the write is lost');
      return forward();
    };
    await agent.dispatch();
    world.onPrefect = (_request, forward) => forward();
    assert.equal(stateOf(world, runId), 'Submitted');
    assert.equal(world.jobs().length, 0);
    await agent.reconcile();
    return { world, runId };
  };

  for (const state of ['Success', 'Cancelled', 'Failed']) {
    it(`a claim that landed over a ${state} is undone, when the first undoing was lost`, async () => {
      const { world, runId } = await claimOver(state);
      assert.deepEqual(historyOf(world, runId), ['Scheduled', state, 'Submitted', state]);
    });
  }

  it('a Success that slips in under our Failed is written back', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    world.clock.advance(3 * minute);
    end(world, runId, 'Failed');
    world.onPrefect = before(isFailure, () => set(world, runId, 'Success'));
    const report = await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Success');
    assert.deepEqual(historyOf(world, runId).slice(-3), ['Success', 'Failed', 'Success']);
    assert.equal(report.counts.restored, 1);
  });

  it('a Scheduled that slips in under our Failed is written back and starts a new attempt', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    world.clock.advance(3 * minute);
    end(world, runId, 'Failed');
    world.onPrefect = before(isFailure, () => set(world, runId, 'Scheduled: restarted'));
    await agent.reconcile();
    world.onPrefect = (_request, forward) => forward();
    assert.equal(stateOf(world, runId), 'Scheduled');
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 2);
  });

  it('the Job of the claim that failed does fail the run', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    end(world, runId, 'Failed');
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Failed');
  });
});

describe('protocol rule 13: delete by UID, and only Jobs older than the quiet age', () => {
  it('a young Job of a cancelled run stays until a duplicate create can no longer land', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.clock.advance(119_000);
    await agent.reconcile();
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 0);
    world.clock.advance(2_000);
    await agent.reconcile();
    const request = world.requests.kubernetes.find(isDelete);
    assert.ok(request !== undefined);
    const body = JSON.parse(request.body) as { preconditions?: { uid?: string }; propagationPolicy?: string };
    assert.match(body.preconditions?.uid ?? '', /^[0-9a-f-]{36}$/u);
    assert.equal(body.propagationPolicy, 'Foreground');
  });
});

describe('protocol rule 14: a cancelled run ends without a Job, as Cancelled', () => {
  it('even when a pod wrote Running over the cancel', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.clock.advance(1_000);
    set(world, runId, 'Running');
    world.clock.advance(3 * minute);
    await agent.reconcile();
    assert.equal(world.jobsOf(runId).filter((job) => job.metadata.deletionTimestamp === undefined).length, 0);
    world.cluster.table(jobs).clear();
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Cancelled');
  });

  it('a running flow first gets CANCEL_GRACE to stop itself', async () => {
    const { world, runId, agent } = aWorld({ CANCEL_GRACE: '10m' });
    await agent.dispatch();
    set(world, runId, 'Running');
    world.clock.advance(5 * minute);
    playRunning(world, runId);
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.clock.advance(minute);
    await agent.reconcile();
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 0);
  });
});

describe('protocol rule 15: a Job that succeeded without starting its run is made again', () => {
  it('under the same key, after the finished one is deleted', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    const [first] = world.jobsOf(runId);
    end(world, runId, 'Complete');
    world.clock.advance(3 * minute);
    await agent.reconcile();
    assert.equal(world.jobs().length, 0);
    await agent.dispatch();
    const [second] = world.jobsOf(runId);
    assert.equal(second?.metadata.name, first?.metadata.name);
    assert.notEqual(second?.metadata.uid, first?.metadata.uid);
  });

  it('five times at the most', async () => {
    const { world, runId, agent } = aWorld();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      assert.equal(stateOf(world, runId), attempt === 0 ? 'Scheduled' : 'Submitted');
      await agent.dispatch();
      end(world, runId, 'Complete');
      world.clock.advance(20 * minute);
      await agent.reconcile();
    }
    assert.equal(stateOf(world, runId), 'Failed');
    assert.match(messageOf(world, runId), /5 times/u);
  });
});

describe('protocol rule 16: waiting runs get heartbeats, working ones do not', () => {
  const heartbeat = (world: SimulatedWorld, runId: string) => world.prefect.tables.flow_run.get(runId)?.heartbeat;

  it('a pod that waits for 25 minutes is not started twice by Lazarus', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    for (let minutes = 0; minutes < 25; minutes += 1) {
      world.clock.advance(minute);
      await agent.reconcile();
      if (minutes % 10 === 9) assert.deepEqual(runLazarus(world.prefect, world.clock.now()), []);
      await agent.dispatch();
    }
    assert.equal(world.jobsOf(runId).length, 1);
    assert.equal(world.prefect.tables.flow_run.get(runId)?.times_resurrected, 0);
  });

  it('a hung process stays detectable: no heartbeat for a Running run', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    const last = heartbeat(world, runId);
    world.clock.advance(3 * minute);
    await agent.reconcile();
    assert.equal(heartbeat(world, runId), last);
  });
});

describe('a deleted run', () => {
  it('loses its Job and stops nobody', async () => {
    const { world, runId, agent } = aWorld();
    const other = seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m'));
    await agent.dispatch();
    deleteFlowRun({ state: world.prefect, now: world.clock.now() }, runId);
    world.clock.advance(3 * minute);
    const report = await agent.reconcile();
    assert.equal(report.byRule['run-deleted'], 1);
    assert.equal(stateOf(world, other), 'Submitted');
  });
});

describe('a Running run without a Job (protocol rule 12)', () => {
  const silentRun = async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    playRunning(world, runId);
    return { world, runId, agent };
  };

  it('goes on as long as a pod of it is left', async () => {
    const { world, runId, agent } = await silentRun();
    world.cluster.table(jobs).clear();
    world.clock.advance(61 * minute);
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Running');
  });

  it('fails when nothing is left of it and the server’s services have not acted for PENDING_GRACE', async () => {
    const { world, runId, agent } = await silentRun();
    world.cluster.table(jobs).clear();
    world.cluster.table(pods).clear();
    world.clock.advance(61 * minute);
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Failed');
  });
});
