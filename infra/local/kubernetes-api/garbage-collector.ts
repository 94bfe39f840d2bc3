import { deleteStored, removeFinalizer } from './deletion.ts';
import { hasEnded, isDeleting, isTracked, ownerOf, releasePod } from './job-pods.ts';
import { isFinished } from './job-controller.ts';
import type { Job, KubeObject, Pod } from './objects.ts';
import { jobs, pods, secrets, type Resource } from './resources.ts';
import { readPod, writePod, type ClusterState } from './state.ts';

/** Dependents go with their owner, or are cut loose (kubernetes pkg/controller/garbagecollector, ttlafterfinished, podgc). */

const dependentResources: readonly Resource[] = [pods, secrets];

interface Dependent {
  readonly resource: Resource;
  readonly object: KubeObject;
}

/** By the uid of each owner; made once a step, because there may be thousands of both. */
function dependentsByOwner(state: ClusterState): Map<string, Dependent[]> {
  const byOwner = new Map<string, Dependent[]>();
  for (const resource of dependentResources) {
    for (const object of state.all(resource)) noteOwners(byOwner, { resource, object });
  }
  return byOwner;
}

function noteOwners(byOwner: Map<string, Dependent[]>, dependent: Dependent): void {
  for (const { uid } of dependent.object.metadata.ownerReferences ?? []) {
    const known = byOwner.get(uid);
    if (known === undefined) byOwner.set(uid, [dependent]);
    else known.push(dependent);
  }
}

function isThere(state: ClusterState, { resource, object: { metadata } }: Dependent): boolean {
  return state.read(resource, metadata.namespace ?? '', metadata.name)?.metadata.uid === metadata.uid;
}

function removeDependent(state: ClusterState, { resource, object }: Dependent, now: Date): void {
  if (object.metadata.deletionTimestamp !== undefined) return;
  deleteStored(state, { resource, object }, { options: { dryRun: false, propagationPolicy: 'Background' }, now });
}

function cutLoose(state: ClusterState, { resource, object }: Dependent, ownerUid: string): void {
  const { ownerReferences = [], ...rest } = object.metadata;
  const others = ownerReferences.filter(({ uid }) => uid !== ownerUid);
  const metadata = { ...rest, ...(others.length === 0 ? {} : { ownerReferences: others }) };
  state.write(resource, { ...object, metadata });
}

interface Deletion {
  readonly job: Job;
  readonly dependents: readonly Dependent[];
}

/** Foreground: the owner stays, marked, until the last dependent is gone. Orphan: until the last one is cut loose. */
function finishDeletion(state: ClusterState, { job, dependents }: Deletion, now: Date): void {
  const finalizers = job.metadata.finalizers ?? [];
  if (finalizers.includes('orphan')) {
    for (const dependent of dependents) cutLoose(state, dependent, job.metadata.uid);
    removeFinalizer(state, { resource: jobs, object: job }, 'orphan');
    return;
  }
  if (!finalizers.includes('foregroundDeletion')) return;
  for (const dependent of dependents) removeDependent(state, dependent, now);
  if (dependents.some((dependent) => isThere(state, dependent))) return;
  removeFinalizer(state, { resource: jobs, object: job }, 'foregroundDeletion');
}

/** Objects whose owner is gone go too, and nobody counts such a pod any more. */
function collectOrphans(state: ClusterState, now: Date): void {
  const owners = new Set([...state.all(jobs)].map(({ metadata }) => metadata.uid));
  const isOrphan = ({ metadata: { ownerReferences = [] } }: KubeObject): boolean =>
    ownerReferences.length > 0 && ownerReferences.every(({ kind, uid }) => kind === 'Job' && !owners.has(uid));
  const orphans = dependentResources.flatMap((resource) =>
    [...state.all(resource)].filter(isOrphan).map((object) => ({ resource, object })),
  );
  for (const orphan of orphans) removeDependent(state, orphan, now);
  const isCounted = (pod: Pod): boolean => owners.has(ownerOf(pod) ?? '');
  const forgotten = ([...state.all(pods)] as Pod[]).filter((pod) => isTracked(pod) && !isCounted(pod));
  for (const pod of forgotten) releasePod(state, pod);
}

/** A pod that was deleted before it had a node is ended by nobody else (podgc, within 20 s). */
function endUnscheduled(state: ClusterState): void {
  for (const pod of [...state.all(pods)] as Pod[]) {
    if (!isDeleting(pod) || hasEnded(pod) || pod.spec.nodeName !== undefined) continue;
    const current = readPod(state, { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name });
    if (current !== null) writePod(state, { ...current, status: { ...current.status, phase: 'Failed' } });
  }
}

function finishTime({ status }: Job): number {
  const end = status.conditions?.find(
    ({ type, status: value }) => ['Complete', 'Failed'].includes(type) && value === 'True',
  );
  return new Date(end?.lastTransitionTime ?? '').getTime();
}

/** Finished Jobs past their ttlSecondsAfterFinished are deleted, pods first. */
function expire(state: ClusterState, job: Job, now: Date): void {
  const { ttlSecondsAfterFinished } = job.spec;
  if (ttlSecondsAfterFinished === undefined || !isFinished(job) || job.metadata.deletionTimestamp !== undefined) return;
  if (now.getTime() < finishTime(job) + ttlSecondsAfterFinished * 1000) return;
  deleteStored(
    state,
    { resource: jobs, object: job },
    { options: { dryRun: false, propagationPolicy: 'Foreground' }, now },
  );
}

/** One step of everything that deletes. */
export function collectGarbage(state: ClusterState, now: Date): void {
  const byOwner = dependentsByOwner(state);
  for (const job of [...state.all(jobs)] as Job[]) {
    if (job.metadata.deletionTimestamp === undefined) expire(state, job, now);
    else finishDeletion(state, { job, dependents: byOwner.get(job.metadata.uid) ?? [] }, now);
  }
  collectOrphans(state, now);
  endUnscheduled(state);
}
