import assert from 'node:assert/strict';

import {
  bindToNode,
  corePath,
  objectAt,
  writePodStatus,
  type ContractCluster,
} from '../contract/kubernetes.cluster.ts';

/** RFC 3339 with seconds, as everything in Kubernetes but leases and new-style events has its times. */
export const seconds = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

/** The status of one container as a kubelet reports it. */
export const containerStatus = (state: object, name = 'flow'): object => ({
  name,
  image: 'flows:1.0',
  imageID: '',
  ready: false,
  restartCount: 0,
  state,
});

/** The state of a container that has ended. */
export function terminated(cluster: ContractCluster, exitCode: number, more: object = {}): object {
  const now = seconds(cluster.now());
  const reason = exitCode === 0 ? 'Completed' : 'Error';
  return { terminated: { exitCode, reason, startedAt: now, finishedAt: now, ...more } };
}

export const runningSince = (cluster: ContractCluster): object => ({ running: { startedAt: seconds(cluster.now()) } });

/** The status of a running pod, its flow container first. */
export const runningStatus = (cluster: ContractCluster, ...names: readonly string[]): object => ({
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True' }],
  containerStatuses: ['flow', ...names].map((name) => containerStatus(runningSince(cluster), name)),
});

/** The status of a pod whose container waits for this reason. */
export const waitingStatus = (reason: string, message = `because of ${reason}`): object => ({
  phase: 'Pending',
  containerStatuses: [containerStatus({ waiting: { reason, message } })],
});

/** The status of a pod that is over, with what its flow container left behind. */
export const overStatus = (cluster: ContractCluster, exitCode: number, more: object = {}): object => ({
  phase: exitCode === 0 ? 'Succeeded' : 'Failed',
  containerStatuses: [containerStatus(terminated(cluster, exitCode, more))],
});

/** What a scheduler and a kubelet do: the pod has a node, and its containers run. */
export async function startPod(cluster: ContractCluster, pod: string, ...names: readonly string[]): Promise<void> {
  await bindToNode(cluster, pod);
  await writePodStatus(cluster, pod, runningStatus(cluster, ...names));
}

/** What a kubelet does when a pod that was deleted has ended: the object may go. */
export async function releasePod(cluster: ContractCluster, pod: string): Promise<void> {
  const path = corePath(cluster, `pods/${pod}`);
  await cluster.call(`DELETE ${path}`, { body: { gracePeriodSeconds: 0 } });
}

/** What a drain, a preemption or a lost node do: the pod is asked to end, and a condition says why. */
export async function disruptPod(cluster: ContractCluster, pod: string, reason: string): Promise<void> {
  const path = corePath(cluster, `pods/${pod}`);
  const { status } = (await cluster.call(`GET ${path}`)).body;
  const target = { type: 'DisruptionTarget', status: 'True', reason, message: `because of ${reason}` };
  await writePodStatus(cluster, pod, { ...objectAt({ status }, 'status'), conditions: [target] });
  const answer = await cluster.call(`DELETE ${path}`);
  assert.equal(answer.status, 200, answer.text);
}
