import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { jsonAnswer, type LocalRequest } from '../../infra/local/http.ts';
import { writeJob } from '../../infra/local/kubernetes-api/state.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { isRaised, metricOfAlarm, type Alarm } from '../support/alarms.ts';
import { aWorld, isCreate, playPod } from '../support/protocol-world.ts';
import type { SimulatedWorld } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';
import { resourcesOf } from '../support/watch-files.ts';
import { WatchedStack, type Fate } from '../support/watched-stack.ts';

const alarms = new Map(
  Object.entries(resourcesOf('alarms')).map(([name, { Properties }]) => [name, Properties as object as Alarm]),
);

/** Names of the alarms that are raised. */
const raised = ({ minutes }: WatchedStack): readonly string[] =>
  [...alarms].filter(([, alarm]) => isRaised(alarm, minutes)).map(([name]) => name);

async function quiet(stack: WatchedStack, minutes = 5): Promise<void> {
  for (let left = minutes; left > 0; left -= 1) await stack.minute();
}

/** An hour of nothing wrong before, so that no alarm is raised by the beginning of the world. */
async function aStack(env: Readonly<Record<string, string>> = {}) {
  const { world, runId } = aWorld();
  const stack = new WatchedStack(world, env);
  return { world, runId, stack };
}

const refusal = (status: number, message: string) =>
  jsonAnswer(status, { kind: 'Status', status: 'Failure', reason: 'Forbidden', message, code: status });

const isList = ({ method, path }: LocalRequest): boolean => method === 'GET' && /\/jobs\?/u.test(path);

/** Minutes in which these requests to the API server are refused, each with a new run that is due. */
async function refusedMinutes(
  { world, stack }: { world: SimulatedWorld; stack: WatchedStack },
  how: { readonly matches: (request: LocalRequest) => boolean; readonly message: string; readonly times: number },
): Promise<void> {
  world.onKubernetes = (request, forward) => (how.matches(request) ? refusal(403, how.message) : forward());
  for (let left = how.times; left > 0; left -= 1) {
    seedFlowRun(world.prefect, { startTime: world.clock.now() }, world.clock.now());
    await stack.minute();
  }
  world.onKubernetes = (_request, forward) => forward();
}

async function fated(times: number, dispatch: Fate, reconcile: Fate): Promise<WatchedStack> {
  const { stack } = await aStack();
  await quiet(stack);
  for (let left = times; left > 0; left -= 1) await stack.minute(dispatch, reconcile);
  return stack;
}

const forbidden = 'jobs.batch is forbidden: User "agent" cannot create resource "jobs"';

/** A world in which creates are refused for some minutes, after five that were quiet. */
async function refusedCreates(message: string, times: number): Promise<WatchedStack> {
  const parts = await aStack();
  await quiet(parts.stack);
  await refusedMinutes(parts, { matches: isCreate, message, times });
  return parts.stack;
}

async function refusedLists(times: number): Promise<WatchedStack> {
  const { world, stack } = await aStack();
  await quiet(stack);
  world.onKubernetes = (request, forward) => (isList(request) ? refusal(403, forbidden) : forward());
  for (let left = times; left > 0; left -= 1) await stack.minute();
  return stack;
}

/** Nothing is dispatched, and a run has been due for so long when the five minutes begin. */
async function paused(age: string): Promise<WatchedStack> {
  const { world } = aWorld();
  const stack = new WatchedStack(world, { DISPATCH_PAUSED: 'true' });
  seedFlowRun(world.prefect, { startTime: at(`-${age}`) }, at('-30m'));
  await quiet(stack);
  return stack;
}

/** A pod that has been waiting for its node for so many minutes when the last five begin. */
async function waitingPod(minutes: number): Promise<WatchedStack> {
  const { world, runId, stack } = await aStack();
  await stack.minute();
  playPod(world, runId, { waiting: { reason: 'ContainerCreating' } });
  await quiet(stack, minutes + 5);
  return stack;
}

/** A second Job of a run, active or finished. */
async function twoJobs(isActive: boolean): Promise<WatchedStack> {
  const { world, runId, stack } = await aStack();
  await quiet(stack);
  const [job] = world.jobsOf(runId);
  assert.ok(job !== undefined);
  const now = world.clock.now().toISOString();
  const done = { type: 'Complete', status: 'True', reason: 'CompletionsReached', message: '', lastTransitionTime: now };
  const conditions = isActive ? [] : [done];
  const metadata = { ...job.metadata, name: 'prefect-job-0123456789abcdef', uid: 'another', creationTimestamp: now };
  writeJob(world.cluster, { ...job, metadata, status: { ...job.status, ...(isActive ? {} : { conditions }) } });
  await stack.minute();
  return stack;
}

/** One minute in five is bad for both functions. */
async function everyFifth(bad: number): Promise<WatchedStack> {
  const { stack } = await aStack();
  await quiet(stack);
  for (let left = bad; left > 0; left -= 1) {
    await stack.minute('killed', left === 1 ? 'tick' : 'killed');
    await quiet(stack, 4);
  }
  return stack;
}

interface Played {
  readonly fires: () => Promise<WatchedStack>;
  readonly nearMiss: () => Promise<WatchedStack>;
}

const played: Readonly<Record<string, Played>> = {
  DispatchFails: {
    fires: () => refusedCreates(forbidden, 3),
    nearMiss: () => refusedCreates(forbidden, 2),
  },
  ReconcileFails: { fires: () => refusedLists(3), nearMiss: () => refusedLists(2) },
  DispatchSilent: { fires: () => fated(3, 'absent', 'tick'), nearMiss: () => fated(2, 'absent', 'tick') },
  ReconcileSilent: { fires: () => fated(3, 'tick', 'refused'), nearMiss: () => fated(2, 'tick', 'refused') },
  DispatchThrottled: { fires: () => fated(3, 'throttled', 'tick'), nearMiss: () => fated(2, 'throttled', 'tick') },
  ReconcileThrottled: { fires: () => fated(3, 'tick', 'throttled'), nearMiss: () => fated(2, 'tick', 'throttled') },
  DispatchSlow: {
    fires: () => fated(3, { slowMs: 40_001 }, 'tick'),
    nearMiss: () => fated(5, { slowMs: 39_999 }, 'tick'),
  },
  ReconcileSlow: {
    fires: () => fated(3, 'tick', { slowMs: 40_001 }),
    nearMiss: () => fated(5, 'tick', { slowMs: 39_999 }),
  },
  DueRunsWait: { fires: () => paused('9m'), nearMiss: () => paused('8m') },
  SubmittedRunsWait: { fires: () => waitingPod(29), nearMiss: () => waitingPod(25) },
  DuplicateJobs: { fires: () => twoJobs(true), nearMiss: () => twoJobs(false) },
  CreatesFail: {
    fires: () => refusedCreates('exceeded quota: jobs', 3),
    nearMiss: () => refusedCreates('exceeded quota: jobs', 2),
  },
  EventsFail: { fires: () => everyFifth(6), nearMiss: () => everyFifth(5) },
};

describe('the alarms of the stack', () => {
  it('are all played here', () => {
    assert.deepEqual(Object.keys(played), [...alarms.keys()]);
  });

  for (const [name, { fires, nearMiss }] of Object.entries(played)) {
    it(`${name} is raised, and not by a little less`, async () => {
      const [bad, almost] = [raised(await fires()), raised(await nearMiss())];

      assert.ok(bad.includes(name), `raised: ${bad.join(', ')}`);
      assert.deepEqual(almost, []);
    });
  }

  it('are silent while there is work and nothing is wrong', async () => {
    const { world, stack } = await aStack();
    for (let round = 0; round < 10; round += 1) {
      seedFlowRun(world.prefect, { startTime: world.clock.now() }, world.clock.now());
      await stack.minute();
    }

    assert.deepEqual(raised(stack), []);
  });

  it('say nothing about a single tick that an API server refuses right after its restart', async () => {
    assert.deepEqual(raised(await refusedCreates(forbidden, 1)), []);
  });

  it('end when it is over', async () => {
    const stack = await refusedCreates(forbidden, 5);
    const during = raised(stack);
    await quiet(stack);

    assert.deepEqual([during.includes('DispatchFails'), raised(stack)], [true, []]);
  });

  it('look at metrics that the functions write, or that AWS does', async () => {
    const { stack } = await aStack();
    await quiet(stack, 3);
    // The last minute has nothing new: what is watched is written in every tick.
    const known = new Set(stack.minutes.at(-1)?.keys());

    for (const [name, alarm] of alarms) assert.ok(known.has(metricOfAlarm(alarm)), name);
  });
});
