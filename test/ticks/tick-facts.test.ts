import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { jsonAnswer } from '../../infra/local/http.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { aWorld, end, isClaim, isCreate, minute, playPod, set } from '../support/protocol-world.ts';
import { ConnectionLost } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

const refuse = (status: number, message: string) =>
  jsonAnswer(status, { kind: 'Status', status: 'Failure', message, code: status });

describe('what a dispatch tick counts', () => {
  it('claims, and how long after its start time the slowest run got its Job', async () => {
    const { world, agent } = aWorld();
    seedFlowRun(world.prefect, { startTime: at('-5m') }, at('-6m'));

    const { facts } = await agent.dispatch();

    assert.deepEqual([facts['claimed'], facts['create_failed'], facts['throttled']], [2, 0, 0]);
    assert.equal(facts['slowest_start_ms'], 5 * minute);
  });

  it('a claim that another one won is none', async () => {
    const { world, runId, agent } = aWorld();
    world.onPrefect = (request, forward) => {
      const answer = forward();
      if (isClaim(request)) set(world, runId, 'Running');
      return answer;
    };

    const { facts, counts } = await agent.dispatch();

    assert.deepEqual([facts['claimed'], counts.created, facts['slowest_start_ms']], [0, 0, 0]);
  });

  it('creates that were refused or not answered; what is held is none of them', async () => {
    const { world, agent } = aWorld({ MAX_IN_FLIGHT: '1' });
    seedFlowRun(world.prefect, { startTime: at('-30s') }, at('-2m'));
    world.onKubernetes = (request, forward) => (isCreate(request) ? refuse(403, 'exceeded quota: jobs') : forward());

    const { facts, counts } = await agent.dispatch();

    assert.deepEqual([counts.refused, counts.held, facts['create_failed']], [1, 1, 1]);
  });

  it('lines for run logs that Prefect did not take, with a later claim or at the end', async () => {
    const { world, agent } = aWorld();
    for (let more = 0; more < 30; more += 1) seedFlowRun(world.prefect, { startTime: at('-30s') }, at('-2m'));
    world.onPrefect = (request, forward) => {
      const answer = forward();
      if (!request.body.includes('write_run_logs')) return answer;
      return { ...answer, body: answer.body.replaceAll('{"success":true}', '{"success":false}') };
    };

    const { facts, counts } = await agent.dispatch();

    assert.deepEqual([counts.created, facts['waves'], facts['lost_logs']], [31, 2, 31]);
  });

  it('answers that ask for patience, of the API server as of Prefect', async () => {
    const { world, agent } = aWorld();
    let creates = 0;
    world.onKubernetes = (request, forward) =>
      isCreate(request) && (creates += 1) === 1 ? refuse(429, 'later') : forward();
    const one = await agent.dispatch();
    world.onPrefect = () => jsonAnswer(429, { errors: [{ message: 'later' }] });
    const other = await agent.dispatch();

    assert.deepEqual([one.counts.created, one.facts['throttled'], one.facts['create_failed']], [1, 1, 0]);
    assert.ok((other.facts['throttled'] ?? 0) > 0);
  });
});

describe('what a reconcile tick counts', () => {
  it('pods that wait, and none that runs', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    playPod(world, runId, { waiting: { reason: 'ContainerCreating' } });
    const waiting = await agent.reconcile();
    playPod(world, runId, { running: { startedAt: world.clock.now().toISOString() } });
    const running = await agent.reconcile();

    assert.deepEqual([waiting.facts['pending_pods'], running.facts['pending_pods']], [1, 0]);
  });

  it('how long a pod took to begin, in the minute in which it did', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    const startedAt = new Date(world.clock.now().getTime() + 20_000).toISOString();
    playPod(world, runId, { running: { startedAt } });
    world.clock.advance(minute);
    const first = await agent.reconcile();
    world.clock.advance(minute);
    const second = await agent.reconcile();

    assert.deepEqual([first.facts['slowest_pod_start_ms'], second.facts['slowest_pod_start_ms']], [20_000, 0]);
  });

  it('lines for run logs that Prefect did not take: they are told again until they stand', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    end(world, runId, 'Complete');
    world.onPrefect = (request, forward) =>
      request.body.includes('write_run_logs') ? jsonAnswer(500, 'restarting') : forward();
    const lost = await agent.reconcile();
    world.onPrefect = (_request, forward) => forward();
    const told = await agent.reconcile();

    assert.deepEqual([lost.facts['lost_logs'], lost.counts.unknown, lost.counts.applied], [1, 1, 0]);
    assert.deepEqual([told.facts['lost_logs'], told.counts.unknown, told.counts.applied], [undefined, 0, 1]);
    const lines = world.prefect.tables.log.by('flow_run_id', runId).filter(({ name }) => name === 'k8s-infra');
    assert.equal(lines.length, 1);
  });

  it('heartbeats that Prefect did not take', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    playPod(world, runId, { waiting: { reason: 'ContainerCreating' } });
    world.onPrefect = (request, forward) => {
      if (request.body.includes('update_flow_run_heartbeat')) throw new ConnectionLost('away');
      return forward();
    };
    const lost = await agent.reconcile();
    world.onPrefect = (_request, forward) => forward();
    const beaten = await agent.reconcile();

    assert.deepEqual([lost.facts['lost_heartbeats'], beaten.facts['lost_heartbeats']], [1, undefined]);
    assert.equal(lost.problem, null);
  });

  it('creates no Job, so that none can fail', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    end(world, runId, 'Failed');

    assert.equal((await agent.reconcile()).facts['create_failed'], undefined);
  });
});
