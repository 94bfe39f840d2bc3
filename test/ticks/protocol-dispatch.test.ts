import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseConfig } from '../../functions/config.ts';
import { runLazarus } from '../../infra/local/prefect-api/services.ts';
import { STACK } from '../support/builders.ts';
import { at } from '../support/time.ts';
import { cancelFlowRun, seedFlowRun, setTaskRunState } from '../../infra/local/prefect-api/seed.ts';
import { ConnectionLost, type Interceptor } from '../support/simulated-world.ts';
import {
  minute,
  isCreate,
  isClaim,
  aWorld,
  stateOf,
  historyOf,
  serializedOf,
  messageOf,
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
});

describe('protocol rule 9: what a create answers', () => {
  const answering =
    (status: number, reason: string, message: string): Interceptor =>
    (request, forward) =>
      isCreate(request)
        ? {
            status,
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({
              kind: 'Status',
              apiVersion: 'v1',
              status: 'Failure',
              reason,
              message,
              code: status,
            }),
          }
        : forward();

  const cases: Record<
    string,
    { status: number; reason: string; message: string; wantState: string; wantProblem: boolean }
  > = {
    'quota: the claim is left': {
      status: 403,
      reason: 'Forbidden',
      message: 'jobs.batch "x" is forbidden: exceeded quota: jobs',
      wantState: 'Submitted',
      wantProblem: false,
    },
    'RBAC: the claim is left, the tick fails': {
      status: 403,
      reason: 'Forbidden',
      message: 'jobs.batch is forbidden: User "x" cannot create',
      wantState: 'Submitted',
      wantProblem: true,
    },
    'a server error: the claim is left': {
      status: 500,
      reason: 'InternalError',
      message: 'failed calling webhook "w"',
      wantState: 'Submitted',
      wantProblem: false,
    },
    'throttled to the end: the claim is left': {
      status: 429,
      reason: 'TooManyRequests',
      message: 'later',
      wantState: 'Submitted',
      wantProblem: false,
    },
    'validation: Failed, with the API server’s message': {
      status: 422,
      reason: 'Invalid',
      message: 'Job is invalid: spec.template: nonsense',
      wantState: 'Failed',
      wantProblem: false,
    },
  };
  for (const [name, { status, reason, message, wantState, wantProblem }] of Object.entries(cases)) {
    it(name, async () => {
      const { world, runId, agent } = aWorld();
      world.onKubernetes = answering(status, reason, message);
      const report = await agent.dispatch();
      assert.equal(stateOf(world, runId), wantState);
      assert.equal(report.problem !== null, wantProblem);
      if (wantState === 'Failed') assert.match(messageOf(world, runId), /nonsense/u);
    });
  }

  it('validation, but the user cancelled meanwhile: no Failed over the cancel', async () => {
    const { world, runId, agent } = aWorld();
    const refuse = answering(422, 'Invalid', 'nonsense');
    world.onKubernetes = (request, forward) => {
      if (isCreate(request)) cancelFlowRun(world.prefect, runId, world.clock.now());
      return refuse(request, forward);
    };
    await agent.dispatch();
    assert.equal(stateOf(world, runId), 'Cancelled');
  });

  it('the first refusal by quota ends the claiming: it costs one wave', async () => {
    const { world, agent } = aWorld();
    for (let n = 0; n < 60; n += 1) seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m'));
    world.onKubernetes = answering(403, 'Forbidden', 'exceeded quota: jobs');
    await agent.dispatch();
    const states = Array.from(world.prefect.tables.flow_run.all(), ({ state }) => state);
    assert.equal(states.filter((state) => state === 'Submitted').length, 25);
  });
});

describe('protocol rule 10: a jobless claim past its lease is claimed again under the same key', () => {
  it('with a new token, and ends with one Job', async () => {
    const { world, runId, agent } = aWorld();
    world.onKubernetes = (request, forward) => {
      if (isCreate(request)) throw new ConnectionLost('killed before the create');
      return forward();
    };
    await agent.dispatch();
    const firstClaim = serializedOf(world, runId)['context']?.['claim'];
    world.onKubernetes = (_request, forward) => forward();

    world.clock.advance(minute);
    await agent.dispatch();
    assert.equal(world.jobs().length, 0);

    world.clock.advance(2 * minute);
    await agent.dispatch();
    const { context } = serializedOf(world, runId);
    assert.equal(world.jobsOf(runId).length, 1);
    assert.equal(context?.['key'], '1');
    assert.notEqual(context?.['claim'], firstClaim);
  });
});

describe('protocol rule 17: a task retry makes one Job and writes no state', () => {
  const aRetry = async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    const tasks = world.prefect.tables.task_run.by('flow_run_id', runId);
    const retrying = (nth: number, start: Date) =>
      setTaskRunState(
        world.prefect,
        { taskRunId: tasks[nth]?.id ?? '', state: { type: 'Retrying', run_count: 1, start_time: start.toISOString() } },
        world.clock.now(),
      );
    retrying(0, at('+20m'));
    retrying(1, at('+20m'));
    end(world, runId, 'Complete');
    return { world, runId, agent };
  };

  it('though two tasks are due', async () => {
    const { world, runId, agent } = await aRetry();
    const states = historyOf(world, runId).length;
    world.clock.advance(19 * minute);
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
    world.clock.advance(2 * minute);
    await agent.dispatch();
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 2);
    assert.equal(historyOf(world, runId).length, states);
  });

  it('and a second retry after it another one', async () => {
    const { world, runId, agent } = await aRetry();
    world.clock.advance(21 * minute);
    await agent.dispatch();
    end(world, runId, 'Complete');
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 3);
  });
});

describe('protocol rule 18: finished Jobs stay at least 600 s', () => {
  const problemsOf = (env: Record<string, string>) => {
    const parsed = parseConfig({ PREFECT_API: 'http://p', EKS_CLUSTER_NAME: 'c', STACK_ID: 's', ...env });
    return parsed.ok ? [] : parsed.problems.map(({ variable }) => variable);
  };

  it('the configuration refuses less', () => {
    assert.deepEqual(problemsOf({ TTL_SUCCEEDED: '599s', TTL_FAILED: '9m' }), ['TTL_SUCCEEDED', 'TTL_FAILED']);
    assert.deepEqual(problemsOf({ TTL_SUCCEEDED: '600s', TTL_FAILED: '10m' }), []);
  });

  it('and the Job carries the longer of the two', async () => {
    const { world, runId, agent } = aWorld({ TTL_SUCCEEDED: '10m', TTL_FAILED: '2h' });
    await agent.dispatch();
    assert.equal(world.jobsOf(runId)[0]?.spec.ttlSecondsAfterFinished, 7_200);
  });
});
