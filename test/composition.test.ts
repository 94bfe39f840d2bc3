import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { composeFunctions } from '../infra/local/functions.ts';
import { applyManifests, createClusterState } from '../infra/local/kubernetes-api/cluster.ts';
import { startKubernetesApi } from '../infra/local/kubernetes-api/start.ts';
import { listJobs } from '../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun } from '../infra/local/prefect-api/seed.ts';
import { jsonAnswer } from '../infra/local/http.ts';
import type { World } from '../infra/local/world.ts';
import { startWorld } from './support/scanned-world.ts';
import { agentGroup, rbacOf } from '../infra/rbac.ts';

const secretArn = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:rotated-AbCdEf';

function seedDueRuns({ prefect, clock }: World, count: number): readonly string[] {
  const runConfig = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' };
  const flowId = seedFlow(prefect.state, { name: 'nightly', runConfig }, clock.now());
  const seed = () => seedFlowRun(prefect.state, { flowId, runConfig }, clock.now());
  return Array.from({ length: count }, seed);
}

/** Every run Submitted, with one Job and no second one. */
function assertDispatched(world: World, runs: readonly string[]): void {
  assert.deepEqual(
    runs.map((id) => readFlowRun(world.prefect.state, id)?.state),
    runs.map(() => 'Submitted'),
  );
  const owners = listJobs(world.kubernetes.state).map(
    ({ metadata }) => metadata.labels?.['prefect.io/flow_run_id'] ?? '',
  );
  assert.deepEqual(new Set(owners), new Set(runs));
  assert.equal(owners.length, runs.length);
}

/** A Prefect API whose valid token an operator changes: at once with the secret, or the secret some time later. */
interface Rotation {
  /** After how many requests the first token is no longer valid. */
  readonly after: number;
  readonly secretToo: boolean;
}

async function startRotatedWorld({ after, secretToo }: Rotation): Promise<World> {
  const env = { RUNNER_TOKEN_SECRET_ARN: secretArn, POD_TOKEN_SECRET: 'none' };
  const world = await startWorld({ open: true, env });
  world.aws.state.secrets.set(secretArn, 'first');
  let requests = 0;
  const isRejected = (authorization: string | undefined): boolean => {
    requests += 1;
    const valid = requests <= after ? 'first' : 'second';
    if (secretToo && requests > after) world.aws.state.secrets.set(secretArn, 'second');
    return authorization !== `Bearer ${valid}`;
  };
  world.prefect.faults.add({
    matches: ({ headers }) => isRejected(headers['authorization']),
    times: Number.POSITIVE_INFINITY,
    fault: { kind: 'answer', answer: jsonAnswer(401, { error: 'unauthorized' }) },
  });
  return world;
}

describe('a rotation of the runner token', () => {
  // Tenant, registration, poll, claim, verification, run logs: more than these no tick of three runs asks.
  for (const after of [0, 1, 2, 3, 4, 5, 6]) {
    it(`after ${after} requests of a tick loses nothing, and costs one read of the secret`, async () => {
      await using world = await startRotatedWorld({ after, secretToo: true });
      const runs = seedDueRuns(world, 3);

      const report = await composeFunctions(world).dispatch();

      const rejected = world.prefect.exchanges.filter(({ status }) => status === 401).length;
      assert.equal(report.problem, null);
      assertDispatched(world, runs);
      const reads = world.aws.exchanges.filter(({ request }) => request.headers['x-amz-target'] !== undefined);
      assert.deepEqual([rejected, reads.length], after < 6 ? [1, 2] : [0, 1]);
    });
  }

  for (const after of [0, 1, 2, 3, 4, 5]) {
    it(`that reaches the secret minutes later, after ${after} requests, leaves every run to a later tick`, async () => {
      await using world = await startRotatedWorld({ after, secretToo: false });
      const runs = seedDueRuns(world, 3);
      const functions = composeFunctions(world);

      const early = await functions.dispatch();
      world.clock.advance(180_000);
      world.aws.state.secrets.set(secretArn, 'second');
      const late = await functions.dispatch();

      const rejected = world.prefect.exchanges.filter(({ status }) => status === 401).length;
      assert.ok(rejected > 0, 'the tick met the rejection');
      assert.equal(early.problem?.code ?? 'PREFECT_REFUSED', 'PREFECT_REFUSED');
      assert.equal(late.problem, null);
      assertDispatched(world, runs);
    });
  }
});

describe('a cluster that was made anew under its name', () => {
  it('costs a warm container one tick, in which nothing is claimed', async () => {
    await using world = await startWorld();
    const functions = composeFunctions(world);
    seedDueRuns(world, 1);
    await functions.dispatch();
    const state = createClusterState({
      seed: 9,
      now: world.clock.now(),
      authenticate: () => ({ user: 'dispatch', groups: [agentGroup] }),
      namespaces: [world.namespace],
    });
    applyManifests(state, rbacOf(world.namespace), world.clock.now());
    await using anew = await startKubernetesApi({ now: () => world.clock.now(), state });
    world.aws.state.clusters.set('local', { name: 'local', endpoint: anew.url, ca: anew.caPem, status: 'ACTIVE' });
    await world.kubernetes.close();
    const [run = ''] = seedDueRuns(world, 1);

    const lost = await functions.dispatch();
    const stateThen = readFlowRun(world.prefect.state, run)?.state;
    const found = await functions.dispatch();

    assert.deepEqual([lost.problem?.code, stateThen], ['CLUSTER_UNREACHABLE', 'Scheduled']);
    assert.equal(found.problem, null);
    assert.equal(listJobs(anew.state).length, 1);
  });

  it('is not asked for again after an API server that is only overloaded', async () => {
    await using world = await startWorld();
    const functions = composeFunctions(world);
    seedDueRuns(world, 1);
    world.kubernetes.faults.add({
      matches: () => true,
      fault: { kind: 'answer', answer: jsonAnswer(503, { kind: 'Status' }) },
    });

    const busy = await functions.dispatch();
    const calm = await functions.dispatch();

    assert.deepEqual([busy.problem?.code, calm.problem], ['CLUSTER_UNREACHABLE', null]);
    assert.equal(world.aws.exchanges.filter(({ request }) => request.path.startsWith('/clusters/')).length, 1);
  });
});
