import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { listJobs } from '../../../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../../../infra/local/prefect-api/inspect.ts';
import { startAwsWorld, token, type AwsWorld } from './aws-world.ts';
import { deploy, serverless, succeed } from './serverless.ts';

describe('a stack on an emulator of AWS', () => {
  let world: AwsWorld;
  let prefect: AwsWorld['prefect'];
  let secretArn = '';

  const secrets = async (operation: string, input: Readonly<Record<string, string>>) =>
    world.aws('secretsmanager', {
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `secretsmanager.${operation}` },
      body: JSON.stringify(input),
    });

  before(async () => {
    world = await startAwsWorld({ policies: true });
    ({ prefect } = world);
  });
  after(async () => world[Symbol.asyncDispose]());

  const stateOf = (id: string): string | undefined => readFlowRun(prefect.state, id)?.state;
  const jobs = (): number => listJobs(world.kubernetes.state).length;

  /** A schedule of one minute fires within two. */
  async function untilSubmitted(id: string): Promise<void> {
    for (const end = performance.now() + 120_000; stateOf(id) !== 'Submitted'; await delay(200)) {
      assert.ok(performance.now() < end, `the run is ${stateOf(id)} after two minutes`);
    }
  }

  it('is deployed with an empty secret of its own, which takes the token', async () => {
    const said = await deploy(world, { scheduleEnabled: 'false' });
    const id = /RunnerTokenSecretArn: (?<id>\S+)/u.exec(said)?.groups?.['id'] ?? '';

    const made = await secrets('PutSecretValue', { SecretId: id, SecretString: token });

    secretArn = String(made['ARN']);
    assert.match(secretArn, /^arn:aws:secretsmanager:us-east-1:\d{12}:secret:/u);
  });

  it('is removed, and leaves the secret with its token', async () => {
    await succeed(world, 'remove');

    const kept = await secrets('GetSecretValue', { SecretId: secretArn });
    assert.equal(kept['SecretString'], token);
    assert.notEqual((await serverless(world, 'info')).status, 0);
  });

  it('is deployed again with that secret, and ticks when it is invoked', async () => {
    // Stopped, so that this tick is the one.
    await deploy(world, { secretArn, scheduleEnabled: 'false' });
    const id = world.seedDueRun();

    const dispatched = await succeed(world, 'invoke', '-f', 'dispatch');
    const reconciled = await succeed(world, 'invoke', '-f', 'reconcile');

    assert.match(dispatched, /"function": "dispatch"[\s\S]*"created": 1/u);
    assert.match(reconciled, /"function": "reconcile"[\s\S]*"waiting": 1/u);
    assert.deepEqual([stateOf(id), jobs()], ['Submitted', 1]);
  });

  it('examines itself', async () => {
    const examined = await succeed(world, 'invoke', '-f', 'reconcile', '-d', '{"doctor":true}');

    const { ok, hops } = JSON.parse(examined) as { ok: boolean; hops: readonly { hop: string; verdict: string }[] };
    const seen = hops.filter(({ verdict }) => verdict === 'ok').map(({ hop }) => hop);
    assert.equal(ok, true);
    for (const hop of ['runner-token', 'prefect-login', 'cluster-address', 'aws-identity', 'dry-run-job']) {
      assert.ok(seen.includes(hop), `${hop} is not among ${seen.join(', ')}`);
    }
  });

  it('is updated by another deployment: its schedule fires, and its lines can be read', async () => {
    await deploy(world, { secretArn, logLevel: 'DEBUG' });
    const id = world.seedDueRun();

    await untilSubmitted(id);
    const lines = await succeed(world, 'logs', '-f', 'dispatch', '--startTime', '10m');

    assert.equal(jobs(), 2);
    assert.match(lines, /tick_finished/u);
    assert.match(lines, /tick_started/u);
  });

  it('has let no secret out so far, and would not hide one', async () => {
    world.judge();
    const answer = await fetch(`${prefect.url}?token=${token}`, { method: 'POST' });
    await answer.text();
    assert.throws(() => world.judge(), /runner token in addresses to prefect/u);
    prefect.exchanges.splice(0);
  });

  it('is removed', async () => {
    await succeed(world, 'remove');

    assert.notEqual((await serverless(world, 'info')).status, 0);
  });
});
