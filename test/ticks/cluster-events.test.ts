import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { addEvent } from '../../infra/local/kubernetes-api/events.ts';
import { listPods, writePod } from '../../infra/local/kubernetes-api/state.ts';
import { aWorld, minute, playPod, playRunning, set } from '../support/protocol-world.ts';
import type { SimulatedWorld } from '../support/simulated-world.ts';

type Scene = ReturnType<typeof aWorld>;

/** What scheduler and kubelet say of a pod of the run. */
function sayOfPod({ world }: Scene, reason: string, message: string): void {
  const [about] = listPods(world.cluster, 'flows');
  assert.ok(about !== undefined);
  addEvent(world.cluster, { about, type: 'Normal', reason, message, source: 'kubelet' }, world.clock.now());
}

const toldOf = ({ world, runId }: Scene) =>
  world.prefect.tables.log
    .by('flow_run_id', runId)
    .filter(({ name }) => name === 'k8s-infra')
    .map(({ level, message }) => `${level} ${message?.replace(/'prefect-job-[^']*'/u, "'<pod>'")}`);

const listsOfEvents = (world: SimulatedWorld): number =>
  world.requests.kubernetes.filter(({ path }) => path.includes('/events?')).length;

async function aPendingPod(): Promise<Scene> {
  const scene = aWorld();
  await scene.agent.dispatch();
  playPod(scene.world, scene.runId, { waiting: { reason: 'ContainerCreating' } });
  return scene;
}

describe('what the cluster says of a pod that starts', () => {
  it('is in the run log in the words of the agent, each once, whoever looks', async () => {
    const scene = await aPendingPod();
    const { world, agent } = scene;
    sayOfPod(scene, 'Scheduled', 'Successfully assigned flows/a to node-1');
    world.clock.advance(1_000);
    sayOfPod(scene, 'Pulling', 'Pulling image "flows:1.0"');
    await agent.reconcile();
    world.clock.advance(minute);
    sayOfPod(scene, 'Pulling', 'Pulling image "flows:1.0"');
    sayOfPod(scene, 'Pulled', 'Successfully pulled image "flows:1.0" in 61s');
    await world.container().reconcile();
    await agent.reconcile();

    assert.deepEqual(toldOf(scene), [
      "DEBUG Event: 'Scheduled' on pod '<pod>'\n\tMessage: Successfully assigned flows/a to node-1",
      "DEBUG Event: 'Pulling' on pod '<pod>'\n\tMessage: Pulling image \"flows:1.0\"",
      "DEBUG Event: 'Pulled' on pod '<pod>'\n\tMessage: Successfully pulled image \"flows:1.0\" in 61s",
    ]);
  });

  it('is told of a flow that began within the last two minutes, and not asked for later', async () => {
    const scene = await aPendingPod();
    const { world, runId, agent } = scene;
    sayOfPod(scene, 'Started', 'Container started: flow');
    playRunning(world, runId);
    set(world, runId, 'Running');
    world.clock.advance(2 * minute);
    await agent.reconcile();
    const asked = listsOfEvents(world);
    sayOfPod(scene, 'Killing', 'Stopping container flow');
    world.clock.advance(1);
    await agent.reconcile();

    assert.deepEqual(toldOf(scene), ["DEBUG Event: 'Started' on pod '<pod>'\n\tMessage: Container started: flow"]);
    assert.deepEqual([asked, listsOfEvents(world)], [1, 1]);
  });

  it('is not told of a Job whose pod is there, unless something is wrong with it', async () => {
    const scene = await aPendingPod();
    const { world, runId, agent } = scene;
    const [about] = world.jobsOf(runId);
    assert.ok(about !== undefined);
    const say = (type: 'Normal' | 'Warning', reason: string) =>
      addEvent(world.cluster, { about, type, reason, message: 'of it', source: 'job-controller' }, world.clock.now());
    say('Normal', 'SuccessfulCreate');
    say('Warning', 'FailedCreate');
    await agent.reconcile();

    assert.deepEqual(toldOf(scene), ["DEBUG Event: 'FailedCreate' on job '<pod>'\n\tMessage: of it"]);
  });

  it('tells why no node comes: the autoscaler’s refusal is in the diagnosis, though it is no warning', async () => {
    const scene = await aPendingPod();
    const { world, agent } = scene;
    const [pod] = listPods(world.cluster, 'flows');
    assert.ok(pod !== undefined);
    const since = world.clock.now().toISOString();
    const refused = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no node has a GPU' };
    const status = { phase: 'Pending', conditions: [{ ...refused, lastTransitionTime: since }] };
    writePod(world.cluster, { ...pod, status });
    sayOfPod(scene, 'NotTriggerScaleUp', 'max node group size reached');
    world.clock.advance(61 * minute);
    sayOfPod(scene, 'NotTriggerScaleUp', 'max node group size reached');
    const { outcomes } = await agent.reconcile();

    const failure = outcomes.find(({ action }) => action === 'fail-run');
    assert.equal(failure?.rule, 'pending-for-too-long');
    assert.match(failure?.why ?? '', /no node has a GPU; the autoscaler adds no node: max node group size reached/u);
  });
});
