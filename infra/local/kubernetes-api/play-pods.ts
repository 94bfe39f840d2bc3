import { hasEnded, isDeleting } from './job-pods.ts';
import { endPod, playMoment } from './moments.ts';
import type { Pod } from './objects.ts';
import { confirmPodGone, mustEnd, refOf } from './pod-player.ts';
import { pods } from './resources.ts';
import { podScripts, type ContainerEnd, type PodScript, type PodScriptName } from './scripts.ts';
import { readPod, type ClusterState } from './state.ts';

/** What the pods are to do, and who is to be told. */
export interface PodDirections {
  /** Asked for every pod at every play; what it said of the past ought to stay. */
  readonly scriptFor: (pod: Pod) => PodScriptName | PodScript;
  /**
   * The program in the flow container. `start` when its container starts, `step` at every play while it runs, `stop`
   * when it is asked to end (SIGTERM; its answer is not waited for). Answers how it has ended, or null while it works.
   */
  readonly process?: (pod: Pod, signal: 'start' | 'step' | 'stop', at: Date) => ContainerEnd | null;
}

/**
 * Scheduler, kubelets and node controller up to `now`: every step of a pod's script that has become due happens at its
 * own time, in order. Pods that were deleted end, unless their node is lost. Controllers are stepped apart.
 */
export function playPods(state: ClusterState, directions: PodDirections, now: Date): void {
  for (const pod of [...state.all(pods)] as Pod[]) playPod(state, { pod, directions }, now);
}

interface Part {
  readonly pod: Pod;
  readonly directions: PodDirections;
}

const current = (state: ClusterState, pod: Pod): Pod | null => {
  const found = readPod(state, refOf(pod));
  return found?.metadata.uid === pod.metadata.uid ? found : null;
};

function playPod(state: ClusterState, { pod, directions }: Part, now: Date): void {
  if (mustEnd(state, pod)) {
    obeyDeletion(state, { pod, directions }, now);
    return;
  }
  playSteps(state, { pod, directions }, now);
  const after = current(state, pod);
  if (after === null || !isRunning(state, after)) return;
  const end = directions.process?.(after, 'step', now) ?? null;
  if (end !== null) playMoment({ state, pod: after, at: now }, { kind: 'exited', ...end });
}

function obeyDeletion(state: ClusterState, { pod, directions }: Part, now: Date): void {
  if (hasEnded(pod)) {
    confirmPodGone(state, refOf(pod), now);
    return;
  }
  if (pod.status.phase === 'Running') directions.process?.(pod, 'stop', now);
  // 143: ended by SIGTERM.
  endPod({ state, pod, at: now }, { exitCode: 143 });
}

const isRunning = (state: ClusterState, pod: Pod): boolean =>
  pod.status.phase === 'Running' && !isDeleting(pod) && !state.lostNodes.has(pod.spec.nodeName ?? '');

const scriptOf = (wanted: PodScriptName | PodScript): PodScript =>
  typeof wanted === 'string' ? podScripts[wanted] : wanted;

function playSteps(state: ClusterState, { pod, directions }: Part, now: Date): void {
  const script = scriptOf(directions.scriptFor(pod));
  const created = new Date(pod.metadata.creationTimestamp).getTime();
  const done = state.scriptSteps.get(pod.metadata.uid) ?? 0;
  for (const [index, { afterSeconds, moment }] of script.entries()) {
    const at = new Date(created + afterSeconds * 1000);
    const live = current(state, pod);
    if (at > now || live === null || hasEnded(live)) return;
    if (index < done) continue;
    state.scriptSteps.set(pod.metadata.uid, index + 1);
    playMoment({ state, pod: live, at }, moment);
    if (moment.kind === 'started') startProcess(state, { pod: live, directions }, at);
  }
}

function startProcess(state: ClusterState, { pod, directions }: Part, at: Date): void {
  const live = current(state, pod);
  const end = live === null ? null : (directions.process?.(live, 'start', at) ?? null);
  if (live !== null && end !== null) playMoment({ state, pod: live, at }, { kind: 'exited', ...end });
}
