import assert from 'node:assert/strict';

import { writePod } from '../../infra/local/kubernetes-api/state.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** What kubelet writes once the flow container of a run's newest Job has ended with 1. */
export function playFailed(world: SimulatedWorld, runId: string): void {
  const job = world.jobsOf(runId).at(-1);
  assert.ok(job !== undefined);
  const { name, namespace = '', uid, labels } = job.metadata;
  const finishedAt = world.clock.now().toISOString();
  writePod(world.cluster, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-fghij`,
      namespace,
      uid: `failed-pod-of-${uid}`,
      resourceVersion: '1',
      labels: labels ?? {},
      creationTimestamp: finishedAt,
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: { ...job.spec.template.spec, nodeName: 'node-1' },
    status: {
      phase: 'Failed',
      containerStatuses: [
        {
          name: 'flow',
          ready: false,
          restartCount: 0,
          image: '',
          imageID: '',
          state: { terminated: { exitCode: 1, reason: 'Error', startedAt: finishedAt, finishedAt } },
        },
      ],
    },
  });
}
