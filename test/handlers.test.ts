import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import type { DoctorReport } from '../functions/doctor/finding.ts';
import { bundleFunctions } from '../infra/bundle.cjs';
import { listJobs } from '../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun } from '../infra/local/prefect-api/seed.ts';
import { WorldClock } from '../infra/local/world-clock.ts';
import type { World } from '../infra/local/world.ts';
import { startWorld } from './support/scanned-world.ts';
import { startContainer, type LambdaContainer } from './support/lambda-container.ts';

/** A bundle knows no other time than the machine's, so its world lives in that. */
const startPresentWorld = async (): Promise<World> =>
  startWorld({ clock: new WorldClock(new Date(), { flows: true }) });

/** Schedules runs that are due, and gives their ids. */
function seedDueRuns(world: World, count: number, runConfig = {}): readonly string[] {
  const now = world.clock.now();
  const image = 'registry.example.com/flows:1.0';
  const flowId = seedFlow(world.prefect.state, { name: 'nightly', runConfig: { type: 'KubernetesRun', image } }, now);
  const wanted = { flowId, runConfig: { type: 'KubernetesRun', image, ...runConfig } };
  return Array.from({ length: count }, () => seedFlowRun(world.prefect.state, wanted, now));
}

const stateOf = (world: World, id: string): string | undefined => readFlowRun(world.prefect.state, id)?.state;

type Line = Readonly<Record<string, unknown>>;

/** Each line is one JSON object, or this throws; lines of metrics are those with `_aws`. */
const parsed = (lines: readonly string[]): readonly Line[] => lines.map((line) => JSON.parse(line) as Line);
const isMetrics = (line: Line): boolean => '_aws' in line;
const finished = (lines: readonly Line[]): readonly Line[] =>
  lines.filter(({ message }) => message === 'tick_finished');

interface DoctorInvoked {
  readonly result: DoctorReport | null;
  readonly error: { readonly code?: string } | null;
}

describe('the bundles under a Lambda handler contract', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'handlers-'));
    await bundleFunctions(['dispatch', 'reconcile'], folder);
  });
  after(() => rm(folder, { recursive: true }));

  const start = async (name: 'dispatch' | 'reconcile', env: World['env']): Promise<LambdaContainer> =>
    startContainer(path.join(folder, name, 'index.js'), env);

  it('make one request in a warm idle tick of dispatch, two more in a cold one, and leave the cluster alone', async () => {
    await using world = await startPresentWorld();
    await using container = await start('dispatch', world.env);

    const cold = await container.invoke();
    const coldRequests = world.prefect.exchanges.length;
    const warm = await container.invoke();

    assert.deepEqual([cold.error, warm.error], [null, null]);
    assert.equal(coldRequests, 3);
    assert.equal(world.prefect.exchanges.length - coldRequests, 1);
    assert.equal(world.kubernetes.connections(), 0);
    assert.equal(world.aws.exchanges.length, 1);
  });

  for (const name of ['dispatch', 'reconcile'] as const) {
    it(`touch no global of fetch in an idle tick of ${name} nor in a busy one: Node would load its undici`, async () => {
      await using world = await startPresentWorld();
      await using dispatch = await start('dispatch', world.env);
      await using container = await start(name, world.env);

      const idle = await container.invoke();
      const [id = ''] = seedDueRuns(world, 1);
      await dispatch.invoke();
      const busy = await container.invoke();

      assert.deepEqual([idle.error, busy.error, stateOf(world, id)], [null, null, 'Submitted']);
      assert.deepEqual([idle.hasLoadedUndici, busy.hasLoadedUndici], [false, false]);
    });
  }

  it('are seen when they touch one', async () => {
    const file = path.join(folder, 'touch.js');
    await writeFile(file, 'exports.handler = async () => void new Headers();');
    await using container = await startContainer(file, {});

    assert.equal((await container.invoke()).hasLoadedUndici, true);
  });

  it('create a Job for every due run over one connection, and say so once per tick', async () => {
    await using world = await startPresentWorld();
    await using container = await start('dispatch', world.env);
    const ids = seedDueRuns(world, 3);

    const { result, error } = await container.invoke();
    const lines = parsed(await container.end());

    assert.equal(error, null);
    assert.equal(result?.function, 'dispatch');
    assert.equal(result.counts['created'], 3);
    assert.deepEqual(
      ids.map((id) => stateOf(world, id)),
      ['Submitted', 'Submitted', 'Submitted'],
    );
    assert.equal(listJobs(world.kubernetes.state, world.namespace).length, 3);
    assert.equal(world.kubernetes.connections(), 1);
    const [line] = finished(lines);
    assert.deepEqual(
      [line?.['created'], line?.['level'], line?.['request_id'], line?.['stack']],
      [3, 'INFO', 'request-1', world.stackId],
    );
    assert.equal(finished(lines).length, 1);
    assert.equal(lines.filter(isMetrics).length, 1);
  });

  it('find each run again in the next tick and create no second Job', async () => {
    await using world = await startPresentWorld();
    await using container = await start('dispatch', world.env);
    seedDueRuns(world, 2);

    await container.invoke();
    const { result } = await container.invoke();

    assert.equal(result?.counts['created'], 0);
    assert.equal(listJobs(world.kubernetes.state, world.namespace).length, 2);
  });

  it('read a template from YAML with the parser of the second file', async () => {
    await using world = await startPresentWorld();
    const template = 'metadata:\n  annotations: {team: nightly}\nspec: {template: {spec: {containers: [{}]}}}\n';
    await using container = await start('dispatch', { ...world.env, JOB_TEMPLATE: template });
    seedDueRuns(world, 1);

    const { error } = await container.invoke();

    assert.equal(error, null);
    const [job] = listJobs(world.kubernetes.state, world.namespace);
    assert.equal(job?.metadata.annotations?.['team'], 'nightly');
  });

  it('need nothing but their first file until a template is YAML', async () => {
    await using world = await startPresentWorld();
    const alone = path.join(folder, 'alone', 'index.js');
    await cp(path.join(folder, 'dispatch', 'index.js'), alone);
    await using plain = await startContainer(alone, world.env);
    await using withYaml = await startContainer(alone, { ...world.env, JOB_TEMPLATE: 'spec: {template: {spec: {}}}' });

    const idle = await plain.invoke();
    const [id = ''] = seedDueRuns(world, 1, { job_template: { spec: { template: { spec: { containers: [{}] } } } } });
    const busy = await plain.invoke();
    const missing = await withYaml.invoke();

    assert.deepEqual([idle.error, busy.error, stateOf(world, id)], [null, null, 'Submitted']);
    assert.match(missing.error?.message ?? '', /yaml\.js/u);
  });

  it('reconcile what is there: a Job that waits for its pod, and its run', async () => {
    await using world = await startPresentWorld();
    await using dispatch = await start('dispatch', world.env);
    await using reconcile = await start('reconcile', world.env);
    const [id = ''] = seedDueRuns(world, 1);

    await dispatch.invoke();
    const { result, error } = await reconcile.invoke();
    const lines = parsed(await reconcile.end());

    assert.equal(error, null);
    assert.equal(result?.function, 'reconcile');
    assert.equal(result.counts['waiting'], 1);
    assert.equal(stateOf(world, id), 'Submitted');
    assert.equal(finished(lines).length, 1);
  });

  it('name every wrong variable at once, before any request', async () => {
    await using world = await startPresentWorld();
    const env = { ...world.env, PREFECT_API: '', NAMESPACE: 'Not A Namespace' };
    await using container = await start('dispatch', env);

    const { error } = await container.invoke();
    const lines = parsed(await container.end());

    assert.deepEqual([error?.type, error?.name, error?.code], ['BoundaryError', 'BoundaryError', 'CONFIG_INVALID']);
    assert.match(error?.message ?? '', /PREFECT_API[\s\S]*NAMESPACE/u);
    const said = finished(lines).map(({ level, code, problem }) => [level, code, problem]);
    assert.deepEqual(said, [['ERROR', 'CONFIG_INVALID', error?.message]]);
    assert.deepEqual(lines.filter(isMetrics), []);
    assert.equal(world.prefect.exchanges.length + world.aws.exchanges.length, 0);
  });

  it('report and then throw when the runner token is wrong, and do not say the token', async () => {
    await using world = await startPresentWorld();
    const wrong = 'a-token-nobody-knows';
    world.aws.state.secrets.set(world.env['RUNNER_TOKEN_SECRET_ARN'] ?? '', wrong);
    await using container = await start('dispatch', world.env);
    seedDueRuns(world, 1);

    const { error } = await container.invoke();
    const output = await container.end();

    assert.equal(error?.code, 'PREFECT_REFUSED');
    const [line] = finished(parsed(output));
    assert.deepEqual([line?.['level'], line?.['code']], ['ERROR', 'PREFECT_REFUSED']);
    assert.ok(parsed(output).some(isMetrics));
    assert.ok(!output.join('').includes(wrong));
    assert.deepEqual(listJobs(world.kubernetes.state, world.namespace), []);
  });

  it('tick again after a tick that failed, with the secret that was mended in between', async () => {
    await using world = await startPresentWorld();
    const arn = world.env['RUNNER_TOKEN_SECRET_ARN'] ?? '';
    const right = world.aws.state.secrets.get(arn) ?? '';
    world.aws.state.secrets.set(arn, null);
    await using container = await start('dispatch', world.env);

    const empty = await container.invoke();
    world.aws.state.secrets.set(arn, right);
    const mended = await container.invoke();

    assert.equal(empty.error?.code, 'SECRET_UNAVAILABLE');
    assert.equal(mended.error, null);
  });

  it('log in with credentials that are not in the environment, by the chain of the second file', async () => {
    await using world = await startPresentWorld();
    const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '', ...env } = world.env;
    const Expiration = new Date(world.clock.now().getTime() + 3_600_000).toISOString();
    const server = http.createServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ AccessKeyId: id, SecretAccessKey: secret, Token: '', Expiration }));
    });
    await new Promise<void>((listening) => {
      server.listen(0, '127.0.0.1', listening);
    });
    const { port } = server.address() as AddressInfo;
    const uri = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/credentials` };
    await using container = await start('dispatch', { ...env, ...uri });
    seedDueRuns(world, 1);

    const { result, error } = await container.invoke();
    server.close();

    assert.equal(error, null);
    assert.equal(result?.counts['created'], 1);
  });

  for (const name of ['dispatch', 'reconcile'] as const) {
    it(`examine on the event {"doctor":true} to ${name}, and tick on`, async () => {
      await using world = await startPresentWorld();
      await using container = await start(name, {
        ...world.env,
        JOB_TEMPLATE: 'spec: {template: {spec: {containers: [{}]}}}',
      });

      const { result, error } = await container.send<DoctorInvoked>({ doctor: true });
      const tick = await container.invoke();
      const lines = parsed(await container.end());

      assert.equal(error, null);
      assert.deepEqual([result?.ok, result?.hops.at(-1)?.hop], [true, 'in-cluster']);
      assert.equal(tick.error, null);
      const told = lines.filter(({ message }) => message === 'doctor_hop');
      assert.deepEqual(
        told.map(({ hop, verdict, request_id: request }) => [hop, verdict, request]),
        result?.hops.map(({ hop, verdict }) => [hop, verdict, 'request-1']),
      );
      // One tick, and its metrics alone.
      assert.deepEqual([finished(lines).length, lines.filter(isMetrics).length], [1, 1]);
    });
  }

  it('find what is broken without failing: an answer, and a line at ERROR', async () => {
    await using world = await startPresentWorld();
    world.aws.state.secrets.set(world.env['RUNNER_TOKEN_SECRET_ARN'] ?? '', null);
    await using container = await start('reconcile', world.env);

    const { result, error } = await container.send<DoctorInvoked>({ doctor: true });
    const lines = parsed(await container.end());

    assert.deepEqual([error, result?.ok, result?.hops.at(-1)?.hop], [null, false, 'runner-token']);
    const line = lines.find(({ level }) => level === 'ERROR');
    assert.deepEqual([line?.['hop'], line?.['verdict']], ['runner-token', 'broken']);
    assert.match(JSON.stringify(line?.['do_this']), /put-secret-value --region us-east-1/u);
  });

  it('examine a configuration with which no tick could begin', async () => {
    await using world = await startPresentWorld();
    await using container = await start('dispatch', { ...world.env, NAMESPACE: 'Not A Namespace' });

    const { result } = await container.send<DoctorInvoked>({ doctor: true });

    assert.deepEqual(
      result?.hops.map(({ hop, verdict }) => [hop, verdict]),
      [['configuration', 'broken']],
    );
  });

  it('refuse an event for the doctor that cannot be read, and do not tick instead', async () => {
    await using world = await startPresentWorld();
    await using container = await start('dispatch', world.env);

    const { error } = await container.send<DoctorInvoked>({ doctor: 'yes' });

    assert.equal(error?.code, 'CONFIG_INVALID');
    assert.equal(world.prefect.exchanges.length, 0);
  });
});
