import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { playPods } from '../../infra/local/kubernetes-api/play-pods.ts';
import { listJobs } from '../../infra/local/kubernetes-api/state.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';
import { resourceQuotas } from '../../infra/local/kubernetes-api/resources.ts';
import { isRaised, metricOfAlarm, metricsIn, type Alarm } from '../support/alarms.ts';
import { STACK } from '../support/builders.ts';
import { finished, startCommand } from '../support/command.ts';
import { rowsOf } from '../support/insights-query.ts';
import { aLaptopWorld, seedDueRun, type LaptopWorld } from '../support/laptop-world.ts';
import { askSaved } from '../support/saved-queries.ts';
import { resourcesOf } from '../support/watch-files.ts';

/** What a process wrote to both of its streams, by its own times, as a log group has it. */
async function linesOf(args: readonly string[]): Promise<readonly string[]> {
  const { stdout, stderr } = await finished(startCommand('infra/local/start.ts', ['--logs', ...args]));
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line !== '');
  const timeOf = (line: string): number => {
    const { timestamp, _aws } = JSON.parse(line) as { timestamp?: string; _aws?: { Timestamp: number } };
    return timestamp === undefined ? (_aws?.Timestamp ?? 0) : Date.parse(timestamp);
  };
  return lines.toSorted((a, b) => timeOf(a) - timeOf(b));
}

/** One tick of each function on the world, in a process of its own. */
const tickOn = async ({ flags }: LaptopWorld, ...more: readonly string[]): Promise<readonly string[]> =>
  linesOf([...flags, '--stack-id', STACK, '--ticks', '1', ...more]);

/** The run's container exits with 1, and its Job fails. */
function failPods({ world }: LaptopWorld): void {
  const { state } = world.kubernetes;
  for (let second = 0; second < 70; second += 1) {
    world.clock.advance(1_000);
    stepControllers(state, world.clock.now(), { rounds: 1 });
    playPods(state, { scriptFor: () => 'exit-1' }, world.clock.now());
  }
}

function allowNoJobs({ world }: LaptopWorld): void {
  const { state } = world.kubernetes;
  const metadata = state.newMetadata(resourceQuotas, { name: 'jobs', namespace: 'flows' }, world.clock.now());
  const spec = { hard: { 'count/jobs.batch': '0' } };
  state.write(resourceQuotas, { kind: 'ResourceQuota', apiVersion: 'v1', metadata, spec });
}

/** A run that fails, and another that is created after it. */
async function failedRun() {
  await using laptop = await aLaptopWorld();
  const runId = seedDueRun(laptop.world);
  const first = await tickOn(laptop);
  const other = seedDueRun(laptop.world);
  failPods(laptop);
  return { runId, other, rows: rowsOf([...first, ...(await tickOn(laptop))]) };
}

const own = Object.entries(resourcesOf('alarms'))
  .map(([name, { Properties }]) => [name, Properties as object as Alarm] as const)
  .filter(([, { Namespace }]) => Namespace === 'PrefectServerlessAgent');

/** Alarms on metrics of ours that are raised when five minutes pass with these lines in each. */
function raisedBy(lines: readonly string[]): readonly string[] {
  const minutes = [1, 2, 3, 4, 5].map(() => metricsIn(lines));
  return own.filter(([, alarm]) => isRaised(alarm, minutes)).map(([name]) => name);
}

describe('the lines that `npm start -- --logs` writes', () => {
  let demo: readonly string[] = [];
  before(async () => {
    demo = await linesOf(['--period', '0s']);
  });

  it('are one wide line and one of metrics for each tick, and lines of runs and Jobs with their ids', () => {
    const rows = rowsOf(demo);

    const finishes = rows.filter(({ message }) => message === 'tick_finished');
    const metrics = rows.filter((row) => row['_aws.Timestamp'] !== undefined && row['tick_worked'] === 1);
    assert.deepEqual([finishes.length, metrics.length], [8, 8]);
    assert.equal(new Set(finishes.map((row) => row['request_id'])).size, 8);
    for (const row of rows) assert.match(String(row['request_id']), /^[0-9a-f-]{36}$/u);
    const about = rows.filter(({ message }) => ['decided', 'applied', 'failed'].includes(String(message)));
    assert.ok(about.length > 0);
    for (const row of about) assert.ok(row['flow_run_id'] !== null || row['job'] !== null, JSON.stringify(row));
  });

  it('say why a run failed, from its Job to its end, to the query that asks for it', async () => {
    const { runId, other, rows } = await failedRun();

    const found = askSaved('WhyIsThisRunFailed', rows, runId);

    assert.equal(found[0]?.['outcome'], 'created');
    const last = found.find(({ action }) => action === 'fail-run');
    assert.match(String(last?.['why']), /exited with code 1/u);
    assert.deepEqual([last?.['outcome'], last?.['evidence.exit_code']], ['applied', 1]);
    assert.deepEqual(
      askSaved('WhyIsThisRunFailed', rows, other).map(({ outcome }) => outcome),
      ['created'],
    );
  });

  it('say what was held and why, and nothing of the kind when nothing was', async () => {
    await using laptop = await aLaptopWorld();
    const runId = seedDueRun(laptop.world);
    const rows = rowsOf(await tickOn(laptop, '--dispatch-paused', 'true'));

    const [held, ...more] = askSaved('WhatWasHeldAndWhy', rows);

    assert.deepEqual(
      [held?.['rule'], held?.['flow_run_id'], held?.['ticks'], more],
      ['paused-by-operator', runId, 1, []],
    );
    assert.deepEqual(listJobs(laptop.world.kubernetes.state), []);
    assert.deepEqual(askSaved('WhatWasHeldAndWhy', rowsOf(demo)), []);
  });

  it('say which ticks were slow', () => {
    const durations = askSaved('SlowestTicks', rowsOf(demo)).map((row) => Number(row['duration_ms']));

    assert.equal(durations.length, 8);
    assert.deepEqual(
      durations,
      durations.toSorted((a, b) => b - a),
    );
  });

  describe('on a cluster that grants nothing', () => {
    let lines: readonly string[] = [];
    before(async () => {
      await using laptop = await aLaptopWorld({}, 'guest');
      seedDueRun(laptop.world);
      lines = await tickOn(laptop);
    });

    it('say which ticks failed, and that it was for a right', () => {
      const [failed, denied] = [askSaved('FailedTicks', rowsOf(lines)), askSaved('PermissionErrors', rowsOf(lines))];

      assert.deepEqual(
        new Map(failed.map((row) => [row['function'], [row['code'], row['ticks']]])),
        new Map([
          ['dispatch', ['CLUSTER_FORBIDDEN', 1]],
          ['reconcile', ['CLUSTER_FORBIDDEN', 1]],
        ]),
      );
      assert.equal(denied.length, 2);
      for (const { problem } of denied) assert.match(String(problem), /allow us to list the Jobs/u);
    });

    it('raise the dead man of both functions, which ticks that work do not', () => {
      assert.deepEqual(raisedBy(lines), ['DispatchSilent', 'ReconcileSilent']);
    });
  });

  it('raise the alarm about creates when they are refused, and no permission is missing when it is a quota', async () => {
    await using laptop = await aLaptopWorld();
    allowNoJobs(laptop);
    seedDueRun(laptop.world);

    const lines = await tickOn(laptop);

    assert.deepEqual(raisedBy(lines), ['CreatesFail']);
    assert.deepEqual(askSaved('PermissionErrors', rowsOf(lines)), []);
  });

  it('raise nothing when all is well, and hold every metric that an alarm of ours looks at', async () => {
    await using laptop = await aLaptopWorld();
    seedDueRun(laptop.world);
    const lines = await tickOn(laptop);

    const known = metricsIn(lines);
    for (const [name, alarm] of own) assert.ok(known.has(metricOfAlarm(alarm)), name);
    assert.deepEqual(raisedBy(lines), []);
    assert.deepEqual([askSaved('FailedTicks', rowsOf(demo)), askSaved('PermissionErrors', rowsOf(demo))], [[], []]);
  });
});
