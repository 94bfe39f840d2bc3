import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { jsonAnswer } from '../../infra/local/http.ts';
import { seedFlowRun, setTaskRunState } from '../../infra/local/prefect-api/seed.ts';
import { aWorld, before, end, isClaim, isCreate, minute, set, stateOf, messageOf } from '../support/protocol-world.ts';
import { ConnectionLost, type Interceptor } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

const refusal = (status: number, message: string, headers: Record<string, string> = {}) =>
  jsonAnswer(
    status,
    { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Refused', message, code: status },
    headers,
  );

/** Refuses every create with this answer, the first `times` of them. */
function refusing(answer: ReturnType<typeof refusal>, times = Number.POSITIVE_INFINITY): Interceptor {
  let refused = 0;
  return (request, forward) => (isCreate(request) && (refused += 1) <= times ? answer : forward());
}

describe('a whole tick of dispatch, without socket, timer or wall clock', () => {
  it('claims, creates and says so in the run log', async () => {
    const { world, runId, agent } = aWorld();
    const report = await agent.dispatch();
    assert.deepEqual([report.counts.created, report.problem], [1, null]);
    assert.equal(stateOf(world, runId), 'Submitted');
    const logs = world.prefect.tables.log.by('flow_run_id', runId).map(({ message }) => message);
    assert.deepEqual(logs, [`Submitted for execution: Job ${world.jobs()[0]?.metadata.name}`]);
  });

  it('is one request when nothing is due, and does not touch the cluster', async () => {
    const { world, agent } = aWorld();
    await agent.dispatch();
    const { prefect, kubernetes } = {
      prefect: world.requests.prefect.length,
      kubernetes: world.requests.kubernetes.length,
    };
    await agent.dispatch();
    assert.equal(world.requests.prefect.length, prefect + 1);
    assert.equal(world.requests.kubernetes.length, kubernetes);
  });

  it('asks at most two things more on a cold start', async () => {
    const { world, runId } = aWorld();
    set(world, runId, 'Success');
    await world.container().dispatch();
    assert.ok(world.requests.prefect.length <= 3);
  });

  it('asks never per run: one read, then one write and one read per wave, and the log lines', async () => {
    const { world, agent } = aWorld();
    for (let n = 1; n < 75; n += 1) seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m'));
    await agent.dispatch(10_000);
    const cold = world.requests.prefect.length;
    const report = await agent.dispatch();
    assert.equal(report.counts.created, 75);
    assert.equal(report.facts['waves'], 2);
    assert.equal(world.requests.prefect.length - cold, 1 + 2 * 2 + 1);
  });
});

describe('more runs than one poll returns', () => {
  const many = (env: Record<string, string>) => {
    const made = aWorld({ MAX_IN_FLIGHT: '5000', ...env });
    for (let n = 1; n < 620; n += 1) seedFlowRun(made.world.prefect, { startTime: at('-1m') }, at('-2m'));
    return made;
  };

  it('are taken in the same tick, over the same connection', async () => {
    const { world, agent } = many({});
    const report = await agent.dispatch();
    assert.equal(report.counts.created, 620);
    assert.equal(world.jobs().length, 620);
    assert.deepEqual([report.facts['due'], report.facts['cluster_connections']], [620, 1]);
  });

  it('are taken up to MAX_PER_TICK', async () => {
    const { agent } = many({ MAX_PER_TICK: '550' });
    const report = await agent.dispatch();
    assert.equal(report.counts.created, 550);
    assert.equal(report.byRule['tick-is-full'], 70);
  });

  it('are not asked for again when nothing could be created', async () => {
    const { world, agent } = many({});
    world.onKubernetes = refusing(refusal(403, 'exceeded quota: jobs'));
    const report = await agent.dispatch();
    assert.equal(report.facts['due'], 500);
  });
});

describe('start times', () => {
  it('a run due in eight seconds is waited for and created when its time has come', async () => {
    const { world, runId: first, agent } = aWorld();
    set(world, first, 'Success');
    const runId = seedFlowRun(world.prefect, { startTime: at('+8s') }, at('-2m'));
    let createdAt: Date | null = null;
    world.onKubernetes = before(isCreate, () => {
      createdAt = world.clock.now();
    });
    await agent.dispatch();
    assert.deepEqual(createdAt, at('+8s'));
    assert.equal(world.jobsOf(runId).length, 1);
  });

  it('a run due in eleven is left to the next poll', async () => {
    const { world, runId: first, agent } = aWorld();
    set(world, first, 'Success');
    const runId = seedFlowRun(world.prefect, { startTime: at('+11s') }, at('-2m'));
    await agent.dispatch();
    assert.equal(stateOf(world, runId), 'Scheduled');
  });
});

describe('creates that are not answered with 201', () => {
  it('a lost answer is asked again under the same name: one Job', async () => {
    const { world, runId, agent } = aWorld();
    let lost = false;
    world.onKubernetes = (request, forward) => {
      const answer = forward();
      if (!isCreate(request) || lost) return answer;
      lost = true;
      throw new ConnectionLost('after the effect');
    };
    const report = await agent.dispatch();
    assert.equal(report.counts['already-exists'], 1);
    assert.equal(world.jobsOf(runId).length, 1);
  });

  it('429 holds every create back until Retry-After is over', async () => {
    const { world, agent } = aWorld({ CREATE_CONCURRENCY: '1' });
    seedFlowRun(world.prefect, { startTime: at('-30s') }, at('-2m'));
    const times: number[] = [];
    const refuse = refusing(refusal(429, 'too many requests', { 'retry-after': '7' }), 1);
    world.onKubernetes = (request, forward) => {
      if (isCreate(request)) times.push(world.clock.now().getTime() - at('+0s').getTime());
      return refuse(request, forward);
    };
    const report = await agent.dispatch();
    assert.equal(report.counts.created, 2);
    assert.deepEqual(times, [0, 7_000, 7_000]);
  });

  it('429 while others are waiting: the pause is for all of them', async () => {
    const { world, agent } = aWorld({ CREATE_CONCURRENCY: '2' });
    for (let n = 0; n < 3; n += 1) seedFlowRun(world.prefect, { startTime: at('-30s') }, at('-2m'));
    let refusedAt: number | null = null;
    const early: number[] = [];
    world.onKubernetes = (request, forward) => {
      if (!isCreate(request)) return forward();
      const now = world.clock.now().getTime();
      if (refusedAt === null) {
        refusedAt = now;
        return refusal(429, 'too many requests', { 'retry-after': '5' });
      }
      if (now > refusedAt && now < refusedAt + 5_000) early.push(now);
      return forward();
    };
    await agent.dispatch();
    assert.deepEqual(early, []);
    assert.equal(world.jobs().length, 4);
  });

  it('a quota that lasts beyond PENDING_GRACE fails the run with that refusal', async () => {
    const { world, runId, agent } = aWorld({ PENDING_GRACE: '10m' });
    world.onKubernetes = refusing(refusal(403, 'jobs.batch is forbidden: exceeded quota: jobs'));
    for (let minutes = 0; minutes < 9; minutes += 1) {
      await agent.dispatch();
      assert.equal(stateOf(world, runId), 'Submitted', `after ${minutes} min`);
      world.clock.advance(minute);
    }
    for (let minutes = 0; minutes < 20; minutes += 1) {
      await agent.dispatch();
      world.clock.advance(minute);
    }
    assert.equal(stateOf(world, runId), 'Failed');
    assert.match(messageOf(world, runId), /exceeded quota/u);
  });

  it('a claim that backs off gets heartbeats, so that Lazarus does not take it', async () => {
    const { world, runId, agent } = aWorld();
    world.onKubernetes = refusing(refusal(403, 'exceeded quota: jobs'));
    const heartbeats = new Set<unknown>();
    for (let minutes = 0; minutes < 60; minutes += 1) {
      await agent.dispatch();
      const beat = world.prefect.tables.flow_run.get(runId)?.heartbeat ?? 0;
      heartbeats.add(beat);
      assert.ok(world.clock.now().getTime() * 1000 - beat < 10 * minute * 1000, `stale after ${minutes} min`);
      world.clock.advance(minute);
    }
    assert.ok(heartbeats.size > 20);
  });

  it('a claim that an operator’s pause holds gets heartbeats as well', async () => {
    const { world, runId, agent } = aWorld();
    world.onKubernetes = refusing(refusal(403, 'exceeded quota: jobs'));
    await agent.dispatch();
    const paused = world.container({ DISPATCH_PAUSED: 'true' });
    for (let minutes = 0; minutes < 60; minutes += 1) {
      await paused.dispatch();
      const beat = world.prefect.tables.flow_run.get(runId)?.heartbeat ?? 0;
      assert.ok(world.clock.now().getTime() * 1000 - beat < 10 * minute * 1000, `stale after ${minutes} min`);
      world.clock.advance(minute);
    }
    assert.equal(stateOf(world, runId), 'Submitted');
  });
});

describe('a task retry', () => {
  it('that was settled between poll and create starts nothing', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    const [task] = world.prefect.tables.task_run.by('flow_run_id', runId);
    const state = { type: 'Retrying', run_count: 1, start_time: at('+20m').toISOString() };
    setTaskRunState(world.prefect, { taskRunId: task?.id ?? '', state }, world.clock.now());
    end(world, runId, 'Complete');
    world.clock.advance(21 * minute);
    world.onKubernetes = before(
      () => true,
      () => set(world, runId, 'Success'),
    );
    const report = await agent.dispatch();
    assert.equal(report.counts.superseded, 1);
    assert.equal(world.jobsOf(runId).length, 1);
  });
});

describe('bad input', () => {
  it('an unreadable run config ends that run Failed with its reason; the others go on', async () => {
    const { world, runId, agent } = aWorld();
    const bad = seedFlowRun(
      world.prefect,
      { startTime: at('-1m'), runConfig: { type: 'KubernetesRun', cpu_limit: 2 } },
      at('-2m'),
    );
    const report = await agent.dispatch();
    assert.equal(stateOf(world, bad), 'Failed');
    assert.match(messageOf(world, bad), /cpu_limit/u);
    assert.equal(world.jobsOf(runId).length, 1);
    assert.deepEqual([report.counts.created, report.counts.applied], [1, 1]);
  });

  it('a run whose labels are no list is told, not failed; the others go on', async () => {
    const { world, runId, agent } = aWorld();
    const odd = seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m'));
    world.onPrefect = async (_request, forward) => {
      const answer = forward();
      return {
        ...answer,
        body: answer.body.replaceAll(new RegExp(`("id":"${odd}"[^]*?"labels":)\\[\\]`, 'gu'), '$1[1]'),
      };
    };
    const report = await agent.dispatch();
    assert.equal(stateOf(world, odd), 'Scheduled');
    assert.equal(world.jobsOf(runId).length, 1);
    assert.equal(report.byRule['run-unreadable'], 1);
  });

  const answers: Record<string, { answer: ReturnType<Interceptor>; wantCode: string }> = {
    'HTML instead of JSON': {
      answer: { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>sign in</html>' },
      wantCode: 'PREFECT_UNREADABLE',
    },
    'truncated JSON': {
      answer: { status: 200, headers: { 'content-type': 'application/json' }, body: '[{"data":{"flow_r' },
      wantCode: 'PREFECT_UNREADABLE',
    },
    'a wrong token': { answer: jsonAnswer(401, { error: 'unauthorized' }), wantCode: 'PREFECT_REFUSED' },
  };
  for (const [name, { answer, wantCode }] of Object.entries(answers)) {
    it(`${name}: the tick says so, and nothing is lost`, async () => {
      const { world, runId, agent } = aWorld();
      world.onPrefect = () => answer;
      const report = await agent.dispatch();
      assert.equal(report.problem?.code, wantCode);
      world.onPrefect = (_request, forward) => forward();
      await agent.dispatch();
      assert.equal(world.jobsOf(runId).length, 1);
    });
  }

  it('a claim batch that the server cannot answer is found out by the read after it', async () => {
    const { world, runId, agent } = aWorld();
    world.onPrefect = (request, forward) => {
      const answer = forward();
      return isClaim(request)
        ? { ...answer, status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' }
        : answer;
    };
    await agent.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
  });
});
