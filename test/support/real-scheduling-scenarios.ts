import assert from 'node:assert/strict';

import { at as valueAt, corePath } from '../contract/kubernetes.cluster.ts';
import type { Scenario } from './real-scenario.ts';
import type { Scene } from './real-scene.ts';

/** What the scheduler writes about a pod for which it finds no node. */
const unscheduled =
  (message: string) =>
  async (scene: Scene): Promise<void> =>
    scene.write({ conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }] });

/** As cluster-autoscaler says it: an event about the pod, and no warning. */
async function refuseNode(scene: Scene, message: string): Promise<void> {
  const { at } = scene;
  const name = await scene.pod();
  const found = await at.call(`GET ${corePath(at, `pods/${name}`)}`);
  const now = new Date().toISOString().replace(/\.\d+Z$/u, 'Z');
  const involvedObject = {
    kind: 'Pod',
    apiVersion: 'v1',
    namespace: at.namespace,
    name,
    uid: valueAt(found.body, 'metadata', 'uid'),
  };
  const body = {
    metadata: { name: `${name}.17f0c0ffee`, namespace: at.namespace },
    involvedObject,
    type: 'Normal',
    reason: 'NotTriggerScaleUp',
    message,
    source: { component: 'cluster-autoscaler' },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
  const answer = await at.call(`POST ${corePath(at, 'events')}`, { body });
  assert.equal(answer.status, 201, answer.text);
}

/** Words of the scheduler (kubernetes 1.35, pkg/scheduler/framework/plugins), by what it lacks. */
const causes: Readonly<Record<string, { readonly message: string; readonly wantWhy: RegExp }>> = {
  'resources are short': {
    message: '0/3 nodes are available: 3 Insufficient memory. preemption: no victims found.',
    wantWhy: /\(Unschedulable\): 0\/3 nodes are available: 3 Insufficient memory/u,
  },
  'a taint keeps it off': {
    message: '0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: gpu}.',
    wantWhy: /untolerated taint \{dedicated: gpu\}/u,
  },
  'no node matches its affinity': {
    message: "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    wantWhy: /node affinity\/selector/u,
  },
  'its volume is not bound': {
    message: '0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.',
    wantWhy: /unbound immediate PersistentVolumeClaims/u,
  },
};

const waits = 'heartbeat waiting-to-start';
const givenUp = ['fail-run pending-for-too-long', 'delete-job pending-for-too-long'];

/** Pods for which there is no node: they wait, and end with the last words of whoever looks for one. */
export const schedulingScenarios: Readonly<Record<string, Scenario>> = {
  ...Object.fromEntries(
    Object.entries(causes).map(([cause, { message, wantWhy }]): [string, Scenario] => [
      `nobody schedules the pod: ${cause}`,
      {
        acts: [
          { play: unscheduled(message), want: [waits], wantWhy },
          { after: 61, want: givenUp, wantWhy, wantState: 'Failed' },
        ],
      },
    ]),
  ),
  'nobody schedules the pod: the autoscaler adds no node': {
    acts: [
      {
        play: async (scene) => {
          await unscheduled('0/3 nodes are available: 3 Insufficient nvidia.com/gpu.')(scene);
          await refuseNode(scene, "pod didn't trigger scale-up: 1 max node group size reached");
        },
        want: [waits],
        wantWhy: /Insufficient nvidia\.com\/gpu\.; the autoscaler adds no node: pod didn't trigger scale-up/u,
      },
      { after: 61, want: givenUp, wantWhy: /max node group size reached/u, wantState: 'Failed' },
    ],
  },
};
