import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { describe, it } from 'node:test';

import { runDemo } from '../../infra/local/demo.ts';
import { parseOptions, type DemoOptions } from '../../infra/local/options.ts';
import { buildScenario, type ScenarioRun } from '../../infra/local/scenario.ts';
import { showJson } from '../../infra/local/show-json.ts';
import { finished, jsonLines, startCommand } from '../support/command.ts';

const run = (...args: string[]) => finished(startCommand('infra/local/start.ts', args));

/** Shows a scenario in this process and returns what `--json` would print. */
async function play(scenario: readonly ScenarioRun[], ...args: string[]) {
  const lines: string[] = [];
  const show = showJson((line) => lines.push(line));
  const options = parseOptions(['--period', '0s', '--json', ...args]) as DemoOptions;
  const status = await runDemo(options, scenario, { show, signal: new AbortController().signal });
  return { status, events: jsonLines(lines.join('')) };
}

describe('npm start', () => {
  it('shows every run at the end its script gives it, line by line', async () => {
    const { status, stdout, stderr } = await run('--period', '1ms');

    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^prefect-serverless-agent \d+\.\d+\.\d+: /u);
    assert.match(stdout, /^00:00 dispatch {3}due 9 {2}created 8 /mu);
    assert.match(stdout, /^03:30 reconcile {2}jobs 8 {2}/mu);
    assert.match(stdout, /^out-of-memory +Failed +failed +as expected +.*OOMKilled/mu);
    assert.match(stdout, /^12 of 12 runs are where their script says after 4 ticks of each function, 0 under way\.$/mu);
    assert.ok(!stdout.includes('\u001B'), 'control sequences belong on terminals');
  });

  it('prints what the README shows of it', async () => {
    const [, shown = ''] =
      /<!-- output:start -->[^]+?```text\n([^]+?)```\n/u.exec(readFileSync('README.md', 'utf8')) ?? [];

    const { stdout } = await run('--ticks', '6', '--period', '1ms');

    const printed = stdout
      .replaceAll(/(127\.0\.0\.1:)\d+/gu, '$1…')
      .replace(/ \S+\/kubeconfig$/mu, ' …/kubeconfig')
      .replace('every 0.001 s', 'every 2 s');
    const withoutTimes = (text: string): string => text.replaceAll(/\d+ ms$/gmu, 'N ms');
    assert.equal(withoutTimes(printed), withoutTimes(shown));
  });

  it('takes its kubeconfig along', async () => {
    const { status, stdout } = await run('--json', '--runs', '1', '--ticks', '1', '--period', '0s');

    const [started] = jsonLines(stdout);
    const places = ['prefect', 'kubernetes', 'kubeconfig', 'aws', 'namespace'];
    assert.deepEqual(Object.keys(started ?? {}), ['event', 'version', ...places]);
    assert.deepEqual([status, existsSync(String(started?.['kubeconfig']))], [0, false]);
  });

  it('ends with a summary for programs: 40 runs, 6 ticks, everything that can be over is over', async () => {
    const { status, stdout, stderr } = await run('--json', '--runs', '40', '--ticks', '6', '--period', '0s');

    const events = jsonLines(stdout);
    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(events.at(-1), {
      event: 'summary',
      runs: { Success: 10, Failed: 18, Cancelled: 6, Scheduled: 6 },
      expected_mismatches: 0,
      jobs_created: 31,
      duplicate_jobs: 0,
      ticks: { dispatch: 6, reconcile: 6 },
    });
    const expectations = events.filter(({ event }) => event === 'seeded');
    const firstTick = events.findIndex(({ event }) => event === 'tick');
    assert.equal(expectations.length, 40);
    assert.equal(events.indexOf(expectations[39] ?? {}) < firstTick, true);
  });

  it('exits with 1 when a single expectation is another', async () => {
    const flipped = buildScenario(4).map((one, index) =>
      index === 2 ? { ...one, expect: { ...one.expect, state: 'Success' } } : one,
    );

    const { status, events } = await play(flipped);

    assert.equal(status, 1);
    assert.equal(events.at(-1)?.['expected_mismatches'], 1);
    assert.deepEqual(
      events.filter(({ event }) => event === 'mismatch'),
      [
        {
          event: 'mismatch',
          run: 'exit-1',
          expect: { state: 'Success', job: 'failed', after_ticks: 2 },
          found: 'Failed, Job failed, after 2 ticks',
        },
      ],
    );
  });

  it('exits with 1 when a Job has not the fate that was written', async () => {
    const flipped = buildScenario(1).map((one) => ({ ...one, expect: { ...one.expect, job: 'deleted' as const } }));

    assert.equal((await play(flipped)).status, 1);
  });

  it('judges nothing before its hour', async () => {
    const early = buildScenario(5).slice(4);

    const { status, events } = await play(early, '--ticks', '1');

    assert.deepEqual([status, events.at(-1)?.['runs']], [0, { Submitted: 1 }]);
  });

  it('waits with every answer as long as it is told', async () => {
    const { events } = await play(buildScenario(1), '--latency', '150ms', '--ticks', '1');

    const tick = events.find(({ event }) => event === 'tick');
    assert.ok(Number(tick?.['took_ms']) >= 300, `a tick that polls and claims took ${String(tick?.['took_ms'])} ms`);
  });

  it('stops cleanly at Ctrl-C', async () => {
    const child = startCommand('infra/local/start.ts', ['--json', '--period', '1m']);
    const end = finished(child);
    for await (const line of createInterface(child.stdout)) if (line.includes('"tick"')) child.kill('SIGINT');

    assert.deepEqual([(await end).status, (await end).stderr], [130, '']);
  });

  const answers: Readonly<Record<string, { args: string[]; wantStatus: number; wantOut: RegExp; wantError: RegExp }>> =
    {
      'the usage': { args: ['--help'], wantStatus: 0, wantOut: /^Usage: npm start/mu, wantError: /^$/u },
      'the version': { args: ['--version'], wantStatus: 0, wantOut: /^\d+\.\d+\.\d+\n$/u, wantError: /^$/u },
      'a sentence to an unknown flag': {
        args: ['--frob'],
        wantStatus: 2,
        wantOut: /^$/u,
        wantError: /^Unknown option '--frob'\. See --help\.\n$/u,
      },
      'a sentence to a cluster without --api': {
        args: ['--kubeconfig', 'prod.yaml'],
        wantStatus: 2,
        wantOut: /^$/u,
        wantError: /^--kubeconfig says nothing without --api: [^\n]+ See --help\.\n$/u,
      },
    };
  for (const [name, { args, wantStatus, wantOut, wantError }] of Object.entries(answers)) {
    it(`answers with ${name}`, async () => {
      const { status, stdout, stderr } = await run(...args);

      assert.equal(status, wantStatus);
      assert.match(stdout, wantOut);
      assert.match(stderr, wantError);
    });
  }
});

describe('npm start -- --servers-only', () => {
  it('says where the servers are, seeded with flows and no runs, and takes its kubeconfig along', async () => {
    const child = startCommand('infra/local/start.ts', ['--servers-only']);
    const end = finished(child);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const ready = JSON.parse(line) as Readonly<Record<string, string>>;

    const answer = await fetch(ready['prefect'] ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ flow(limit: 1) { name } flow_run { id } }' }),
    });
    const kubeconfig = readFileSync(ready['kubeconfig'] ?? '', 'utf8');

    assert.deepEqual(Object.keys(ready), ['event', 'prefect', 'kubernetes', 'kubeconfig', 'aws']);
    assert.deepEqual(await answer.json(), { data: { flow: [{ name: 'success' }], flow_run: [] } });
    assert.ok(kubeconfig.includes(ready['kubernetes'] ?? 'no url'));

    child.kill('SIGINT');
    assert.deepEqual([(await end).status, (await end).stderr], [130, '']);
    assert.equal(existsSync(ready['kubeconfig'] ?? ''), false);
  });
});
