import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Gate } from '../../../infra/local/faults.ts';
import type { LocalRequest } from '../../../infra/local/http.ts';
import type { ExecutionEnvironment } from '../../lambda/execution-environment.ts';
import { dueRuns, LambdaWorld, unpackedFunctions, type FunctionName } from './lambda-world.ts';
import { isStateWrite } from './requests.ts';

const minute = 60_000;

/** More than a wave of claims. */
const runs = 30;

const onceEach = Array.from({ length: runs }, () => ['Success', 1]);

type Environment = Readonly<Record<string, string>>;

/** Who works on the same labels at once: the environments of two deployments, or of one that is invoked twice. */
const pairs: Readonly<Record<string, readonly [Environment, Environment]>> = {
  'two invocations of one stack': [{}, {}],
  'two stacks in one namespace': [{ STACK_ID: 'east' }, { STACK_ID: 'west' }],
  'two stacks with a namespace each': [
    { STACK_ID: 'east', NAMESPACE: 'flows' },
    { STACK_ID: 'west', NAMESPACE: 'flows-west' },
  ],
};

interface Overlap {
  /** What the server does with its Submitted locks: they live in one process, and die with it. */
  readonly locks: 'kept' | 'lost';
  readonly run: (lambda: LambdaWorld, dispatchers: readonly ExecutionEnvironment[]) => Promise<void>;
}

/** A server that is restarted, or that is two processes for a while, forgets its locks. */
async function underLocks({ world }: LambdaWorld, { locks }: Overlap, work: () => Promise<void>): Promise<void> {
  const { submittedLocks } = world.prefect.state;
  if (locks === 'lost') submittedLocks.set = () => submittedLocks;
  await work();
  Reflect.deleteProperty(submittedLocks, 'set');
}

/** Both have read the same due runs before either claims one; then they claim at once. */
async function claimTogether(lambda: LambdaWorld, dispatchers: readonly ExecutionEnvironment[]): Promise<void> {
  const gate = new Gate();
  lambda.world.prefect.faults.add({ matches: isStateWrite, times: 2, fault: { kind: 'hold', gate } });
  const invocations = dispatchers.map(async (one) => one.invoke());
  await gate.arrivals(2);
  gate.open();
  await Promise.all(invocations);
}

/** One has read, and its claims land `laterMs` after the other has read the same, claimed, created and gone home. */
const claimLate =
  (laterMs: number): Overlap['run'] =>
  async (lambda, dispatchers) => {
    const gate = new Gate();
    lambda.world.prefect.faults.add({ matches: isStateWrite, fault: { kind: 'hold', gate } });
    const invocations = dispatchers.map(async (one) => one.invoke());
    await gate.arrivals(1);
    await Promise.race(invocations);
    lambda.pass(laterMs);
    gate.open();
    await Promise.all(invocations);
  };

const overlaps: Readonly<Record<string, Overlap>> = {
  'claim the same runs at once': { locks: 'kept', run: claimTogether },
  'claim the same runs at once while the server has no lock': { locks: 'lost', run: claimTogether },
  'claim one after the other, on one read': { locks: 'kept', run: claimLate(0) },
  'claim over Jobs that the other has created, without a lock': { locks: 'lost', run: claimLate(0) },
  'claim over runs that the other has brought to Running, without a lock': { locks: 'lost', run: claimLate(10_000) },
};

/**
 * In minutes: a lease ends after two, and the server's Lazarus takes up what has been silent for ten. It is needed where a
 * stack wrote back the claim of another that it had covered: to the other it is a stranger's, and nobody's to take up.
 */
const pauses = [1, 1, 1, 5, 5, 5, 5, 1];

describe('two that work on the same labels at once never run a run twice', () => {
  let functions: Awaited<ReturnType<typeof unpackedFunctions>>;
  before(async () => {
    functions = await unpackedFunctions();
  });
  after(async () => functions[Symbol.asyncDispose]());

  async function startLambda(): Promise<LambdaWorld> {
    const lambda = await LambdaWorld.start(functions.taskRoot, dueRuns(runs));
    lambda.addNamespace('flows-west');
    return lambda;
  }

  const startPair = async (lambda: LambdaWorld, name: FunctionName, pair: readonly Environment[]) =>
    Promise.all(pair.map(async (env) => lambda.start(name, env)));

  /** Lets all of them tick at once, again and again, until what was left open by the overlap is settled. */
  async function goOn(lambda: LambdaWorld, all: readonly ExecutionEnvironment[]): Promise<void> {
    for (const pause of pauses) {
      const invoked = await Promise.all(all.map(async (one) => one.invoke()));
      assert.deepEqual([...new Set(invoked.map(({ outcome }) => outcome.kind))], ['response']);
      lambda.pass(pause * minute);
    }
  }

  for (const [who, pair] of Object.entries(pairs)) {
    for (const [what, overlap] of Object.entries(overlaps)) {
      it(`${who} ${what}`, async () => {
        await using lambda = await startLambda();
        const dispatchers = await startPair(lambda, 'dispatch', pair);
        const reconcilers = await startPair(lambda, 'reconcile', pair);

        await underLocks(lambda, overlap, async () => overlap.run(lambda, dispatchers));
        await goOn(lambda, [...dispatchers, ...reconcilers]);

        assert.deepEqual(lambda.everyJob, { created: runs, duplicates: 0 });
        assert.deepEqual(lambda.fates, onceEach);
      });
    }
  }

  it('an invocation that stood still after its claims, and one of the same stack that took over meanwhile', async () => {
    await using lambda = await startLambda();
    const [still, other] = await startPair(lambda, 'dispatch', [{}, {}]);
    const reconcile = await lambda.start('reconcile');
    const { exchanges, faults } = lambda.world.prefect;
    const gate = new Gate();
    const afterClaims = (request: LocalRequest): boolean =>
      !isStateWrite(request) && exchanges.some((exchange) => isStateWrite(exchange.request));
    faults.add({ matches: afterClaims, fault: { kind: 'hold', gate } });

    const invocation = still?.invoke();
    await gate.arrivals(1);
    still?.starve();
    const answered = exchanges.length + 1;
    gate.open();
    await lambda.until(() => exchanges.length === answered);
    lambda.pass(3 * minute);
    await other?.invoke();
    lambda.pass(minute);
    still?.thaw();
    await invocation;
    await goOn(
      lambda,
      [other, reconcile].filter((one) => one !== undefined),
    );

    assert.deepEqual(lambda.everyJob, { created: runs, duplicates: 0 });
    assert.deepEqual(lambda.fates, onceEach);
  });
});
