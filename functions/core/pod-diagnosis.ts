import type { ClusterEvent, ContainerSnapshot, JobSnapshot, PodSnapshot } from './cluster.ts';
import { podRefusal } from './pod-refusals.ts';
import { waitingReason } from './waiting-reasons.ts';

/**
 * How far a Job has come, seen from its newest pod.
 *
 * - `podless`: no pod yet; `unscheduled`, `starting`: a pod that has not run;
 * - `blocked`: a container waits for a reason that may heal within a grace, or never will;
 * - `running`: the flow container runs;
 * - `lingering`: the flow container has ended, a sidecar keeps the pod up;
 * - `ended`: the pod is over.
 */
export type Progress = 'podless' | 'unscheduled' | 'starting' | 'blocked' | 'running' | 'lingering' | 'ended';

export interface Diagnosis {
  readonly progress: Progress;
  /** Stable category for messages, metrics and queries, e.g. `OOMKilled`, `ExitCode`, `ImagePull`, `Unschedulable`. */
  readonly category: string;
  /** One sentence for the state message and the run log. */
  readonly summary: string;
  /** Since when it has been so; the Job's creation when nothing better is known. */
  readonly since: Date;
  /** True when it can never start whatever time passes. */
  readonly hopeless: boolean;
  /** True when the infrastructure, not the flow, is the cause (protocol rule 15). */
  readonly infrastructure: boolean;
  /** Exit code of the flow container, once it has ended. */
  readonly exitCode: number | null;
  /** Container whose log says more, and whether the kubelet has started it again; null when nothing has run. */
  readonly log: { readonly pod: string; readonly container: string; readonly restarted: boolean } | null;
}

type Sight = Pick<Diagnosis, 'progress' | 'category' | 'summary' | 'since'> & Partial<Diagnosis>;

const diagnosis = (sight: Sight): Diagnosis => ({
  hopeless: false,
  infrastructure: false,
  exitCode: null,
  log: null,
  ...sight,
});

const newestFirst = (pods: readonly PodSnapshot[]): readonly PodSnapshot[] =>
  pods.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.uid < b.uid ? 1 : -1));

/** Containers that decide, the flow's first. A native sidecar (init container with restartPolicy Always) is none. */
const deciding = (pod: PodSnapshot): readonly ContainerSnapshot[] => [
  ...pod.containers.filter((container) => container.role === 'main'),
  ...pod.containers.filter((container) => container.role === 'init' || container.role === 'other'),
];

const flowContainer = (pod: PodSnapshot): ContainerSnapshot | undefined =>
  pod.containers.find((container) => container.role === 'main');

/** Words of others in a sentence of ours: one line, without control characters, not longer than a screen's line or two. */
const longest = 512;
const words = (text: string): string => {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
};
const because = (text: string): string => (words(text) === '' ? '' : `: ${words(text)}`);

const logOf = (pod: PodSnapshot, { name, restarts }: ContainerSnapshot): NonNullable<Diagnosis['log']> => ({
  pod: pod.name,
  container: name,
  restarted: restarts > 0,
});

const scheduledSince = (pod: PodSnapshot): Date =>
  pod.conditions.find((condition) => condition.type === 'PodScheduled')?.since ?? pod.createdAt;

function blockedSight(pod: PodSnapshot): Diagnosis | null {
  const container = deciding(pod).find(
    (candidate) => candidate.state === 'waiting' && waitingReason(candidate.reason).fate !== 'wait',
  );
  if (container === undefined) return null;
  const { fate, category } = waitingReason(container.reason);
  const what = container.role === 'init' ? 'init container' : 'container';
  return diagnosis({
    progress: 'blocked',
    category,
    summary: `${what} '${container.name}' of pod ${pod.name} cannot start (${container.reason})${because(container.message)}`,
    since: scheduledSince(pod),
    hopeless: fate === 'never',
    // Between two starts there is a log already, and it says why there has to be another.
    log: container.restarts > 0 ? logOf(pod, container) : null,
  });
}

/** The autoscaler's refusal says more than the scheduler's: no node of any size will come. */
function schedulersLastWords(pod: PodSnapshot, events: readonly ClusterEvent[]): string {
  const scheduled = pod.conditions.find((condition) => condition.type === 'PodScheduled');
  const refused = events.find((event) => event.objectUid === pod.uid && event.reason === 'NotTriggerScaleUp');
  return `${because(scheduled?.message ?? '')}${refused === undefined ? '' : `; the autoscaler adds no node${because(refused.message)}`}`;
}

function pendingSight(pod: PodSnapshot, events: readonly ClusterEvent[]): Diagnosis {
  const blocked = blockedSight(pod);
  if (blocked !== null) return blocked;
  const scheduled = pod.conditions.find((condition) => condition.type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    const summary = `pod ${pod.name} cannot be scheduled (${scheduled.reason})${schedulersLastWords(pod, events)}`;
    return diagnosis({ progress: 'unscheduled', category: 'Unschedulable', summary, since: scheduledSince(pod) });
  }
  return diagnosis({
    progress: 'starting',
    category: 'Starting',
    summary: `pod ${pod.name} is starting`,
    since: pod.createdAt,
  });
}

/** Pod reasons that speak of the node, not of the flow (kubernetes 1.35 pkg/kubelet: eviction, lifecycle, nodeshutdown). */
const lostToTheNode: ReadonlySet<string> = new Set([
  'Evicted',
  'Preempting',
  'NodeLost',
  'NodeShutdown',
  'Terminated',
  'Shutdown',
  'UnexpectedAdmissionError',
  'NodeAffinity',
  'OutOfcpu',
  'OutOfmemory',
  'OutOfpods',
]);

/** Reasons of the pod condition DisruptionTarget (kubernetes 1.35, pkg/apis/core/types.go), in an operator's words. */
const disruptions: ReadonlyMap<string, string> = new Map([
  ['PreemptionByScheduler', 'Preempted'],
  ['DeletionByTaintManager', 'NodeLost'],
  ['EvictionByEvictionAPI', 'Drained'],
  ['DeletionByPodGC', 'NodeLost'],
  ['TerminationByKubelet', 'Evicted'],
]);

function disruptionOf(pod: PodSnapshot): { category: string; reason: string; message: string } | null {
  const target = pod.conditions.find(
    (condition) => condition.type === 'DisruptionTarget' && condition.status === 'True',
  );
  if (target !== undefined)
    return { category: disruptions.get(target.reason) ?? 'Disrupted', reason: target.reason, message: target.message };
  return lostToTheNode.has(pod.reason)
    ? { category: pod.reason === 'Evicted' ? 'Evicted' : 'NodeLost', reason: pod.reason, message: pod.message }
    : null;
}

function exitOf(container: ContainerSnapshot, pod: PodSnapshot): { category: string; summary: string } {
  const where = `${container.role === 'init' ? 'init container' : 'container'} '${container.name}' of pod ${pod.name}`;
  if (container.reason === 'OOMKilled') {
    const limit = container.memoryLimit === null ? '' : `, limit ${container.memoryLimit}`;
    return { category: 'OOMKilled', summary: `${where} was killed for using too much memory (OOMKilled${limit})` };
  }
  if (container.signal !== null && container.signal > 0)
    return { category: 'Signal', summary: `${where} was ended by signal ${container.signal}` };
  const reason = container.reason === '' ? '' : ` (${container.reason})`;
  return {
    category: 'ExitCode',
    summary: `${where} exited with code ${container.exitCode}${reason}${because(container.message)}`,
  };
}

const failedContainer = (pod: PodSnapshot): ContainerSnapshot | undefined =>
  deciding(pod).find((container) => container.state === 'terminated' && container.exitCode !== 0);

function endedSight(pod: PodSnapshot): Diagnosis {
  const disruption = disruptionOf(pod);
  const failed = failedContainer(pod);
  const common = {
    progress: 'ended' as const,
    since: failed?.finishedAt ?? pod.createdAt,
    exitCode: flowContainer(pod)?.exitCode ?? null,
    log: failed === undefined ? null : logOf(pod, failed),
  };
  if (disruption !== null) {
    const summary = `pod ${pod.name} was lost to the infrastructure (${disruption.reason})${because(disruption.message)}`;
    return diagnosis({ ...common, category: disruption.category, summary, infrastructure: true });
  }
  if (failed !== undefined) return diagnosis({ ...common, ...exitOf(failed, pod) });
  return diagnosis({
    ...common,
    category: pod.phase,
    summary: `pod ${pod.name} is ${pod.phase}${because(pod.message)}`,
  });
}

function lingeringSight(pod: PodSnapshot, flow: ContainerSnapshot): Diagnosis {
  const how =
    flow.exitCode === 0 ? `container '${flow.name}' of pod ${pod.name} exited with code 0` : exitOf(flow, pod).summary;
  return diagnosis({
    progress: 'lingering',
    category: flow.exitCode === 0 ? 'SidecarHang' : exitOf(flow, pod).category,
    summary: `${how}, another container keeps the pod up`,
    since: flow.finishedAt ?? pod.createdAt,
    exitCode: flow.exitCode,
    log: logOf(pod, flow),
  });
}

const hasStarted = (container: ContainerSnapshot): boolean =>
  container.state === 'running' || container.startedAt !== null;

function podSight(pod: PodSnapshot, events: readonly ClusterEvent[]): Diagnosis {
  if (pod.phase === 'Failed' || pod.phase === 'Succeeded') return endedSight(pod);
  const flow = flowContainer(pod);
  if (flow?.state === 'terminated') return lingeringSight(pod, flow);
  if (flow !== undefined && hasStarted(flow)) {
    const away = pod.phase === 'Unknown' ? '; its node does not answer' : '';
    return diagnosis({
      progress: 'running',
      category: 'Running',
      summary: `pod ${pod.name} is running${away}`,
      since: pod.createdAt,
    });
  }
  return pendingSight(pod, events);
}

/** Succeeded pods are not listed, and a Job says a moment later only that its pod is over. */
function passedSight(job: JobSnapshot): Diagnosis {
  const summary = `the pod of Job ${job.name} is over, and the Job does not say so yet`;
  return diagnosis({ progress: 'ended', category: 'Ended', summary, since: job.createdAt });
}

function podlessSight(job: JobSnapshot, events: readonly ClusterEvent[]): Diagnosis {
  if (job.activePods > 0) return passedSight(job);
  const { category, permanent, message } = podRefusal(job, events);
  const summary =
    category === 'Podless'
      ? `Job ${job.name} has no pod yet`
      : `Job ${job.name} cannot make its pod (${category})${because(message)}`;
  return diagnosis({ progress: 'podless', category, summary, since: job.createdAt, hopeless: permanent });
}

/** Reasons of a Job's Failed condition that say all there is to say (kubernetes 1.35, staging/src/k8s.io/api/batch/v1/types.go). */
const jobReasons: ReadonlyMap<string, string> = new Map([
  ['DeadlineExceeded', 'it ran longer than its activeDeadlineSeconds'],
  ['PodFailurePolicy', 'its podFailurePolicy ended it'],
]);

/**
 * A pod that ends by itself stays, Failed. One that was asked to go (drain, preemption, a lost node) takes what it knew
 * along as soon as the Job controller has counted it (kubernetes 1.35, pkg/controller/job/job_controller.go).
 */
const hasDeletedPod = (job: JobSnapshot, pods: readonly PodSnapshot[]): boolean =>
  pods.length === 0 && job.failedPods > 0 && job.reason === 'BackoffLimitExceeded';

function deletedPodSight(job: JobSnapshot): Diagnosis {
  return diagnosis({
    progress: 'ended',
    category: 'PodDeleted',
    summary: `the pod of Job ${job.name} was deleted before it ended by itself: its node was drained or lost, it was preempted, or somebody deleted it`,
    since: job.finishedAt ?? job.createdAt,
    infrastructure: true,
  });
}

/** A failed Job none of whose pods tells why: the pods vanished with their node, or there never was one. */
function vanishedSight(job: JobSnapshot, pods: readonly PodSnapshot[]): Diagnosis {
  if (hasDeletedPod(job, pods)) return deletedPodSight(job);
  const reason = job.reason === '' ? 'JobFailed' : job.reason;
  const summary = `Job ${job.name} failed (${reason})${because(job.message)}`;
  return diagnosis({ progress: 'ended', category: reason, summary, since: job.finishedAt ?? job.createdAt });
}

function failedJobSight(job: JobSnapshot, pods: readonly PodSnapshot[]): Diagnosis {
  const tells = (pod: PodSnapshot): boolean => failedContainer(pod) !== undefined || disruptionOf(pod) !== null;
  const pod = newestFirst(pods).find(tells);
  const sight = pod === undefined ? vanishedSight(job, pods) : endedSight(pod);
  const why = jobReasons.get(job.reason);
  if (why === undefined) return sight;
  const said = pod === undefined ? '' : because(sight.summary);
  return { ...sight, category: job.reason, summary: `Job ${job.name} failed, ${why}${said}` };
}

/** What the cluster says about one Job, from its pods and the warnings about it. Pure. */
export function diagnose(job: JobSnapshot, pods: readonly PodSnapshot[], events: readonly ClusterEvent[]): Diagnosis {
  if (job.phase === 'failed') return failedJobSight(job, pods);
  const newest = newestFirst(pods)[0];
  return newest === undefined ? podlessSight(job, events) : podSight(newest, events);
}
