import type { ClusterEvent, ContainerSnapshot, JobSnapshot, PodSnapshot } from './cluster.ts';

/** What a kubelet waiting reason means for the run: it can never start, it may heal within a grace, or it just waits. */
type Fate = 'never' | 'grace' | 'wait';

/**
 * Waiting reasons of a container, as kubernetes 1.35 writes them (pkg/kubelet/images/types.go,
 * pkg/kubelet/container/sync_result.go, pkg/kubelet/kuberuntime/kuberuntime_container.go).
 */
const waitingReasons: Readonly<Record<string, Fate>> = {
  InvalidImageName: 'never',
  ErrImagePull: 'grace',
  ImagePullBackOff: 'grace',
  ErrImageNeverPull: 'grace',
  ImageInspectError: 'grace',
  RegistryUnavailable: 'grace',
  SignatureValidationFailed: 'grace',
  CreateContainerConfigError: 'grace',
  CreateContainerError: 'grace',
  RunContainerError: 'grace',
  CrashLoopBackOff: 'grace',
  PreCreateHookError: 'grace',
  PreStartHookError: 'grace',
  PostStartHookError: 'grace',
  ContainerCreating: 'wait',
  PodInitializing: 'wait',
};

/**
 * How far a Job has come, seen from its newest pod.
 *
 * - `podless`: no pod yet; `unscheduled`, `starting`: a pod that has not run;
 * - `blocked`: a container waits for a reason that may heal within the image grace, or never will;
 * - `running`: the flow container runs or has run;
 * - `ended`: the pod is over.
 */
export type Progress = 'podless' | 'unscheduled' | 'starting' | 'blocked' | 'running' | 'ended';

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
  /** Pod and container whose log says more; null when nothing has run. */
  readonly log: { readonly pod: string; readonly container: string } | null;
}

type Sight = Omit<Diagnosis, 'hopeless' | 'infrastructure' | 'log'> & Partial<Diagnosis>;

const diagnosis = (sight: Sight): Diagnosis => ({ hopeless: false, infrastructure: false, log: null, ...sight });

const newestFirst = (pods: readonly PodSnapshot[]): readonly PodSnapshot[] =>
  pods.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.uid < b.uid ? 1 : -1));

/** Containers that decide: the flow's first, then init containers; a native sidecar is neither. */
const deciding = (pod: PodSnapshot): readonly ContainerSnapshot[] => [
  ...pod.containers.filter((container) => container.role === 'main'),
  ...pod.containers.filter((container) => container.role === 'init' || container.role === 'other'),
];

const sentence = (text: string): string => (text === '' ? '' : `: ${text.replaceAll(/\s+/gu, ' ').trim()}`);

function blockedBy(pod: PodSnapshot): { container: ContainerSnapshot; fate: Fate } | null {
  for (const container of deciding(pod)) {
    const fate = container.state === 'waiting' ? waitingReasons[container.reason] : undefined;
    if (fate === 'never' || fate === 'grace') return { container, fate };
  }
  return null;
}

const imageReasons = /Image|Registry|Signature/u;

function blockedSight(pod: PodSnapshot, { container, fate }: { container: ContainerSnapshot; fate: Fate }): Diagnosis {
  return diagnosis({
    progress: 'blocked',
    category: imageReasons.test(container.reason) ? 'ImagePull' : 'ContainerStart',
    summary: `container '${container.name}' of pod ${pod.name} cannot start (${container.reason})${sentence(container.message)}`,
    since: pod.conditions.find((condition) => condition.type === 'PodScheduled')?.since ?? pod.createdAt,
    hopeless: fate === 'never',
  });
}

function pendingSight(pod: PodSnapshot): Diagnosis {
  const blocked = blockedBy(pod);
  if (blocked !== null) return blockedSight(pod, blocked);
  const scheduled = pod.conditions.find((condition) => condition.type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    const summary = `pod ${pod.name} cannot be scheduled (${scheduled.reason})${sentence(scheduled.message)}`;
    return diagnosis({
      progress: 'unscheduled',
      category: 'Unschedulable',
      summary,
      since: scheduled.since ?? pod.createdAt,
    });
  }
  return diagnosis({
    progress: 'starting',
    category: 'Starting',
    summary: `pod ${pod.name} is starting`,
    since: pod.createdAt,
  });
}

/** Reasons of the DisruptionTarget condition and of whole pods that speak of the node, not of the flow. */
const lostToInfrastructure: ReadonlySet<string> = new Set([
  'Evicted',
  'Preempted',
  'Preempting',
  'NodeLost',
  'NodeShutdown',
  'Terminated',
  'UnexpectedAdmissionError',
  'NodeAffinity',
  'OutOfcpu',
  'OutOfmemory',
  'OutOfpods',
]);

function disruption(pod: PodSnapshot): { reason: string; message: string } | null {
  const target = pod.conditions.find(
    (condition) => condition.type === 'DisruptionTarget' && condition.status === 'True',
  );
  if (target !== undefined) return target;
  return lostToInfrastructure.has(pod.reason) ? pod : null;
}

function exitSummary(container: ContainerSnapshot, pod: PodSnapshot): { category: string; summary: string } {
  const where = `container '${container.name}' of pod ${pod.name}`;
  if (container.reason === 'OOMKilled') {
    const limit = container.memoryLimit === null ? '' : `, limit ${container.memoryLimit}`;
    return { category: 'OOMKilled', summary: `${where} was killed for using too much memory (OOMKilled${limit})` };
  }
  if (container.signal !== null && container.signal > 0) {
    return { category: 'Signal', summary: `${where} was ended by signal ${container.signal}` };
  }
  const reason = container.reason === '' ? '' : ` (${container.reason})`;
  return {
    category: 'ExitCode',
    summary: `${where} exited with code ${container.exitCode}${reason}${sentence(container.message)}`,
  };
}

const failedContainer = (pod: PodSnapshot): ContainerSnapshot | undefined =>
  deciding(pod).find((container) => container.state === 'terminated' && container.exitCode !== 0);

function endedSight(pod: PodSnapshot): Diagnosis {
  const disrupted = disruption(pod);
  const failed = failedContainer(pod);
  const since = failed?.finishedAt ?? pod.createdAt;
  const log = failed === undefined ? null : { pod: pod.name, container: failed.name };
  if (disrupted !== null) {
    const summary = `pod ${pod.name} was lost (${disrupted.reason})${sentence(disrupted.message)}`;
    return diagnosis({ progress: 'ended', category: disrupted.reason, summary, since, infrastructure: true, log });
  }
  if (failed !== undefined) return diagnosis({ progress: 'ended', ...exitSummary(failed, pod), since, log });
  const summary = `pod ${pod.name} is ${pod.phase}${sentence(pod.message)}`;
  return diagnosis({ progress: 'ended', category: pod.phase, summary, since });
}

const hasRun = (pod: PodSnapshot): boolean =>
  pod.containers.some(
    (container) => container.role === 'main' && (container.state === 'running' || container.startedAt !== null),
  );

function podSight(pod: PodSnapshot): Diagnosis {
  if (pod.phase === 'Failed' || pod.phase === 'Succeeded') return endedSight(pod);
  if (hasRun(pod)) {
    return diagnosis({
      progress: 'running',
      category: 'Running',
      summary: `pod ${pod.name} is running`,
      since: pod.createdAt,
    });
  }
  return pendingSight(pod);
}

/** The last word of the Job controller about why a Job has no pod: quota, missing service account, admission. */
function podlessSight(job: JobSnapshot, events: readonly ClusterEvent[]): Diagnosis {
  const last = events
    .filter((event) => event.objectUid === job.uid && event.reason === 'FailedCreate')
    .toSorted((a, b) => (b.at?.getTime() ?? 0) - (a.at?.getTime() ?? 0))[0];
  const summary =
    last === undefined
      ? `Job ${job.name} has no pod yet`
      : `Job ${job.name} cannot make its pod${sentence(last.message)}`;
  return diagnosis({
    progress: 'podless',
    category: last === undefined ? 'Podless' : 'PodRefused',
    summary,
    since: job.createdAt,
  });
}

function failedJobSight(job: JobSnapshot, pods: readonly PodSnapshot[]): Diagnosis {
  const pod = newestFirst(pods).find(
    (candidate) => failedContainer(candidate) !== undefined || disruption(candidate) !== null,
  );
  if (job.reason === 'DeadlineExceeded') {
    const summary = `Job ${job.name} ran longer than its activeDeadlineSeconds`;
    return diagnosis({
      progress: 'ended',
      category: 'DeadlineExceeded',
      summary,
      since: job.finishedAt ?? job.createdAt,
    });
  }
  if (pod !== undefined) return endedSight(pod);
  const summary = `Job ${job.name} failed (${job.reason})${sentence(job.message)}`;
  return diagnosis({
    progress: 'ended',
    category: job.reason === '' ? 'JobFailed' : job.reason,
    summary,
    since: job.finishedAt ?? job.createdAt,
  });
}

/** What the cluster says about one Job, from its pods and the warnings about it. Pure. */
export function diagnose(job: JobSnapshot, pods: readonly PodSnapshot[], events: readonly ClusterEvent[]): Diagnosis {
  if (job.phase === 'failed') return failedJobSight(job, pods);
  const newest = newestFirst(pods)[0];
  return newest === undefined ? podlessSight(job, events) : podSight(newest);
}
