import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';

import { systemClock } from '../../functions/clock.ts';
import { runLaptop } from '../../infra/laptop/run-laptop.ts';
import { showLaptopJson, showLaptopText } from '../../infra/laptop/show.ts';
import { UsageError } from '../../infra/local/flag-values.ts';
import { listJobs } from '../../infra/local/kubernetes-api/state.ts';
import { parseOptions } from '../../infra/local/options.ts';
import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import type { World } from '../../infra/local/world.ts';
import { aClock } from '../support/clients.ts';
import { finished, jsonLines, startCommand } from '../support/command.ts';
import { heard } from '../support/heard.ts';
import { aLaptopWorld, seedDueRun } from '../support/laptop-world.ts';

const run = (args: readonly string[], env = {}) => finished(startCommand('infra/local/start.ts', args, env));

/** The same in this process: what it writes, and how it ends. A refusal is thrown. */
async function play(args: readonly string[], env = {}, clock = systemClock) {
  const options = parseOptions(args);
  assert.ok(options.kind === 'laptop');
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(text);
  const show = options.output === 'json' ? showLaptopJson(write) : showLaptopText(write);
  const status = await runLaptop(options, { show, signal: new AbortController().signal, env, clock });
  heard.hear('standard output', lines.join(''));
  return { status, stdout: lines.join('') };
}

const refusal = (want: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UsageError);
  assert.match(error.message, want);
  return true;
};

const stateOf = ({ prefect }: World, id: string): string | undefined => readFlowRun(prefect.state, id)?.state;

describe('npm start -- --api', () => {
  it('says where it works and as whom, creates the Job of a due run, and ends when every tick worked', async () => {
    await using one = await aLaptopWorld();
    const id = seedDueRun(one.world);

    const { status, stdout, stderr } = await run([...one.flags, '--ticks', '1']);

    assert.deepEqual([status, stderr], [0, '']);
    const [job] = listJobs(one.world.kubernetes.state, 'flows');
    assert.equal(stateOf(one.world, id), 'Submitted');
    assert.match(stdout, new RegExp(`^  API        ${one.world.prefect.url}$`, 'mu'));
    assert.match(stdout, new RegExp(`^  context    local \\(${one.world.kubernetes.url}\\)$`, 'mu'));
    assert.match(stdout, /^ {2}namespace {2}flows$/mu);
    assert.match(stdout, /^\d\d:\d\d:\d\dZ {2}dispatch {3}due 1 {2}created 1 \(due\) {2}\d+ ms$/mu);
    assert.match(stdout, new RegExp(`^ +created create-job: run ${id}, Job ${job?.metadata.name}, due$`, 'mu'));
    assert.match(stdout, /^\d\d:\d\d:\d\dZ {2}reconcile {2}jobs 1 /mu);
    assert.match(stdout, /^1 tick of each function; 1 Jobs created\.$/mu);
    const label = job?.metadata.labels?.['prefect-serverless-agent/stack'];
    assert.match(stdout, new RegExp(`^  stack      ${label}$`, 'mu'));
  });

  it('seeds nothing and plays no pods', async () => {
    await using one = await aLaptopWorld();

    const { status, stdout } = await play([...one.flags, '--ticks', '1', '--json']);

    const events = jsonLines(stdout);
    assert.equal(status, 0);
    assert.deepEqual(
      events.map(({ event }) => event),
      ['started', 'tick', 'tick', 'summary'],
    );
    assert.deepEqual(events.at(-1), {
      event: 'summary',
      ticks: { dispatch: 1, reconcile: 1 },
      problems: 0,
      jobs_created: 0,
      interrupted: false,
    });
    assert.deepEqual(listJobs(one.world.kubernetes.state), []);
  });

  it('logs in to the API with the token, which nothing that it prints holds', async () => {
    await using one = await aLaptopWorld({ open: false });
    const id = seedDueRun(one.world);
    const flags = [
      ...one.flags,
      '--token',
      'local-runner-token',
      '--pod-token-secret',
      'prefect/api-key',
      '--ticks',
      '1',
    ];

    const { status, stdout } = await play(flags);

    assert.deepEqual([status, stateOf(one.world, id)], [0, 'Submitted']);
    assert.doesNotMatch(stdout, /local-runner-token/u);
  });

  it('takes variables from the environment, and flags before them', async () => {
    await using one = await aLaptopWorld({ open: false });
    const env = { RUNNER_TOKEN: 'local-runner-token', POD_TOKEN_SECRET: 'none', STACK_ID: 'env', AGENT_LABELS: 'gpu' };

    const { status, stdout } = await play([...one.flags, '--stack-id', 'flag', '--ticks', '1', '--json'], env);

    const [started] = jsonLines(stdout);
    assert.deepEqual([status, started?.['stack'], started?.['labels']], [0, 'flag', ['gpu']]);
  });

  it('logs in to EKS by name, without a kubeconfig', async () => {
    await using one = await aLaptopWorld();
    const id = seedDueRun(one.world);
    const { PREFECT_API: _own, ...env } = one.world.env;
    const flags = ['--api', one.world.prefect.url, '--eks-cluster-name', 'local', '--ticks', '1', '--json'];

    const { status, stdout } = await run(flags, { ...env, AWS_EC2_METADATA_DISABLED: 'true', KUBECONFIG: '/nowhere' });

    const [started] = jsonLines(stdout);
    assert.deepEqual([status, started?.['context'], started?.['server']], [0, 'local', null]);
    assert.equal(stateOf(one.world, id), 'Submitted');
  });

  it('exits with 1 when a tick could not work, and says why', async () => {
    await using one = await aLaptopWorld({ open: false });
    const flags = [...one.flags, '--token', 'wrong', '--pod-token-secret', 'none', '--ticks', '1'];

    const { status, stdout } = await play(flags);

    assert.equal(status, 1);
    assert.match(stdout, /dispatch {3}could not work: PREFECT_REFUSED: /u);
    assert.match(stdout, /^1 tick of each function, 2 of 2 could not work; 0 Jobs created\.$/mu);
  });

  it('ends at Ctrl-C with 130, after the tick in hand', async () => {
    await using one = await aLaptopWorld();
    const child = startCommand('infra/local/start.ts', [...one.flags, '--json', '--period', '10m']);
    const end = finished(child);
    const events: unknown[] = [];
    for await (const line of createInterface(child.stdout)) {
      const { event } = JSON.parse(line) as { event: string };
      events.push(event);
      if (events.filter((one) => one === 'tick').length === 2 && event === 'tick') child.kill('SIGINT');
    }

    assert.deepEqual([(await end).status, (await end).stderr], [130, '']);
    assert.deepEqual(events, ['started', 'tick', 'tick', 'ending', 'summary']);
  });

  const refused: Readonly<Record<string, { args: readonly string[]; want: RegExp }>> = {
    'a kubeconfig that is not there': {
      args: ['--kubeconfig', '/nowhere/config'],
      want: /^There is no kubeconfig at \/nowhere\/config: /,
    },
    'a context that is not there': {
      args: ['--context', 'prod'],
      want: /has no context prod: it has local\.$/u,
    },
    'a token without a word about the pods': {
      args: ['--token', 't'],
      want: /POD_TOKEN_SECRET is required with a runner token: [^\n]+ As flags: --pod-token-secret for POD_TOKEN_SECRET\.$/u,
    },
    'every wrong variable at once': {
      args: ['--max-in-flight', 'many', '--image-grace', 'long'],
      want: /^The configuration has 2 problem\(s\): [^\n]+ As flags: --max-in-flight for MAX_IN_FLIGHT, --image-grace for IMAGE_GRACE\./u,
    },
  };
  for (const [name, { args, want }] of Object.entries(refused)) {
    it(`refuses ${name} before it asks anybody`, async () => {
      await using one = await aLaptopWorld();

      await assert.rejects(play([...one.flags, ...args]), refusal(want));

      assert.equal(one.world.prefect.exchanges.length + one.world.kubernetes.exchanges.length, 0);
    });
  }

  it('exits with 2 and that sentence when it is refused', async () => {
    const { status, stdout, stderr } = await run(['--api', 'http://prefect:4200', '--kubeconfig', '/nowhere/config']);

    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, /^There is no kubeconfig at [^\n]+ See --help\.\n$/u);
  });

  it('exits with 1 and one sentence when the cluster is away', async () => {
    await using one = await aLaptopWorld();
    await one.world.kubernetes.close();

    const { status, stderr } = await run([...one.flags, '--ticks', '1']);

    assert.equal(status, 1);
    assert.match(stderr, /^The API server at \S+ could not be reached: nothing listens there[^\n]+\n$/u);
  });
});

/** Any GraphQL API but the local one: it answers with an empty object, and keeps what it was asked. */
async function aForeignApi(): Promise<AsyncDisposable & { readonly url: string; readonly posts: () => number }> {
  let posts = 0;
  const server = http.createServer((request, response) => {
    if (request.method === 'POST') posts += 1;
    response.writeHead(200, { 'content-type': 'application/json', server: 'prefect' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, posts: () => posts, [Symbol.asyncDispose]: async () => void server.close() };
}

describe('a local cluster behind a real Prefect API', () => {
  it('is refused before a run is looked at', async () => {
    await using one = await aLaptopWorld();
    await using api = await aForeignApi();

    const { status, stderr } = await run([...one.flags, '--api', api.url, '--ticks', '1']);

    assert.equal(status, 2);
    assert.match(
      stderr,
      /^The cluster of local is the local world of this machine, and the Prefect API at \S+ is not: /u,
    );
    assert.equal(api.posts(), 0);
  });

  it('is refused for an API that does not answer, too', async () => {
    await using one = await aLaptopWorld();

    await assert.rejects(play([...one.flags, '--api', 'http://127.0.0.1:1', '--ticks', '1']), refusal(/ is not: /u));
  });

  it('is told by what its API server says of itself: any other cluster is worked with', async () => {
    await using one = await aLaptopWorld();
    await using api = await aForeignApi();
    one.world.kubernetes.faults.add({
      matches: ({ path: asked }) => asked === '/version',
      fault: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, body: '{"platform":"linux/amd64"}' }) },
    });

    const { status, stdout } = await play([...one.flags, '--api', api.url, '--ticks', '1']);

    assert.equal(status, 1);
    assert.match(stdout, /could not work: PREFECT_UNREADABLE/u);
    assert.ok(api.posts() > 0);
  });
});

describe('rounds of ticks', () => {
  it('begin a period apart, and none comes after the last', async () => {
    await using one = await aLaptopWorld();
    const clock = aClock(new Date());
    const { status, stdout } = await play([...one.flags, '--ticks', '3', '--period', '20s'], {}, clock);

    assert.equal(status, 0);
    assert.deepEqual(clock.slept, [20_000, 20_000]);
    assert.match(stdout, /\n\n3 ticks of each function; 0 Jobs created\.\n$/u);
  });
});
