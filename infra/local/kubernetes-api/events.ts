import { kubeTime, type ClusterEvent, type InvolvedObject, type KubeObject, type Metadata } from './objects.ts';
import { events } from './resources.ts';
import type { ClusterState } from './state.ts';

/** What a controller, the scheduler or a kubelet has to say about an object. */
export interface Remark {
  readonly about: KubeObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** Who says it: `job-controller`, `default-scheduler`, `kubelet`. */
  readonly source: string;
}

const lifeMs = 60 * 60_000;

/** The reference by which an event names its object. */
function referenceTo({ kind, apiVersion, metadata }: KubeObject): InvolvedObject {
  const { namespace = '', name, uid, resourceVersion } = metadata;
  return { kind, namespace, name, uid, apiVersion, resourceVersion };
}

const keyOf = ({ about, type, reason, message, source }: Remark): string =>
  JSON.stringify([about.metadata.uid, type, reason, message, source]);

/** Writes an event about an object; the same remark again raises the count of the one there is. */
export function addEvent(state: ClusterState, remark: Remark, now: Date): ClusterEvent {
  const key = keyOf(remark);
  const { name, namespace = '' } = remark.about.metadata;
  const known = state.read(events, namespace, state.eventKeys.get(key) ?? '') as ClusterEvent | null;
  if (known !== null) {
    return state.write(events, { ...known, count: known.count + 1, lastTimestamp: kubeTime(now) }) as ClusterEvent;
  }
  const fresh = `${name}.${state.newUid().replaceAll('-', '').slice(0, 16)}`;
  state.eventKeys.set(key, fresh);
  const metadata = state.newMetadata(events, { name: fresh, namespace }, now);
  return state.write(events, newEvent(remark, metadata, now)) as ClusterEvent;
}

function newEvent(remark: Remark, metadata: Metadata, now: Date): ClusterEvent {
  const { about, type, reason, message, source } = remark;
  return {
    kind: 'Event',
    apiVersion: 'v1',
    metadata,
    involvedObject: referenceTo(about),
    reason,
    message,
    source: { component: source },
    firstTimestamp: kubeTime(now),
    lastTimestamp: kubeTime(now),
    count: 1,
    type,
    eventTime: null,
    reportingComponent: source,
    reportingInstance: '',
  };
}

/** The API server keeps events for an hour. */
export function forgetOldEvents(state: ClusterState, now: Date): void {
  const oldest = kubeTime(new Date(now.getTime() - lifeMs));
  const isOld = ({ lastTimestamp }: ClusterEvent): boolean => (lastTimestamp ?? '') < oldest;
  const old = ([...state.all(events)] as ClusterEvent[]).filter(isOld);
  if (old.length === 0) return;
  const names = new Set(old.map(({ metadata }) => metadata.name));
  for (const event of old) state.remove(events, event);
  for (const [key, name] of state.eventKeys) if (names.has(name)) state.eventKeys.delete(key);
}
