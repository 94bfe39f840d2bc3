import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { jsonAnswer } from '../../infra/local/http.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { insights, rowsOf, type Row } from '../support/insights-query.ts';
import { aWorld, end, isCreate, playPod } from '../support/protocol-world.ts';
import { askSaved } from '../support/saved-queries.ts';
import { WatchedStack } from '../support/watched-stack.ts';

const refusal = (status: number, message: string) =>
  jsonAnswer(status, { kind: 'Status', status: 'Failure', reason: 'Forbidden', message, code: status });

/** Ticks with one run whose container fails, and one that goes well. */
async function failedRun() {
  const { world, runId } = aWorld();
  const stack = new WatchedStack(world);
  const other = seedFlowRun(world.prefect, { startTime: world.clock.now() }, world.clock.now());
  await stack.minute();
  const terminated = { exitCode: 3, reason: 'Error', startedAt: world.clock.now().toISOString(), finishedAt: '' };
  playPod(world, runId, { terminated: { ...terminated, finishedAt: terminated.startedAt } });
  end(world, runId, 'Failed');
  await stack.minute();
  return { runId, other, rows: rowsOf(stack.lines) };
}

/** Ticks of a stack that is paused by its operator, or that has no room for a second run. */
async function heldRuns(env: Readonly<Record<string, string>>) {
  const { world, runId } = aWorld();
  seedFlowRun(world.prefect, { startTime: world.clock.now() }, world.clock.now());
  const stack = new WatchedStack(world, env);
  for (const _ of [1, 2, 3]) await stack.minute();
  return { runId, rows: rowsOf(stack.lines) };
}

/** A tick whose create is answered so. */
async function refusedCreate(message: string): Promise<readonly Row[]> {
  const { world } = aWorld();
  const stack = new WatchedStack(world);
  world.onKubernetes = (request, forward) => (isCreate(request) ? refusal(403, message) : forward());
  await stack.minute();
  return rowsOf(stack.lines);
}

describe('the saved query', () => {
  let failed: Awaited<ReturnType<typeof failedRun>>;
  before(async () => {
    failed = await failedRun();
  });

  it('why is this run failed ends with the rule, the sentence and the evidence', () => {
    const found = askSaved('WhyIsThisRunFailed', failed.rows, failed.runId);

    const last = found.find(({ action }) => action === 'fail-run');
    assert.equal(last?.['outcome'], 'applied');
    assert.match(String(last['why']), /exited with code 3/u);
    assert.deepEqual([last['evidence.exit_code'], last['evidence.before']], [3, 'Submitted']);
    assert.ok(found.some(({ outcome }) => outcome === 'created'));
  });

  it('why is this run failed says nothing of other runs, and of one that is well only that it was created', () => {
    const found = askSaved('WhyIsThisRunFailed', failed.rows, failed.other);

    assert.deepEqual(
      found.map(({ outcome }) => outcome),
      ['created'],
    );
    assert.deepEqual(askSaved('WhyIsThisRunFailed', failed.rows, 'another'), []);
  });

  it('what was held and why counts the ticks of each run under its rule', async () => {
    const { rows, runId } = await heldRuns({ DISPATCH_PAUSED: 'true' });

    const found = askSaved('WhatWasHeldAndWhy', rows);

    assert.deepEqual(
      found.map(({ ticks, rule }) => [ticks, rule]),
      [
        [3, 'paused-by-operator'],
        [3, 'paused-by-operator'],
      ],
    );
    const mine = found.find(({ flow_run_id: id }) => id === runId);
    assert.match(mine?.['said'] as string, /\w+ \w+/u);
  });

  it('what was held and why leaves out what was submitted', async () => {
    const { rows } = await heldRuns({ MAX_IN_FLIGHT: '1' });

    assert.deepEqual(
      askSaved('WhatWasHeldAndWhy', rows).map(({ rule }) => rule),
      ['at-capacity'],
    );
    assert.deepEqual(askSaved('WhatWasHeldAndWhy', failed.rows), []);
  });

  it('slowest ticks begins with the slowest, and leaves out ticks that never began', async () => {
    const { world } = aWorld();
    const stack = new WatchedStack(world);
    await stack.minute({ slowMs: 5_000 });
    await stack.minute('refused', { slowMs: 9_000 });

    const found = askSaved('SlowestTicks', rowsOf(stack.lines));

    assert.deepEqual(
      found.slice(0, 2).map((row) => [row['function'], row['duration_ms']]),
      [
        ['reconcile', 9_000],
        ['dispatch', 5_000],
      ],
    );
    assert.equal(found.length, 3);
  });

  it('failed ticks counts each code, a refused configuration among them', async () => {
    const { world } = aWorld();
    const stack = new WatchedStack(world);
    world.onPrefect = () => jsonAnswer(401, {});
    await stack.minute('refused');
    await stack.minute('refused');

    const found = askSaved('FailedTicks', rowsOf(stack.lines));

    assert.deepEqual(
      found.map((row) => [row['ticks'], row['code'], row['function']]),
      [
        [2, 'CONFIG_INVALID', undefined],
        [2, 'PREFECT_REFUSED', 'reconcile'],
      ],
    );
    for (const { said } of found) assert.match(said as string, /\w+ \w+/u);
    assert.deepEqual(askSaved('FailedTicks', failed.rows), []);
  });

  it('permission errors finds what RBAC refuses: the run, and the tick', async () => {
    const rows = await refusedCreate('jobs.batch is forbidden: User "agent" cannot create resource "jobs"');

    const found = askSaved('PermissionErrors', rows);

    assert.deepEqual(
      found.map(({ message, code, class: kind }) => [message, code ?? kind]),
      [
        ['tick_finished', 'CLUSTER_FORBIDDEN'],
        ['failed', 'forbidden'],
      ],
    );
  });

  it('permission errors finds no quota, which is no lack of rights', async () => {
    const rows = await refusedCreate('exceeded quota: jobs');

    assert.ok(rows.some(({ class: kind }) => kind === 'quota'));
    assert.deepEqual(askSaved('PermissionErrors', rows), []);
  });
});

describe('the reader of queries', () => {
  for (const query of ['parse message "x"', 'filter a > 3', 'stats avg(x) as y by z', 'sort x', 'filter a = "b" c']) {
    it(`refuses what it does not know: ${query}`, () => {
      assert.throws(() => insights(query, [{ a: 'b' }]));
    });
  }

  it('lets `and` bind closer than `or`', () => {
    const rows = [{ a: '1' }, { b: '2', c: '3' }, { b: '2' }];
    assert.equal(insights('filter a = "1" or b = "2" and c = "3"', rows).length, 2);
  });
});
