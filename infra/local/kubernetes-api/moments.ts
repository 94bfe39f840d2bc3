import { addEvent } from './events.ts';
import { kubeTime, type Condition, type Container, type ContainerStatus, type Pod, type PodStatus } from './objects.ts';
import { askPodToEnd, bindPod, confirmPodGone, refOf, requirePod, setPodLog, setPodStatus } from './pod-player.ts';
import type { ContainerEnd, Moment, MomentKind } from './scripts.ts';
import type { ClusterState } from './state.ts';

/** How scheduler, kubelet and node controller write each moment down (kubernetes 1.35, wording as in pkg/kubelet and pkg/scheduler). */

interface Scene {
  readonly state: ClusterState;
  readonly pod: Pod;
  readonly at: Date;
}

type Play<Kind extends MomentKind> = (scene: Scene, moment: Extract<Moment, { kind: Kind }>) => void;

type Plays = { readonly [Kind in MomentKind]: Play<Kind> };

function condition(
  type: string,
  status: 'True' | 'False',
  { at, reason, message }: { at: Date; reason?: string; message?: string },
): Condition {
  return {
    type,
    status,
    lastProbeTime: null,
    lastTransitionTime: kubeTime(at),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

/** The pod's conditions with these put over those of the same type. */
function over({ status }: Pod, fresh: readonly Condition[]): Condition[] {
  const types = new Set(fresh.map(({ type }) => type));
  return [...(status.conditions ?? []).filter(({ type }) => !types.has(type)), ...fresh];
}

type ContainerState = NonNullable<ContainerStatus['state']>;

function statuses({ spec }: Pod, ready: boolean, stateOf: (container: Container) => ContainerState): ContainerStatus[] {
  return spec.containers.map((container) => ({
    name: container.name,
    image: container.image,
    imageID: '',
    ready,
    started: ready,
    restartCount: 0,
    state: stateOf(container),
  }));
}

function readiness(pod: Pod, ready: boolean, { at, reason }: { at: Date; reason?: string }): Condition[] {
  const names = pod.spec.containers.map(({ name }) => name).join(' ');
  const why = ready
    ? { at }
    : { at, reason: reason ?? 'ContainersNotReady', message: `containers with unready status: [${names}]` };
  return ['Ready', 'ContainersReady'].map((type) => condition(type, ready ? 'True' : 'False', why));
}

const nodeOf = ({ metadata }: Pod): string => `node-of-${metadata.name}`;

const imageOf = ({ spec }: Pod): string => spec.containers[0]?.image ?? '';

const filled = (text: string, pod: Pod): string => text.replaceAll('{image}', imageOf(pod));

interface Remark {
  readonly type?: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly source?: string;
}

function say({ state, pod, at }: Scene, { type = 'Normal', reason, message, source = 'kubelet' }: Remark): void {
  addEvent(state, { about: pod, type, reason, message: filled(message, pod), source }, at);
}

const reasonOf = ({ exitCode, reason }: ContainerEnd): string => reason ?? (exitCode === 0 ? 'Completed' : 'Error');

function startOf(pod: Pod): string | null {
  const running = pod.status.containerStatuses?.find(({ state }) => state?.running !== undefined);
  return running?.state?.running?.startedAt ?? null;
}

/** The status of a pod whose containers have all ended this way. */
function endedStatus(pod: Pod, end: ContainerEnd, at: Date): Partial<PodStatus> {
  const isSuccess = end.exitCode === 0;
  const terminated = {
    exitCode: end.exitCode,
    reason: reasonOf(end),
    startedAt: startOf(pod),
    finishedAt: kubeTime(at),
  };
  return {
    phase: isSuccess ? 'Succeeded' : 'Failed',
    containerStatuses: statuses(pod, false, () => ({ terminated })),
    conditions: over(pod, readiness(pod, false, { at, reason: isSuccess ? 'PodCompleted' : 'PodFailed' })),
  };
}

const disruption = (pod: Pod, reason: string, { at, message }: { at: Date; message: string }): Condition[] =>
  over(pod, [condition('DisruptionTarget', 'True', { at, reason, message })]);

/** Marks why the pod is taken away, then asks for its end. */
function takeAway({ state, pod, at }: Scene, reason: string, message: string): void {
  setPodStatus(state, refOf(pod), { conditions: disruption(pod, reason, { at, message }) });
  askPodToEnd(state, refOf(pod), at);
}

const lowMemory = ({ spec }: Pod): string =>
  `The node was low on resource: memory. Threshold quantity: 100Mi, available: 88Mi. Container ${spec.containers[0]?.name ?? ''} was using 812Mi, request is 256Mi, has larger consumption of memory. `;

const plays: Plays = {
  scheduled: (scene) => {
    const { state, pod, at } = scene;
    const { namespace = '', name } = pod.metadata;
    bindPod(state, refOf(pod), nodeOf(pod));
    const message = `Successfully assigned ${namespace}/${name} to ${nodeOf(pod)}`;
    say(scene, { reason: 'Scheduled', message, source: 'default-scheduler' });
    const on = ['PodReadyToStartContainers', 'Initialized', 'PodScheduled'].map((type) =>
      condition(type, 'True', { at }),
    );
    setPodStatus(state, refOf(pod), {
      startTime: kubeTime(at),
      conditions: over(pod, [...on, ...readiness(pod, false, { at })]),
      containerStatuses: statuses(pod, false, () => ({ waiting: { reason: 'ContainerCreating' } })),
    });
  },
  unschedulable: (scene, { message }) => {
    const { state, pod, at } = scene;
    const refused = condition('PodScheduled', 'False', { at, reason: 'Unschedulable', message });
    setPodStatus(state, refOf(pod), { conditions: over(pod, [refused]) });
    say(scene, { type: 'Warning', reason: 'FailedScheduling', message, source: 'default-scheduler' });
  },
  pulling: (scene) => say(scene, { reason: 'Pulling', message: 'Pulling image "{image}"' }),
  waiting: (scene, { reason, message, event }) => {
    const { state, pod } = scene;
    const waiting = { reason, message: filled(message, pod) };
    setPodStatus(state, refOf(pod), { containerStatuses: statuses(pod, false, () => ({ waiting })) });
    if (event !== undefined) say(scene, event);
  },
  started: (scene) => {
    const { state, pod, at } = scene;
    const names = pod.spec.containers.map(({ name }) => name).join(', ');
    say(scene, { reason: 'Pulled', message: 'Successfully pulled image "{image}" in 1s (1s including waiting).' });
    say(scene, { reason: 'Created', message: `Container created: ${names}` });
    say(scene, { reason: 'Started', message: `Container started: ${names}` });
    setPodStatus(state, refOf(pod), {
      phase: 'Running',
      conditions: over(pod, readiness(pod, true, { at })),
      containerStatuses: statuses(pod, true, () => ({ running: { startedAt: kubeTime(at) } })),
    });
  },
  log: ({ state, pod }, { text }) => setPodLog(state, refOf(pod), { text }),
  exited: ({ state, pod, at }, end) => {
    setPodStatus(state, refOf(pod), endedStatus(pod, end, at));
  },
  evicted: (scene) => {
    const { state, pod, at } = scene;
    const message = lowMemory(pod);
    say(scene, { type: 'Warning', reason: 'Evicted', message });
    const marked = {
      ...pod,
      status: { ...pod.status, conditions: disruption(pod, 'TerminationByKubelet', { at, message }) },
    };
    setPodStatus(state, refOf(pod), { ...endedStatus(marked, { exitCode: 137 }, at), reason: 'Evicted', message });
  },
  preempted: (scene) => {
    const by = `Preempted by pod ${scene.state.newUid()} on node ${nodeOf(scene.pod)}`;
    say(scene, { reason: 'Preempted', message: by, source: 'default-scheduler' });
    takeAway(scene, 'PreemptionByScheduler', 'default-scheduler: preempting to accommodate a higher priority pod');
  },
  'node-unreachable': (scene) => {
    const { state, pod, at } = scene;
    state.lostNodes.add(nodeOf(pod));
    say(scene, { type: 'Warning', reason: 'NodeNotReady', message: 'Node is not ready', source: 'node-controller' });
    setPodStatus(state, refOf(pod), { conditions: over(pod, [condition('Ready', 'False', { at })]) });
  },
  'taints-evict': (scene) => {
    const { namespace = '', name } = scene.pod.metadata;
    const message = `Marking for deletion Pod ${namespace}/${name}`;
    say(scene, { reason: 'TaintManagerEviction', message, source: 'taint-eviction-controller' });
    takeAway(scene, 'DeletionByTaintManager', 'Taint manager: deleting due to NoExecute taint');
  },
  'node-removed': ({ state, pod, at }) => {
    const conditions = disruption(pod, 'DeletionByPodGC', { at, message: 'PodGC: node no longer exists' });
    setPodStatus(state, refOf(pod), { phase: 'Failed', conditions });
    confirmPodGone(state, refOf(pod), at);
  },
  'node-returns': ({ state, pod, at }) => {
    state.lostNodes.delete(nodeOf(pod));
    setPodStatus(state, refOf(pod), { conditions: over(pod, [condition('Ready', 'True', { at })]) });
  },
};

/** Lets one moment happen to a pod. */
export function playMoment<Kind extends MomentKind>(scene: Scene, moment: Extract<Moment, { kind: Kind }>): void {
  const kind: Kind = moment.kind;
  plays[kind](scene, moment);
}

/** SIGTERM, and the containers obey: the kubelet reports them ended and lets the object go. */
export function endPod({ state, pod, at }: Scene, end: ContainerEnd): void {
  setPodStatus(state, refOf(pod), endedStatus(requirePod(state, refOf(pod)), end, at));
  confirmPodGone(state, refOf(pod), at);
}
