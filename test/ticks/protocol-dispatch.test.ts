import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runLazarus } from '../../infra/local/prefect-api/services.ts';
import { STACK } from '../support/builders.ts';
import { at } from '../support/time.ts';
import { cancelFlowRun, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { ConnectionLost } from '../support/simulated-world.ts';
import {
  minute,
  isCreate,
  isClaim,
  isReadById,
  aWorld,
  stateOf,
  historyOf,
  serializedOf,
  set,
  before,
  end,
} from '../support/protocol-world.ts';

describe('protocol rule 1: the only claim write is Submitted; nothing of ours ever writes Scheduled', () => {
  it('a create that lands late, after its key was claimed again, makes one Job', async () => {
    const { world, runId, agent } = aWorld();
    const late: (() => unknown)[] = [];
    world.onKubernetes = (request, forward) => {
      if (!isCreate(request)) return forward();
      late.push(forward);
      throw new ConnectionLost('no answer');
    };
    await agent.dispatch();
    assert.equal(world.jobs().length, 0);

    world.onKubernetes = (_request, forward) => forward();
    world.clock.advance(3 * minute);
    await agent.dispatch();
    for (const land of late) land();

    assert.equal(world.jobsOf(runId).length, 1);
    assert.deepEqual(historyOf(world, runId), ['Scheduled', 'Submitted', 'Submitted']);
  });
});

describe('protocol rule 2: the claim token stands in the context of Submitted', () => {
  it('with stack, claim, key and end of the lease, around the Scheduled state as read', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    const { context, state } = serializedOf(world, runId);
    assert.deepEqual(
      { stack: context?.['stack'], key: context?.['key'], until: context?.['until'] },
      { stack: STACK, key: '1', until: at('+110s').toISOString() },
    );
    assert.equal(state?.['type'], 'Scheduled');
  });

  it('and a Failed of ours carries the stack and the key', async () => {
    const { world, agent } = aWorld();
    const runId = seedFlowRun(world.prefect, { startTime: at('-1m'), runConfig: { type: 'LocalRun' } }, at('-2m'));
    await agent.dispatch();
    assert.equal(stateOf(world, runId), 'Failed');
    assert.deepEqual(serializedOf(world, runId)['context'], { stack: STACK, key: '1' });
  });
});

describe('protocol rule 3: the name of a Job is a hash of run and key', () => {
  it('so that a second attempt of one run has another name, and a re-claim the same', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    const first = world.jobsOf(runId)[0]?.metadata.name;
    end(world, runId, 'Failed');
    set(world, runId, 'Scheduled: restarted');
    world.clock.advance(3 * minute);
    await agent.dispatch();
    const names = world.jobsOf(runId).map((job) => job.metadata.name);
    assert.equal(names.length, 2);
    assert.equal(new Set([...names, first]).size, 2);
    const keys = new Set(world.jobsOf(runId).map((job) => job.metadata.annotations?.['prefect-serverless-agent/key']));
    assert.deepEqual(keys, new Set(['1', '3']));
  });
});

describe('protocol rule 4: a cancel sticks until somebody schedules the run afresh', () => {
  it('a pod that sets Running over it, and Lazarus after it, start no Job', async () => {
    const { world, runId, agent } = aWorld();
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.clock.advance(1_000);
    set(world, runId, 'Submitted');
    set(world, runId, 'Running');
    world.clock.advance(11 * minute);
    assert.deepEqual(runLazarus(world.prefect, world.clock.now()), [runId]);
    assert.equal(stateOf(world, runId), 'Scheduled');
    await agent.dispatch();
    assert.equal(world.jobs().length, 0);
    assert.equal(stateOf(world, runId), 'Cancelled');
  });

  it('a restart by the user starts one', async () => {
    const { world, runId, agent } = aWorld();
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.clock.advance(1_000);
    set(world, runId, 'Scheduled: restarted');
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
  });
});

describe('protocol rule 5: before claiming, list the Jobs', () => {
  it('an active Job of an earlier attempt holds the run', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.clock.advance(1_000);
    set(world, runId, 'Scheduled: restarted');
    world.clock.advance(5 * minute);
    const report = await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
    assert.equal(report.byRule['active-job'], 1);
  });

  it('a claim under another key holds it while its owner may still create', async () => {
    const { world, runId, agent } = aWorld();
    world.onKubernetes = (request, forward) => {
      if (isCreate(request)) throw new ConnectionLost('frozen before the create');
      return forward();
    };
    await agent.dispatch();
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.clock.advance(1_000);
    set(world, runId, 'Scheduled: restarted');
    world.onKubernetes = (_request, forward) => forward();
    const report = await agent.dispatch();
    assert.equal(report.byRule['claimed-under-another-key'], 1);
    assert.equal(world.jobs().length, 0);
  });

  it('a cluster that cannot be read means that nothing is claimed', async () => {
    const { world, runId, agent } = aWorld();
    world.onKubernetes = () => {
      throw new ConnectionLost('away');
    };
    const report = await agent.dispatch();
    assert.equal(report.problem?.code, 'CLUSTER_UNREACHABLE');
    assert.equal(stateOf(world, runId), 'Scheduled');
  });
});

describe('protocol rule 6: claim only on a read at most 2 s old', () => {
  it('a slow Job list makes dispatch read again, and a pod that went Running meanwhile is not claimed over', async () => {
    const { world, runId, agent } = aWorld();
    world.onKubernetes = before(
      () => true,
      () => {
        world.clock.advance(2_001);
        set(world, runId, 'Running');
      },
    );
    await agent.dispatch();
    assert.deepEqual(historyOf(world, runId), ['Scheduled', 'Running']);
  });

  it('a read of just 2 s is fresh enough: one request less', async () => {
    const { world, agent } = aWorld();
    await agent.dispatch();
    const quick = world.requests.prefect.length;
    const slow = aWorld();
    slow.world.onKubernetes = before(
      () => true,
      () => slow.world.clock.advance(2_000),
    );
    await slow.agent.dispatch();
    assert.equal(slow.world.requests.prefect.length, quick);
    const slower = aWorld();
    slower.world.onKubernetes = before(
      () => true,
      () => slower.world.clock.advance(2_001),
    );
    await slower.agent.dispatch();
    assert.equal(slower.world.requests.prefect.length, quick + 1);
  });
});

describe('protocol rule 7: after claiming, always read again', () => {
  it('a cancel that the claim covered is written back, and nothing is created', async () => {
    const { world, runId, agent } = aWorld();
    world.onPrefect = before(isClaim, () => cancelFlowRun(world.prefect, runId, world.clock.now()));
    const report = await agent.dispatch();
    assert.equal(world.jobs().length, 0);
    assert.deepEqual(historyOf(world, runId), ['Scheduled', 'Cancelled', 'Submitted', 'Cancelled']);
    assert.equal(report.counts.restored, 1);
  });

  it('a claim whose answer was lost is found in the history, and its Job is created', async () => {
    const { world, runId, agent } = aWorld();
    let lost = 0;
    world.onPrefect = (request, forward) => {
      const answer = forward();
      if (isClaim(request) && (lost += 1) === 1) throw new ConnectionLost('the answer is lost');
      return answer;
    };
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
  });

  it('a claim refused by the lock of another dispatcher creates nothing', async () => {
    const { world, runId, agent } = aWorld();
    const other = world.container();
    const bothRead: Promise<unknown>[] = [];
    world.onKubernetes = before(
      () => true,
      () => bothRead.push(other.dispatch()),
    );
    await agent.dispatch();
    await Promise.all(bothRead);
    assert.equal(world.jobsOf(runId).length, 1);
    assert.deepEqual(historyOf(world, runId), ['Scheduled', 'Submitted']);
  });

  it('a re-read that fails creates nothing; the claim heals', async () => {
    const { world, runId, agent } = aWorld();
    let claimed = false;
    world.onPrefect = (request, forward) => {
      if (claimed) return { status: 502, headers: { 'content-type': 'text/html' }, body: '<html>bad gateway</html>' };
      claimed = isClaim(request);
      return forward();
    };
    await agent.dispatch();
    assert.equal(world.jobs().length, 0);
    assert.equal(stateOf(world, runId), 'Submitted');
    world.onPrefect = (_request, forward) => forward();
    world.clock.advance(3 * minute);
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
  });
});

describe('protocol rule 8: create only while more than 10 s are left', () => {
  const dispatchWith = async (delay: number) => {
    const { world, agent } = aWorld();
    world.onPrefect = before(isClaim, () => world.clock.advance(delay));
    await agent.dispatch(30_000);
    return world.jobs().length;
  };

  it('just enough time: created', async () => assert.equal(await dispatchWith(17_999), 1));
  it('a millisecond too little: left to the next invocation', async () => assert.equal(await dispatchWith(18_000), 0));

  it('nothing is claimed that cannot be created', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch(16_000);
    assert.equal(stateOf(world, runId), 'Scheduled');
  });

  const waitingFor = async (limitMs: number) => {
    const { world, runId, agent } = aWorld();
    set(world, runId, 'Success');
    const later = seedFlowRun(world.prefect, { startTime: at('+7s') }, at('-2m'));
    const report = await agent.dispatch(limitMs);
    return { state: stateOf(world, later), held: report.counts.held };
  };

  it('enough time is left after the wait for a start: claimed', async () =>
    assert.deepEqual(await waitingFor(24_001), { state: 'Submitted', held: 0 }));
  it('the wait for a start took it: not claimed', async () =>
    assert.deepEqual(await waitingFor(24_000), { state: 'Scheduled', held: 1 }));

  it('the read before the claim took it: not claimed, and told once', async () => {
    const { world, runId, agent } = aWorld();
    let reads = 0;
    world.onKubernetes = before(
      () => true,
      () => world.clock.advance(3_000),
    );
    world.onPrefect = (request, forward) => {
      if (isReadById(request) && (reads += 1) === 1) world.clock.advance(30_000);
      return forward();
    };
    const report = await agent.dispatch();
    assert.equal(stateOf(world, runId), 'Scheduled');
    assert.deepEqual([reads, report.counts.held, report.outcomes.length], [1, 1, 1]);
  });
});
