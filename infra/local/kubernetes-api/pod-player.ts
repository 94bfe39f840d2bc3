import { deleteStored } from './deletion.ts';
import { isDeleting } from './job-pods.ts';
import type { Pod, PodStatus } from './objects.ts';
import { pods } from './resources.ts';
import { readPod, writePod, type ClusterState } from './state.ts';

/** What a kubelet can do to a pod; scheduler, kubelet and node controller of the local cluster are made of these. */

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

export const refOf = ({ metadata }: Pod): PodRef => ({ namespace: metadata.namespace ?? '', name: metadata.name });

/** The pod, or an Error: whoever plays pods plays those that are there. */
export function requirePod(state: ClusterState, ref: PodRef): Pod {
  const pod = readPod(state, ref);
  if (pod === null) throw new Error(`no pod ${ref.namespace}/${ref.name}`);
  return pod;
}

/** Merges fields into a pod's status, as a kubelet's patch does; a list replaces the list that was there. */
export function setPodStatus(state: ClusterState, ref: PodRef, status: Partial<PodStatus>): Pod {
  const pod = requirePod(state, ref);
  return writePod(state, { ...pod, status: { ...pod.status, ...status } });
}

/** Puts the pod on a node, as the scheduler does. */
export function bindPod(state: ClusterState, ref: PodRef, nodeName: string): Pod {
  const pod = requirePod(state, ref);
  return writePod(state, { ...pod, spec: { ...pod.spec, nodeName } });
}

/** The whole log of one container, as text; the first container's without a name. */
export function setPodLog(
  state: ClusterState,
  ref: PodRef,
  log: { readonly container?: string; readonly text: string },
): void {
  const { metadata, spec } = requirePod(state, ref);
  const container = log.container ?? spec.containers[0]?.name ?? '';
  state.logs.set(`${metadata.uid}/${container}`, log.text);
}

/** Asks for the pod's end, as the scheduler, an eviction or an operator does: a kubelet then has its grace to obey. */
export function askPodToEnd(state: ClusterState, ref: PodRef, now: Date): void {
  const object = requirePod(state, ref);
  deleteStored(state, { resource: pods, object }, { options: { dryRun: false }, now });
}

/** The kubelet says that nothing of the pod runs any more: its object goes, or waits for its Job to count it. */
export function confirmPodGone(state: ClusterState, ref: PodRef, now: Date): void {
  const object = readPod(state, ref);
  if (object === null) return;
  deleteStored(state, { resource: pods, object }, { options: { dryRun: false, gracePeriodSeconds: 0 }, now });
}

/** Deleted, and its kubelet is there to obey. */
export const mustEnd = (state: ClusterState, pod: Pod): boolean =>
  isDeleting(pod) && pod.spec.nodeName !== undefined && !state.lostNodes.has(pod.spec.nodeName);
