import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import type { LocalRequest } from '../../infra/local/http.ts';
import { cancelFlowRun, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';
import { aWorld, end, isDelete, minute, playPod, playRunning, set, stateOf } from '../support/protocol-world.ts';
import type { SimulatedWorld } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

/** What may happen to a run whose Job was created; each is one step of a generated story. */
const happenings = {
  runs: (world: SimulatedWorld, runId: string) => {
    playRunning(world, runId);
    set(world, runId, 'Running');
  },
  succeeds: (world: SimulatedWorld, runId: string) => set(world, runId, 'Success'),
  fails: (world: SimulatedWorld, runId: string) => set(world, runId, 'Failed'),
  'is cancelled': (world: SimulatedWorld, runId: string) => void cancelFlowRun(world.prefect, runId, world.clock.now()),
  'is scheduled again': (world: SimulatedWorld, runId: string) => set(world, runId, 'Scheduled: restarted'),
  'has no image': (world: SimulatedWorld, runId: string) =>
    playPod(world, runId, { waiting: { reason: 'ImagePullBackOff' } }),
  'has no name for an image': (world: SimulatedWorld, runId: string) =>
    playPod(world, runId, { waiting: { reason: 'InvalidImageName' } }),
  'is over and well': (world: SimulatedWorld, runId: string) => endIfActive(world, runId, 'Complete'),
  'is over and failed': (world: SimulatedWorld, runId: string) => endIfActive(world, runId, 'Failed'),
} as const;

function endIfActive(world: SimulatedWorld, runId: string, how: 'Complete' | 'Failed'): void {
  if (world.jobsOf(runId).some((job) => job.status?.conditions === undefined)) end(world, runId, how);
}

type Happening = keyof typeof happenings;
const aHappening = fc.constantFrom(...(Object.keys(happenings) as Happening[]));
const aStory = fc.record({
  steps: fc.array(fc.tuple(aHappening, fc.nat(2), fc.constantFrom(1_000, minute, 3 * minute, 20 * minute)), {
    maxLength: 6,
  }),
  env: fc.constantFrom({}, { INFRA_RETRIES: '1' }, { DELETE_FINISHED_JOBS: 'false' }),
});

/** Three runs with their Jobs, and what the story does to them. */
async function play(story: { steps: readonly (readonly [Happening, number, number])[]; env: Record<string, string> }) {
  const { world, runId, agent } = aWorld(story.env);
  const runs = [runId, ...[1, 2].map(() => seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m')))];
  await agent.dispatch();
  for (const [happening, nth, ms] of story.steps) {
    const id = runs[nth] ?? runId;
    if (world.jobsOf(id).length > 0) happenings[happening](world, id);
    world.clock.advance(ms);
  }
  return { world, runs, agent };
}

const isWrite = ({ body }: LocalRequest): boolean =>
  body.includes('set_flow_run_states') || body.includes('write_run_logs');
const writesOf = (world: SimulatedWorld): number =>
  world.requests.prefect.filter(isWrite).length + world.requests.kubernetes.filter(isDelete).length;

describe('whatever happened to the runs', () => {
  it('a second reconcile at the same instant has nothing left to write or delete', async () => {
    await fc.assert(
      fc.asyncProperty(aStory, async (story) => {
        const { world, agent } = await play(story);
        for (let round = 0; round < 3; round += 1) {
          await agent.reconcile();
          stepControllers(world.cluster, world.clock.now());
        }
        const before = writesOf(world);
        await agent.reconcile();
        assert.equal(writesOf(world), before);
      }),
      { numRuns: 60, seed: 20_260_301 },
    );
  });

  it('a finished run is never given another state, and a run never has two active Jobs', async () => {
    await fc.assert(
      fc.asyncProperty(aStory, async (story) => {
        const { world, runs, agent } = await play(story);
        const finished = new Map(runs.map((id) => [id, stateOf(world, id)]));
        await agent.reconcile();
        const report = await agent.dispatch();
        for (const [id, state] of finished) {
          if (['Success', 'Failed', 'Cancelled'].includes(state)) assert.equal(stateOf(world, id), state);
        }
        assert.equal((await agent.reconcile()).facts['duplicates'], 0);
        assert.equal(report.problem, null);
      }),
      { numRuns: 60, seed: 20_260_302 },
    );
  });
});
