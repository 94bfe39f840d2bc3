import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Gate } from '../../../infra/local/faults.ts';
import type { ExecutionEnvironment } from '../../lambda/execution-environment.ts';
import { dueRuns, LambdaWorld, unpackedFunctions } from './lambda-world.ts';
import { isCreate, isStateWrite, numbered } from './requests.ts';

const second = 1_000;
const minute = 60 * second;

const onceEach = (runs: number) => Array.from({ length: runs }, () => ['Success', 1]);

describe('a dispatch that is killed at its time limit in the middle of a fan-out', () => {
  let functions: Awaited<ReturnType<typeof unpackedFunctions>>;
  before(async () => {
    functions = await unpackedFunctions();
  });
  after(async () => functions[Symbol.asyncDispose]());

  /** Six minutes of the world, with a tick of each function at the beginning of each. */
  async function heal(lambda: LambdaWorld, dispatch: ExecutionEnvironment): Promise<void> {
    const reconcile = await lambda.start('reconcile');
    for (let ticks = 0; ticks < 6; ticks += 1) {
      for (const one of [dispatch, reconcile]) assert.equal((await one.invoke()).outcome.kind, 'response');
      lambda.pass(minute);
    }
  }

  it('loses no run and starts none twice: creates that were answered, that land later, that never land, that were not sent', async () => {
    await using lambda = await LambdaWorld.start(functions.taskRoot, dueRuns(20));
    const { faults } = lambda.world.kubernetes;
    const dispatch = await lambda.start('dispatch', { CREATE_CONCURRENCY: '8' });
    const [late, never] = [new Gate(), new Gate()];
    faults.add({ matches: numbered(isCreate, 5, 8), times: 4, fault: { kind: 'hold', gate: late } });
    faults.add({ matches: numbered(isCreate, 9, 12), times: 4, fault: { kind: 'hold', gate: never } });

    const invocation = dispatch.invoke();
    await Promise.all([late.arrivals(4), never.arrivals(4)]);
    const createdInTime = lambda.jobs.length;
    lambda.pass(50 * second);
    dispatch.timeOut();
    const killed = await invocation;
    // The API server may still carry out what it has taken in, for up to a minute.
    late.open();
    await lambda.until(() => lambda.jobs.length === createdInTime + 4);
    await heal(lambda, dispatch);

    assert.equal(killed.outcome.kind === 'error' && killed.outcome.errorType, 'Sandbox.Timedout');
    assert.equal(createdInTime, 4);
    assert.deepEqual(lambda.everyJob, { created: 20, duplicates: 0 });
    assert.deepEqual(lambda.fates, onceEach(20));
  });

  it('loses no run whose claim took effect without anybody hearing of it', async () => {
    await using lambda = await LambdaWorld.start(functions.taskRoot, dueRuns(5));
    const dispatch = await lambda.start('dispatch');
    const gate = new Gate();
    lambda.world.prefect.faults.add({ matches: isStateWrite, fault: { kind: 'hold', gate } });

    const invocation = dispatch.invoke();
    await gate.arrivals(1);
    dispatch.timeOut();
    await invocation;
    gate.open();
    await lambda.until(() => lambda.fates.every(([state]) => state === 'Submitted'));
    await heal(lambda, dispatch);

    assert.deepEqual(lambda.everyJob, { created: 5, duplicates: 0 });
    assert.deepEqual(lambda.fates, onceEach(5));
  });
});
