import assert from 'node:assert/strict';

import type { ContainerStatus } from '../../infra/local/kubernetes-api/objects.ts';
import { writePod } from '../../infra/local/kubernetes-api/state.ts';
import type { SimulatedWorld } from './simulated-world.ts';

type Played = Pick<ContainerStatus, 'restartCount' | 'state' | 'lastState'> & { readonly phase: string };

/** A pod of a run's newest Job on a node, as kubelet describes it. */
function play(world: SimulatedWorld, runId: string, { phase, ...container }: Played): void {
  const job = world.jobsOf(runId).at(-1);
  assert.ok(job !== undefined);
  const { name, namespace = '', uid, labels } = job.metadata;
  writePod(world.cluster, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-fghij`,
      namespace,
      uid: `failed-pod-of-${uid}`,
      resourceVersion: '1',
      labels: labels ?? {},
      creationTimestamp: world.clock.now().toISOString(),
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: { ...job.spec.template.spec, nodeName: 'node-1' },
    status: {
      phase,
      containerStatuses: [{ name: 'flow', ready: false, image: '', imageID: '', restartCount: 0, ...container }],
    },
  });
}

function endedWith1(world: SimulatedWorld) {
  const finishedAt = world.clock.now().toISOString();
  return { terminated: { exitCode: 1, reason: 'Error', startedAt: finishedAt, finishedAt } };
}

/** What kubelet writes once the flow container of a run's newest Job has ended with 1, after so many starts more. */
export function playFailed(world: SimulatedWorld, runId: string, restarts = 0): void {
  const ended = endedWith1(world);
  const again = restarts === 0 ? {} : { restartCount: restarts, lastState: ended };
  play(world, runId, { phase: 'Failed', state: ended, ...again });
}

/** The flow container has ended with 1 so many times, and waits to be started again. */
export function playCrashLoop(world: SimulatedWorld, runId: string, restarts: number): void {
  const state = { waiting: { reason: 'CrashLoopBackOff' } };
  play(world, runId, { phase: 'Running', restartCount: restarts, state, lastState: endedWith1(world) });
}
