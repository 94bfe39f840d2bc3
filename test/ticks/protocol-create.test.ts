import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../functions/config.ts';
import { at } from '../support/time.ts';
import { cancelFlowRun, seedFlowRun, setTaskRunState } from '../../infra/local/prefect-api/seed.ts';
import { ConnectionLost, type Interceptor } from '../support/simulated-world.ts';
import {
  minute,
  isCreate,
  aWorld,
  stateOf,
  historyOf,
  serializedOf,
  messageOf,
  set,
  end,
} from '../support/protocol-world.ts';

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

  it('though two dispatchers overlap', async () => {
    const { world, runId, agent } = await aRetry();
    world.clock.advance(21 * minute);
    const other = world.container();
    await Promise.all([agent.dispatch(), other.dispatch()]);
    assert.equal(world.jobsOf(runId).length, 2);
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
