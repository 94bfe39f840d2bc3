/** What a container's waiting reason means for the run: it can never start, it may heal within a grace, or it just waits. */
export type Fate = 'never' | 'grace' | 'wait';

interface WaitingReason {
  readonly fate: Fate;
  readonly category: 'ImagePull' | 'ContainerConfig' | 'ContainerStart' | 'Starting';
}

/**
 * Waiting reasons of a container in kubernetes 1.35. The kubelet goes on trying after nearly all of them, so a reason
 * alone rarely condemns a run; a name that cannot be parsed never starts to parse.
 *
 * Image reasons: pkg/kubelet/images/types.go; container reasons: pkg/kubelet/kuberuntime/kuberuntime_container.go and
 * pkg/kubelet/container/sync_result.go; the last two: pkg/kubelet/kubelet_pods.go.
 */
const waitingReasons: Readonly<Record<string, WaitingReason>> = {
  InvalidImageName: { fate: 'never', category: 'ImagePull' },
  ErrImagePull: { fate: 'grace', category: 'ImagePull' },
  ImagePullBackOff: { fate: 'grace', category: 'ImagePull' },
  ErrImageNeverPull: { fate: 'grace', category: 'ImagePull' },
  ImageInspectError: { fate: 'grace', category: 'ImagePull' },
  RegistryUnavailable: { fate: 'grace', category: 'ImagePull' },
  SignatureValidationFailed: { fate: 'grace', category: 'ImagePull' },
  CreateContainerConfigError: { fate: 'grace', category: 'ContainerConfig' },
  CreateContainerError: { fate: 'grace', category: 'ContainerStart' },
  RunContainerError: { fate: 'grace', category: 'ContainerStart' },
  CrashLoopBackOff: { fate: 'grace', category: 'ContainerStart' },
  PreCreateHookError: { fate: 'grace', category: 'ContainerStart' },
  PreStartHookError: { fate: 'grace', category: 'ContainerStart' },
  PostStartHookError: { fate: 'grace', category: 'ContainerStart' },
  ContainerCreating: { fate: 'wait', category: 'Starting' },
  PodInitializing: { fate: 'wait', category: 'Starting' },
};

/** A reason that is not in the table waits: an unknown word is never evidence. */
export function waitingReason(reason: string): WaitingReason {
  return Object.hasOwn(waitingReasons, reason) ? (waitingReasons[reason] ?? unknown) : unknown;
}

const unknown: WaitingReason = { fate: 'wait', category: 'Starting' };

/** Every reason of the table, for its tests. */
export const knownWaitingReasons: readonly string[] = Object.keys(waitingReasons);
