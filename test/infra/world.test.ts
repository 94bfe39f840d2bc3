import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseConfig } from '../../functions/config.ts';
import { composeFunctions } from '../../infra/local/functions.ts';
import { JobWatch } from '../../infra/local/job-watch.ts';
import type { SeededRun } from '../../infra/local/ledger.ts';
import { roles } from '../../infra/local/kubernetes-api/resources.ts';
import { tooManyRequests } from '../../infra/local/kubernetes-api/status.ts';
import { Player } from '../../infra/local/player.ts';
import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import { buildScenario } from '../../infra/local/scenario.ts';
import { seedScenario } from '../../infra/local/seed-scenario.ts';
import { WorldClock } from '../../infra/local/world-clock.ts';
import { startWorld, type World, type WorldOptions } from '../../infra/local/world.ts';
import { at, T0 } from '../support/time.ts';

/** A world with runs of these flows, the functions composed for it, and everybody else. */
async function aWorldOf(flows: readonly string[], options: WorldOptions = {}) {
  const world = await startWorld({ clock: new WorldClock(T0), ...options });
  const seeded = seedScenario(
    world,
    buildScenario(12).filter(({ flow }) => flows.includes(flow)),
  );
  const player = new Player(world, seeded);
  const jobs = new JobWatch(world.kubernetes.state);
  const dispose = async (): Promise<void> => world[Symbol.asyncDispose]();
  return { world, seeded, player, jobs, functions: composeFunctions(world), [Symbol.asyncDispose]: dispose };
}

const stateOf = (world: World, [first]: readonly SeededRun[]): string | undefined =>
  readFlowRun(world.prefect.state, first?.id ?? '')?.state;

async function ask(world: World, headers: Record<string, string> = {}): Promise<number> {
  const body = JSON.stringify({ query: '{ tenant { id } }' });
  const answer = await fetch(world.prefect.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  await answer.arrayBuffer();
  return answer.status;
}

describe('world', () => {
  it('gives an environment that is a valid configuration', async () => {
    await using world = await startWorld({ env: { MAX_IN_FLIGHT: '7' } });

    const parsed = parseConfig(world.env);

    assert.deepEqual(parsed.ok && [parsed.config.prefectApi, parsed.config.maxInFlight], [world.prefect.url, 7]);
  });

  it('asks for the runner token, unless it is open', async () => {
    await using closed = await startWorld();
    await using open = await startWorld({ open: true });

    assert.equal(await ask(closed), 401);
    assert.equal(await ask(closed, { authorization: 'Bearer local-runner-token' }), 200);
    assert.equal(await ask(open), 200);
    assert.equal(open.env['RUNNER_TOKEN_SECRET_ARN'], undefined);
  });

  it('carries a run from Scheduled to Success through both functions', async () => {
    await using place = await aWorldOf(['success']);
    const { world, seeded, player, functions, jobs } = place;

    const dispatched = await functions.dispatch();
    player.playUntil(at('+30s'));
    const reconciled = await functions.reconcile();
    player.playUntil(at('+60s'));
    jobs.look();

    assert.deepEqual([dispatched.problem, reconciled.problem, dispatched.counts.created], [null, null, 1]);
    assert.deepEqual([stateOf(world, seeded), jobs.created, jobs.duplicates], ['Success', 1, 0]);
  });

  it('lets the functions do what the printed RBAC says, and nothing without it', async () => {
    await using place = await aWorldOf(['success']);
    const { world, functions } = place;
    for (const role of world.kubernetes.state.list(roles, world.namespace)) world.kubernetes.state.remove(roles, role);

    assert.equal((await functions.dispatch()).problem?.code, 'CLUSTER_FORBIDDEN');
  });

  it('lets nobody in without an EKS login, and then nothing is claimed', async () => {
    await using place = await aWorldOf(['success']);
    const { world, functions } = place;
    world.aws.state.keys.clear();

    const { problem } = await functions.dispatch();

    assert.equal(problem?.code, 'CLUSTER_FORBIDDEN');
    assert.equal(
      world.prefect.exchanges.some(({ request }) => request.body.includes('set_flow_run_states')),
      false,
    );
  });

  it('jumps in time when the functions wait, and hurts nobody', async () => {
    await using place = await aWorldOf(['success']);
    const { world, functions } = place;
    world.kubernetes.faults.add({
      matches: ({ method }) => method === 'POST',
      fault: { kind: 'answer', answer: tooManyRequests(7) },
    });

    const report = await functions.dispatch();

    assert.equal(report.counts.created, 1);
    assert.equal(world.clock.now().getTime(), at('+7s').getTime());
  });

  it('holds a run that is due in ten seconds until its start time', async () => {
    await using place = await aWorldOf(['due-later']);
    const { world, functions, jobs } = place;
    world.clock.advanceTo(at('+2m'));

    const report = await functions.dispatch();
    jobs.look();

    assert.deepEqual([report.counts.created, jobs.created], [1, 1]);
    assert.deepEqual(world.clock.now(), at('+125s'));
  });

  it('lets the server bring back a run whose claim nobody finished', async () => {
    await using place = await aWorldOf(['success']);
    const { world, seeded, player, functions } = place;
    world.kubernetes.faults.add({
      matches: ({ method }) => method === 'POST',
      fault: { kind: 'drop-before' },
      times: 9,
    });

    await functions.dispatch();
    assert.equal(stateOf(world, seeded), 'Submitted');
    player.playUntil(at('+21m'));

    assert.equal(stateOf(world, seeded), 'Scheduled');
  });
});

describe('clock of a world', () => {
  it('stands still until it is moved', () => {
    const clock = new WorldClock(T0);

    assert.deepEqual(clock.now(), T0);
    clock.advance(1_500);
    clock.advanceTo(at('+1s'));

    assert.deepEqual(clock.now(), at('+1500ms'));
  });

  it('wakes sleepers side by side at the latest of their instants', async () => {
    const clock = new WorldClock(T0);

    await Promise.all([clock.sleep(2_000), clock.sleep(5_000), clock.sleep(3_000)]);

    assert.deepEqual(clock.now(), at('+5s'));
  });

  it('does not jump for a sleeper whose signal has aborted', async () => {
    const clock = new WorldClock(T0);

    await clock.sleep(60_000, AbortSignal.abort());

    assert.deepEqual(clock.now(), T0);
  });
});
