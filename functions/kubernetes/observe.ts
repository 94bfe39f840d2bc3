import type {
  ClusterEvent,
  ContainerSnapshot,
  JobName,
  JobPhase,
  JobSnapshot,
  PodCondition,
  PodSnapshot,
} from '../core/cluster.ts';
import type { FlowRunId } from '../core/flow-run.ts';
import { claimAnnotation, keyAnnotation, labelsAnnotation, runIdLabel, stackLabel } from '../core/job-identity.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';

const none: JsonObject = {};

const object = (parent: JsonObject, key: string): JsonObject => {
  const value = parent[key];
  return isJsonObject(value) ? value : none;
};
const objects = (parent: JsonObject, key: string): readonly JsonObject[] => {
  const value = parent[key];
  return Array.isArray(value) ? value.filter((item) => isJsonObject(item)) : [];
};
const maybeText = (parent: JsonObject, key: string): string | null => {
  const value = parent[key];
  return typeof value === 'string' ? value : null;
};
const text = (parent: JsonObject, key: string): string => maybeText(parent, key) ?? '';
/** One word by convention, and not by any rule of the API: it stands in sentences of ours, whose lines it must not end. */
const word = (parent: JsonObject, key: string): string => {
  const value = text(parent, key);
  return value === '' ? value : value.replaceAll(/\p{Cc}+/gu, ' ');
};
const maybeNumber = (parent: JsonObject, key: string): number | null => {
  const value = parent[key];
  return typeof value === 'number' ? value : null;
};
const count = (parent: JsonObject, key: string): number => maybeNumber(parent, key) ?? 0;
const time = (parent: JsonObject, key: string): Date | null => {
  const value = new Date(maybeText(parent, key) ?? Number.NaN);
  return Number.isNaN(value.getTime()) ? null : value;
};

interface Identity {
  readonly name: string;
  readonly uid: string;
  readonly createdAt: Date;
  readonly metadata: JsonObject;
}

/** Null for an object that cannot be told apart from others or placed in time. */
function identityOf(raw: JsonObject): Identity | null {
  const metadata = object(raw, 'metadata');
  const name = text(metadata, 'name');
  const uid = text(metadata, 'uid');
  const createdAt = time(metadata, 'creationTimestamp');
  return name === '' || uid === '' || createdAt === null ? null : { name, uid, createdAt, metadata };
}

const isDeleting = (metadata: JsonObject): boolean => maybeText(metadata, 'deletionTimestamp') !== null;

const uuid = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/u;
const runIdOf = (labels: JsonObject): FlowRunId | null => {
  const id = text(labels, runIdLabel);
  return uuid.test(id) ? (id as FlowRunId) : null;
};

function listOf(json: string): readonly string[] {
  // Most Jobs of others have none, and an error for each of them would cost more than all else about it.
  if (json === '') return [];
  try {
    const parsed: unknown = JSON.parse(json);
    return Array.isArray(parsed) && parsed.every((item) => typeof item === 'string') ? parsed : [];
  } catch {
    // Somebody edited the annotation: then the run counts against no cap.
    return [];
  }
}

interface JobState {
  readonly phase: JobPhase;
  readonly announced: string | null;
  readonly condition: JsonObject;
}

/** Since kubernetes 1.31 the terminal condition follows only after all pods have ended. */
const announcements: ReadonlySet<string> = new Set(['FailureTarget', 'SuccessCriteriaMet']);

/** Only the terminal conditions end a Job; `FailureTarget` and `SuccessCriteriaMet` announce one, counters say nothing. */
function jobStateOf(raw: JsonObject): JobState {
  const isTrue = objects(object(raw, 'status'), 'conditions').filter((each) => text(each, 'status') === 'True');
  const complete = isTrue.find((each) => text(each, 'type') === 'Complete');
  if (complete !== undefined) return { phase: 'complete', announced: null, condition: complete };
  const failed = isTrue.find((each) => text(each, 'type') === 'Failed');
  if (failed !== undefined) return { phase: 'failed', announced: null, condition: failed };
  const announced = isTrue.map((each) => text(each, 'type')).find((type) => announcements.has(type)) ?? null;
  const suspended =
    object(raw, 'spec')['suspend'] === true || isTrue.some((each) => text(each, 'type') === 'Suspended');
  return { phase: suspended ? 'suspended' : 'active', announced, condition: none };
}

const podCounters = ['active', 'ready', 'failed', 'succeeded', 'terminating'] as const;
const uncountedLists = ['succeeded', 'failed'] as const;
const lengthOf = (list: unknown): number => (Array.isArray(list) ? list.length : 0);

/** The counters lag behind each other, so whether there ever was a pod takes all of them. */
function podsEverOf(status: JsonObject): number {
  const uncounted = object(status, 'uncountedTerminatedPods');
  let sum = 0;
  for (const key of podCounters) sum += count(status, key);
  for (const key of uncountedLists) sum += lengthOf(uncounted[key]);
  return sum;
}

/** A Job as the API server describes it, or null when it has no name, UID or age. */
export function observeJob(raw: JsonObject): JobSnapshot | null {
  const identity = identityOf(raw);
  if (identity === null) return null;
  const { name, uid, createdAt, metadata } = identity;
  const labels = object(metadata, 'labels');
  const annotations = object(metadata, 'annotations');
  const { phase, announced, condition } = jobStateOf(raw);
  const status = object(raw, 'status');
  return {
    name: name as JobName,
    uid,
    createdAt,
    deleting: isDeleting(metadata),
    phase,
    announced,
    reason: word(condition, 'reason'),
    message: text(condition, 'message'),
    finishedAt: time(condition, 'lastTransitionTime'),
    runId: runIdOf(labels),
    stackId: maybeText(labels, stackLabel),
    key: maybeText(annotations, keyAnnotation),
    claimId: maybeText(annotations, claimAnnotation),
    runLabels: listOf(text(annotations, labelsAnnotation)),
    podsEver: podsEverOf(status),
    activePods: count(status, 'active'),
    failedPods: count(status, 'failed'),
  };
}

type Role = ContainerSnapshot['role'];

interface Declared {
  readonly role: Role;
  readonly memoryLimit: string | null;
}

const memoryLimitOf = (container: JsonObject): string | null =>
  maybeText(object(object(container, 'resources'), 'limits'), 'memory');

/** What the spec says of each container: the flow's is the first one, whatever a template calls it. */
function declaredContainers(spec: JsonObject): ReadonlyMap<string, Declared> {
  const init = objects(spec, 'initContainers').map((container): [string, Declared] => {
    const role = container['restartPolicy'] === 'Always' ? 'sidecar' : 'init';
    return [text(container, 'name'), { role, memoryLimit: memoryLimitOf(container) }];
  });
  const main = objects(spec, 'containers').map((container, index): [string, Declared] => {
    return [text(container, 'name'), { role: index === 0 ? 'main' : 'other', memoryLimit: memoryLimitOf(container) }];
  });
  return new Map([...init, ...main]);
}

const states = ['terminated', 'running', 'waiting'] as const;

function containerOf(name: string, declared: Declared, status: JsonObject): ContainerSnapshot {
  const holder = object(status, 'state');
  const state = states.find((each) => isJsonObject(holder[each])) ?? 'unknown';
  const detail = object(holder, state);
  return {
    name,
    role: declared.role,
    state,
    reason: word(detail, 'reason'),
    message: text(detail, 'message'),
    exitCode: maybeNumber(detail, 'exitCode'),
    signal: maybeNumber(detail, 'signal'),
    startedAt: time(detail, 'startedAt'),
    finishedAt: time(detail, 'finishedAt'),
    restarts: count(status, 'restartCount'),
    memoryLimit: declared.memoryLimit,
  };
}

/** In the order of the spec; the kubelet lists its statuses by name, or not at all. */
function containersOf(raw: JsonObject): readonly ContainerSnapshot[] {
  const status = object(raw, 'status');
  const reported = [...objects(status, 'initContainerStatuses'), ...objects(status, 'containerStatuses')];
  const byName = new Map(reported.map((each) => [text(each, 'name'), each]));
  const declared = declaredContainers(object(raw, 'spec'));
  return [...declared].map(([name, each]) => containerOf(name, each, byName.get(name) ?? none));
}

const conditionOf = (raw: JsonObject): PodCondition => ({
  type: text(raw, 'type'),
  status: text(raw, 'status'),
  reason: word(raw, 'reason'),
  message: text(raw, 'message'),
  since: time(raw, 'lastTransitionTime'),
});

/** The Job that controls a pod; the label is for pods of Jobs that lost their owner. */
function ownerOf(metadata: JsonObject): { readonly name: string | null; readonly uid: string | null } {
  const owner = objects(metadata, 'ownerReferences').find((each) => text(each, 'kind') === 'Job');
  const labels = object(metadata, 'labels');
  if (owner !== undefined) return { name: maybeText(owner, 'name'), uid: maybeText(owner, 'uid') };
  return {
    name: maybeText(labels, 'batch.kubernetes.io/job-name') ?? maybeText(labels, 'job-name'),
    uid: maybeText(labels, 'batch.kubernetes.io/controller-uid') ?? maybeText(labels, 'controller-uid'),
  };
}

/** A pod as the API server describes it, or null when it has no name, UID or age. */
export function observePod(raw: JsonObject): PodSnapshot | null {
  const identity = identityOf(raw);
  if (identity === null) return null;
  const { name, uid, createdAt, metadata } = identity;
  const status = object(raw, 'status');
  const owner = ownerOf(metadata);
  return {
    name,
    uid,
    jobName: owner.name as JobName | null,
    jobUid: owner.uid,
    runId: runIdOf(object(metadata, 'labels')),
    createdAt,
    deleting: isDeleting(metadata),
    phase: text(status, 'phase') === '' ? 'Unknown' : text(status, 'phase'),
    reason: word(status, 'reason'),
    message: text(status, 'message'),
    nodeName: maybeText(object(raw, 'spec'), 'nodeName'),
    containers: containersOf(raw),
    conditions: objects(status, 'conditions').map(conditionOf),
  };
}

/** An event, or null when it names no object. New-style events carry their times elsewhere than old ones. */
export function observeEvent(raw: JsonObject): ClusterEvent | null {
  const about = object(raw, 'involvedObject');
  const uid = text(object(raw, 'metadata'), 'uid');
  if (uid === '' || text(about, 'name') === '') return null;
  const series = object(raw, 'series');
  return {
    uid,
    objectKind: word(about, 'kind'),
    objectName: word(about, 'name'),
    objectUid: text(about, 'uid'),
    type: text(raw, 'type'),
    reason: word(raw, 'reason'),
    message: text(raw, 'message'),
    count: maybeNumber(series, 'count') ?? maybeNumber(raw, 'count') ?? 1,
    at:
      time(series, 'lastObservedTime') ??
      time(raw, 'lastTimestamp') ??
      time(raw, 'eventTime') ??
      time(raw, 'firstTimestamp'),
  };
}
