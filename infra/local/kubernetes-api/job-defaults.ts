import type { Container, Job, JobSpec, Metadata, PodSpec, PodTemplate } from './objects.ts';

/** Defaults of Jobs and pods, as kube-apiserver 1.35.4 returns them (kubernetes pkg/apis/batch/v1 and core/v1 defaults.go). */

/** As written by the client: any of the fields may be missing. */
export interface JobDraft {
  readonly metadata: Metadata;
  readonly spec?: Partial<JobSpec>;
}

/** Image with tag `latest`, or without one, is always pulled. */
function pullPolicyOf(image: string): string {
  const tag = /:([^/:@]+)$/u.exec(image)?.[1];
  const pinned = image.includes('@') || (tag !== undefined && tag !== 'latest');
  return pinned ? 'IfNotPresent' : 'Always';
}

function containerDefaults(container: Container): Container {
  return {
    ...container,
    resources: container.resources ?? {},
    ...withDefaults(container, {
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      imagePullPolicy: pullPolicyOf(container.image ?? ''),
    }),
  };
}

/** The defaults that the object does not set itself. */
function withDefaults(object: object, defaults: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(defaults).filter(([field]) => !Object.hasOwn(object, field)));
}

/** Defaults of a pod spec, in a template or not. */
export function podSpecDefaults(spec: PodSpec): PodSpec {
  return {
    ...spec,
    ...withDefaults(spec, {
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      schedulerName: 'default-scheduler',
      restartPolicy: 'Always',
    }),
    containers: (spec.containers ?? []).map(containerDefaults),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(containerDefaults) }),
    ...(spec.serviceAccountName === undefined ? {} : { serviceAccount: spec.serviceAccountName }),
  };
}

/** Labels that tie a Job's pods to it: the old names and the prefixed ones, both are written. */
function controllerLabels({ uid, name }: Metadata): Record<string, string> {
  return {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
}

const selectorLabel = 'batch.kubernetes.io/controller-uid';

function templateDefaults(template: PodTemplate | undefined, metadata: Metadata): PodTemplate {
  return {
    ...template,
    metadata: {
      ...template?.metadata,
      // Labels that the author set win here, and validation refuses them if they lie.
      labels: { ...controllerLabels(metadata), ...template?.metadata?.labels },
    },
    spec: podSpecDefaults(template?.spec ?? { containers: [] }),
  };
}

function jobSpecDefaults(spec: Partial<JobSpec>, metadata: Metadata): JobSpec {
  // A policy about failures must see them all: terminating pods count only once they have failed.
  const podReplacementPolicy = spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  return {
    parallelism: 1,
    // Without completions a Job with parallelism is a work queue: it ends with the first success.
    ...(spec.parallelism === undefined ? { completions: 1 } : {}),
    backoffLimit: 6,
    suspend: false,
    podReplacementPolicy,
    ...withDefaults(spec, { manualSelector: false, completionMode: 'NonIndexed' }),
    ...spec,
    selector: { matchLabels: { ...spec.selector?.matchLabels, [selectorLabel]: metadata.uid } },
    template: templateDefaults(spec.template, metadata),
  };
}

/** A Job as stored: selector, controller labels and every default filled in; labels come from the template if it has none. */
export function defaultedJob({ metadata, spec }: JobDraft): Job {
  const full = jobSpecDefaults(spec ?? {}, metadata);
  const labels = metadata.labels ?? full.template.metadata?.labels ?? {};
  return {
    kind: 'Job',
    apiVersion: 'batch/v1',
    metadata: { ...metadata, generation: 1, labels },
    spec: full,
    status: {},
  };
}
