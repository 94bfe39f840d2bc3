import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Gate } from '../../../infra/local/faults.ts';
import type { Invoked, Outcome } from '../../lambda/execution-environment.ts';
import { dueRuns, LambdaWorld, unpackedFunctions } from './lambda-world.ts';
import { isTokenRead } from './requests.ts';

const minute = 60_000;

type Line = Readonly<Record<string, unknown>>;

/** Each line is one JSON object, or this throws. */
const parsed = (lines: readonly string[]): readonly Line[] => lines.map((line) => JSON.parse(line) as Line);
const isMetrics = (line: Line): boolean => '_aws' in line;

/** Powertools writes its own key, the runtime client another. */
const requestIdOf = (line: Line): unknown => line['request_id'] ?? line['requestId'];

const countOf = ({ outcome }: Invoked, kind: string): number | undefined => {
  if (outcome.kind !== 'response') throw new Error(`${outcome.errorType}: ${outcome.errorMessage}`);
  return (outcome.payload as { readonly counts: Readonly<Record<string, number>> }).counts[kind];
};

const errorOf = (outcome: Outcome): string => (outcome.kind === 'error' ? outcome.errorType : 'none');

/** The codes in the runtime's own lines of errors: a tick that never began has no other line. */
const codesOf = (lines: readonly string[]): readonly unknown[] =>
  parsed(lines).flatMap(({ message }) =>
    typeof message === 'object' && message !== null && 'code' in message ? [message.code] : [],
  );

describe('the bundles under the Lambda runtime client', () => {
  let functions: Awaited<ReturnType<typeof unpackedFunctions>>;
  before(async () => {
    functions = await unpackedFunctions();
  });
  after(async () => functions[Symbol.asyncDispose]());
  const startLambda = async (dueAtMs: readonly number[]): Promise<LambdaWorld> =>
    LambdaWorld.start(functions.taskRoot, dueAtMs);

  it('work cold, and warm in the same process', async () => {
    await using lambda = await startLambda(dueRuns(3));
    const dispatch = await lambda.start('dispatch');
    const reconcile = await lambda.start('reconcile');

    const cold = [await dispatch.invoke(), await reconcile.invoke()];
    const warm = [await dispatch.invoke(), await reconcile.invoke()];

    assert.deepEqual(
      [...cold, ...warm].map(({ isCold }) => isCold),
      [true, true, false, false],
    );
    assert.deepEqual(
      [cold, warm].map(([of]) => of && countOf(of, 'created')),
      [3, 0],
    );
    assert.deepEqual(
      [cold, warm].map(([, of]) => of && countOf(of, 'waiting')),
      [3, 3],
    );
    assert.equal(lambda.jobs.length, 3);
  });

  it('answer a configuration that cannot work with the error, each time, and ask nobody', async () => {
    await using lambda = await startLambda(dueRuns(1));
    const dispatch = await lambda.start('dispatch', { PREFECT_API: '', NAMESPACE: 'Not A Namespace' });

    const invoked = [await dispatch.invoke(), await dispatch.invoke()];
    await dispatch.stop();

    for (const { outcome } of invoked) {
      assert.equal(errorOf(outcome), 'BoundaryError');
      assert.match(outcome.kind === 'error' ? outcome.errorMessage : '', /PREFECT_API[\s\S]*NAMESPACE/u);
    }
    assert.deepEqual(codesOf(dispatch.lines), ['CONFIG_INVALID', 'CONFIG_INVALID']);
    assert.equal(lambda.world.prefect.connections() + lambda.world.aws.connections(), 0);
  });

  it('answer an outage of Prefect with the error, and work again when it is over', async () => {
    await using lambda = await startLambda(dueRuns(2));
    const dispatch = await lambda.start('dispatch');
    lambda.world.prefect.faults.add({ matches: () => true, fault: { kind: 'drop-before' }, times: 100 });

    const during = await dispatch.invoke();
    lambda.world.prefect.faults.clear();
    const afterwards = await dispatch.invoke();
    await dispatch.stop();

    assert.equal(errorOf(during.outcome), 'BoundaryError');
    assert.deepEqual(codesOf(dispatch.lines), ['PREFECT_UNREACHABLE']);
    assert.deepEqual([afterwards.isCold, countOf(afterwards, 'created')], [false, 2]);
  });

  it('stop by themselves before the time limit when nobody answers', async () => {
    await using lambda = await startLambda(dueRuns(1));
    const dispatch = await lambda.start('dispatch', {}, { timeLimitMs: 3_000 });
    const gate = new Gate();
    lambda.world.prefect.faults.add({ matches: () => true, fault: { kind: 'hold', gate }, times: 100 });

    const { outcome } = await dispatch.invoke();
    gate.open();
    lambda.world.prefect.faults.clear();
    const next = await dispatch.invoke();
    await dispatch.stop();

    assert.equal(errorOf(outcome), 'BoundaryError');
    assert.deepEqual(codesOf(dispatch.lines), ['PREFECT_UNREACHABLE']);
    assert.deepEqual([next.isCold, errorOf(next.outcome)], [false, 'none']);
  });

  it('are killed at the time limit when they cannot, and begin cold', async () => {
    await using lambda = await startLambda(dueRuns(1));
    const dispatch = await lambda.start('dispatch', {}, { timeLimitMs: 3_000 });
    const gate = new Gate();
    lambda.world.prefect.faults.add({ matches: () => true, fault: { kind: 'hold', gate } });

    const invocation = dispatch.invoke();
    await gate.arrivals(1);
    dispatch.starve();
    const { outcome } = await invocation;
    gate.open();
    const next = await dispatch.invoke();

    const message = 'Task timed out after 3.00 seconds';
    assert.deepEqual(outcome, { kind: 'error', errorType: 'Sandbox.Timedout', errorMessage: message });
    assert.deepEqual([next.isCold, errorOf(next.outcome)], [true, 'none']);
  });

  it('fail their init when a package is damaged, and work when it is mended', async () => {
    await using damaged = await unpackedFunctions();
    await using lambda = await LambdaWorld.start(damaged.taskRoot, dueRuns(1));
    const index = path.join(damaged.taskRoot, 'dist/dispatch/index.js');
    const whole = await readFile(index);
    const dispatch = await lambda.start('dispatch');

    // Half of it alone may happen to end where a statement does.
    await writeFile(index, Buffer.concat([whole.subarray(0, whole.length / 2), Buffer.from('{(')]));
    const cut = await dispatch.invoke();
    await writeFile(index, whole);
    const mended = await dispatch.invoke();

    assert.deepEqual([cut.isCold, errorOf(cut.outcome)], [true, 'Runtime.UserCodeSyntaxError']);
    assert.deepEqual([mended.isCold, countOf(mended, 'created')], [true, 1]);
  });

  it('go on after being frozen while sockets died, tokens aged and twenty minutes went by', async () => {
    await using lambda = await startLambda([...dueRuns(2), 15 * minute]);
    const { prefect, kubernetes, aws } = lambda.world;
    const dispatch = await lambda.start('dispatch');
    const first = await dispatch.invoke();

    await dispatch.freeze();
    const askedBefore = [prefect, kubernetes, aws].map(({ exchanges }) => exchanges.length);
    for (const server of [prefect, kubernetes, aws]) server.disconnect();
    lambda.pass(20 * minute);
    const askedMeanwhile = [prefect, kubernetes, aws].map(({ exchanges }) => exchanges.length);
    const thawed = await dispatch.invoke();

    assert.deepEqual(askedMeanwhile, askedBefore);
    assert.deepEqual([thawed.isCold, countOf(first, 'created'), countOf(thawed, 'created')], [false, 2, 1]);
    assert.equal(aws.exchanges.filter(({ request }) => isTokenRead(request)).length, 2);
    assert.deepEqual(lambda.everyJob, { created: 3, duplicates: 0 });
  });

  it('log JSON alone, each line with its request, and carry no metric into the next invocation', async () => {
    await using lambda = await startLambda(dueRuns(3));
    const dispatch = await lambda.start('dispatch');

    const created = await dispatch.invoke();
    lambda.world.prefect.faults.add({ matches: () => true, fault: { kind: 'drop-before' }, times: 100 });
    const failed = await dispatch.invoke();
    lambda.world.prefect.faults.clear();
    const idle = await dispatch.invoke();
    await dispatch.stop();

    const lines = parsed(dispatch.lines);
    const ids = [created, failed, idle].map(({ requestId }) => requestId);
    const said = lines.filter((line) => !isMetrics(line));
    assert.deepEqual([...new Set(said.map(requestIdOf))], ids);
    assert.deepEqual(
      said.filter(({ message }) => message === 'tick_finished').map((line) => [line['level'], requestIdOf(line)]),
      [
        ['INFO', ids[0]],
        ['ERROR', ids[1]],
        ['INFO', ids[2]],
      ],
    );
    assert.deepEqual(
      lines
        .filter(isMetrics)
        .map((line) => [line['tick_worked'], line['created'], line['due'], line['cluster_latency'] === undefined]),
      [
        [1, 3, 3, false],
        [0, undefined, undefined, true],
        [1, undefined, 0, true],
      ],
    );
  });
});
