import { admitAndStore, generatedName } from './create.ts';
import { deleteStored, removeFinalizer } from './deletion.ts';
import { addEvent } from './events.ts';
import { hasCondition, type Job, type JsonObject, type Metadata, type Pod } from './objects.ts';
import { pods } from './resources.ts';
import { readPod, type ClusterState } from './state.ts';
import { StatusError } from './status.ts';

/** Holds a pod in the store until its Job has counted it. */
const trackingFinalizer = 'batch.kubernetes.io/job-tracking';

export const jobController = 'job-controller';

export const isTracked = ({ metadata }: Pod): boolean => metadata.finalizers?.includes(trackingFinalizer) ?? false;
export const hasEnded = ({ status }: Pod): boolean => status.phase === 'Succeeded' || status.phase === 'Failed';
export const isDeleting = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;
export const isActive = (pod: Pod): boolean => !hasEnded(pod) && !isDeleting(pod);
export const isTerminating = (pod: Pod): boolean => !hasEnded(pod) && isDeleting(pod);
export const isReady = ({ status }: Pod): boolean => hasCondition(status.conditions, 'Ready');

/** Uid of the controller that a pod belongs to. */
export const ownerOf = ({ metadata }: Pod): string | null =>
  metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid ?? null;

export const releasePod = (state: ClusterState, pod: Pod): void =>
  removeFinalizer(state, { resource: pods, object: pod }, trackingFinalizer);

const firstWaitMs = 1_000;
const longestWaitMs = 60_000;

function podMetadata(state: ClusterState, { metadata, spec }: Job): Partial<Metadata> {
  const base = `${metadata.name}-`;
  const { labels, annotations } = spec.template.metadata ?? {};
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: metadata.name, uid: metadata.uid };
  return {
    name: generatedName(state, base),
    generateName: base,
    namespace: metadata.namespace ?? '',
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
    finalizers: [trackingFinalizer],
  };
}

/**
 * Creates one pod of a Job. A refusal (quota, PodSecurity, no such service account) becomes the event `FailedCreate`
 * on the Job, and the next attempt waits 1 s, 2 s and so on, a minute at most.
 */
export function createPod(state: ClusterState, job: Job, now: Date): boolean {
  const { uid } = job.metadata;
  const raw = { spec: job.spec.template.spec as object as JsonObject };
  try {
    const { object } = admitAndStore(state, pods, { raw, metadata: podMetadata(state, job), dryRun: false, now });
    const message = `Created pod: ${object.metadata.name}`;
    addEvent(state, { about: job, type: 'Normal', reason: 'SuccessfulCreate', message, source: jobController }, now);
    state.createBackOff.delete(uid);
    return true;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const refusals = (state.createBackOff.get(uid)?.refusals ?? 0) + 1;
    const waitMs = Math.min(firstWaitMs * 2 ** (refusals - 1), longestWaitMs);
    state.createBackOff.set(uid, { refusals, notBefore: new Date(now.getTime() + waitMs) });
    const message = `Error creating: ${error.message}`;
    addEvent(state, { about: job, type: 'Warning', reason: 'FailedCreate', message, source: jobController }, now);
    return false;
  }
}

/** False while the controller still waits after a refusal. */
export const mayCreatePods = (state: ClusterState, { metadata }: Job, now: Date): boolean =>
  (state.createBackOff.get(metadata.uid)?.notBefore ?? now) <= now;

/** Deletes a pod on behalf of its Job, which does not count it again. */
export function deletePod(state: ClusterState, { job, pod }: { job: Job; pod: Pod }, now: Date): void {
  if (isTracked(pod)) releasePod(state, pod);
  const { namespace = '', name } = pod.metadata;
  const object = readPod(state, { namespace, name }) ?? pod;
  deleteStored(state, { resource: pods, object }, { options: { dryRun: false }, now });
  const message = `Deleted pod: ${pod.metadata.name}`;
  addEvent(state, { about: job, type: 'Normal', reason: 'SuccessfulDelete', message, source: jobController }, now);
}
