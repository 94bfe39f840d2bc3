import { humanDuration } from './human-duration.ts';
import { hasEnded, isDeleting } from './job-pods.ts';
import { hasCondition, type ContainerStatus, type Pod } from './objects.ts';

/** READY, STATUS and RESTARTS of a pod's row. */
export interface PodSummary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
}

type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

function isSidecar({ spec }: Pod, name: string): boolean {
  return spec.initContainers?.some((one) => one.name === name && one.restartPolicy === 'Always') ?? false;
}

function endWord({ reason = '', signal = 0, exitCode }: Terminated): string {
  if (reason !== '') return reason;
  return signal === 0 ? `ExitCode:${exitCode}` : `Signal:${signal}`;
}

/** How far the init containers are: those that began, and what the first that is not done is at; null: all are. */
interface Initialisation {
  readonly begun: readonly ContainerStatus[];
  readonly word: string | null;
}

function isDone(pod: Pod, { name, state, started }: ContainerStatus): boolean {
  return state?.terminated?.exitCode === 0 || (isSidecar(pod, name) && started === true);
}

function initWord({ state }: ContainerStatus, place: string): string {
  if (state?.terminated !== undefined) return `Init:${endWord(state.terminated)}`;
  const { reason = '' } = state?.waiting ?? {};
  return reason === '' || reason === 'PodInitializing' ? `Init:${place}` : `Init:${reason}`;
}

function initialisation(pod: Pod): Initialisation {
  const all = pod.status.initContainerStatuses ?? [];
  const index = all.findIndex((one) => !isDone(pod, one));
  const current = all[index];
  if (current === undefined) return { begun: all, word: null };
  const word = initWord(current, `${index}/${pod.spec.initContainers?.length ?? 0}`);
  return { begun: all.slice(0, index + 1), word };
}

function phaseWord({ status }: Pod): string {
  const gated = status.conditions?.find(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated');
  return gated?.reason ?? (status.reason || status.phase);
}

function containerWord({ state }: ContainerStatus): string {
  if (state?.terminated !== undefined) return endWord(state.terminated);
  return state?.waiting?.reason ?? '';
}

const isRunning = ({ ready, state }: ContainerStatus): boolean => ready === true && state?.running !== undefined;

/** A pod of which one container has completed is what the others are. */
function wordAfterCompletion({ status }: Pod, containers: readonly ContainerStatus[]): string {
  const failed = containers.find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  if (containers.some(isRunning) && hasCondition(status.conditions, 'Ready')) return 'Running';
  if (failed !== undefined) return containerWord(failed);
  return containers.some(isRunning) ? 'NotReady' : 'Completed';
}

function mainWord(pod: Pod, before: string): string {
  const containers = pod.status.containerStatuses ?? [];
  const word = containers.map(containerWord).find((one) => one !== '') ?? before;
  return word === 'Completed' ? wordAfterCompletion(pod, containers) : word;
}

function deletedWord(pod: Pod): string | null {
  if (!isDeleting(pod)) return null;
  if (pod.status.reason === 'NodeLost') return 'Unknown';
  return hasEnded(pod) ? null : 'Terminating';
}

function restartsOf(counted: readonly ContainerStatus[], now: Date): string {
  const restarts = counted.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);
  const ends = counted.map(({ lastState }) => lastState?.terminated?.finishedAt ?? '').sort();
  const last = ends.at(-1) ?? '';
  if (restarts === 0 || last === '') return String(restarts);
  return `${restarts} (${humanDuration(now.getTime() - new Date(last).getTime())} ago)`;
}

function readyText(
  { spec }: Pod,
  containers: readonly ContainerStatus[],
  sidecars: readonly ContainerStatus[],
): string {
  const ready = sidecars.filter((one) => one.ready === true && one.started === true).length;
  const restartable = spec.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always').length ?? 0;
  return `${ready + containers.filter(isRunning).length}/${spec.containers.length + restartable}`;
}

/** What the API server says of a pod in a table (kubernetes 1.35.4, pkg/printers/internalversion, printPod). */
export function podSummary(pod: Pod, now: Date): PodSummary {
  const { begun, word } = initialisation(pod);
  const sidecars = begun.filter(({ name }) => isSidecar(pod, name));
  const isInitialised = word === null || hasCondition(pod.status.conditions, 'Initialized');
  const containers = isInitialised ? (pod.status.containerStatuses ?? []) : [];
  const before = word ?? phaseWord(pod);
  return {
    ready: readyText(pod, containers, sidecars),
    status: deletedWord(pod) ?? (isInitialised ? mainWord(pod, before) : before),
    restarts: restartsOf(isInitialised ? [...sidecars, ...containers] : begun, now),
  };
}
