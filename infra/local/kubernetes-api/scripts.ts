/** What happens to a pod, as data: each script is a list of moments with their time after the pod's creation. */

/** How a container ended. */
export interface ContainerEnd {
  readonly exitCode: number;
  /** `Completed`, `Error` or `OOMKilled`; by the exit code when it is not said. */
  readonly reason?: string;
}

export type Moment =
  | { readonly kind: 'scheduled' | 'pulling' | 'started' | 'evicted' | 'preempted' | 'node-unreachable' }
  | { readonly kind: 'taints-evict' | 'node-removed' | 'node-returns' }
  | { readonly kind: 'unschedulable'; readonly message: string }
  | { readonly kind: 'waiting'; readonly reason: string; readonly message: string; readonly event?: WaitingEvent }
  | { readonly kind: 'log'; readonly text: string }
  | ({ readonly kind: 'exited' } & ContainerEnd);

/** What the kubelet writes beside a waiting state. `{image}` stands for the container's image, here and in messages. */
export interface WaitingEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export type MomentKind = Moment['kind'];

export interface ScriptStep {
  readonly afterSeconds: number;
  readonly moment: Moment;
}

export type PodScript = readonly ScriptStep[];

const at = (afterSeconds: number, moment: Moment): ScriptStep => ({ afterSeconds, moment });

/** On a node after a second, image pulled, running after three. */
const starts: PodScript = [at(1, { kind: 'scheduled' }), at(2, { kind: 'pulling' }), at(3, { kind: 'started' })];

const scheduledOnly: PodScript = [at(1, { kind: 'scheduled' })];

const minute = 60;

const pullError =
  'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found';

const traceback =
  'Traceback (most recent call last):\n  File "flow.py", line 12, in <module>\n    main()\nRuntimeError: the flow stopped\n';

/** The scripts by name. Those that run end by themselves after a minute; `flow-process` is ended by its process. */
export const podScripts = {
  'flow-process': starts,
  success: [...starts, at(minute, { kind: 'exited', exitCode: 0 })],
  'exit-1': [...starts, at(minute - 1, { kind: 'log', text: traceback }), at(minute, { kind: 'exited', exitCode: 1 })],
  'out-of-memory': [...starts, at(minute, { kind: 'exited', exitCode: 137, reason: 'OOMKilled' })],
  evicted: [...starts, at(minute, { kind: 'evicted' })],
  preempted: [...starts, at(minute, { kind: 'preempted' })],
  'image-never-pulls': [
    ...scheduledOnly,
    at(2, { kind: 'pulling' }),
    at(3, {
      kind: 'waiting',
      reason: 'ErrImagePull',
      message: pullError,
      event: { type: 'Warning', reason: 'Failed', message: `Failed to pull image "{image}": ${pullError}` },
    }),
    at(15, {
      kind: 'waiting',
      reason: 'ImagePullBackOff',
      message: `Back-off pulling image "{image}": ErrImagePull: ${pullError}`,
      event: { type: 'Normal', reason: 'BackOff', message: 'Back-off pulling image "{image}"' },
    }),
  ],
  'invalid-image-name': [
    ...scheduledOnly,
    at(2, {
      kind: 'waiting',
      reason: 'InvalidImageName',
      message: `Failed to apply default image tag "{image}": couldn't parse image name "{image}": invalid reference format`,
      event: {
        type: 'Warning',
        reason: 'InspectFailed',
        message: `Failed to apply default image tag "{image}": couldn't parse image name "{image}": invalid reference format`,
      },
    }),
  ],
  'config-error': [
    ...scheduledOnly,
    at(3, {
      kind: 'waiting',
      reason: 'CreateContainerConfigError',
      message: 'secret "prefect-api-key" not found',
      event: { type: 'Warning', reason: 'Failed', message: 'Error: secret "prefect-api-key" not found' },
    }),
  ],
  unschedulable: [
    at(1, {
      kind: 'unschedulable',
      message:
        '0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.',
    }),
  ],
  // The node falls silent; after five minutes the pod is marked, and it goes only with the node itself.
  'node-loss': [
    ...starts,
    at(minute, { kind: 'node-unreachable' }),
    at(6 * minute, { kind: 'taints-evict' }),
    at(30 * minute, { kind: 'node-removed' }),
  ],
  'node-returns': [...starts, at(minute, { kind: 'node-unreachable' }), at(10 * minute, { kind: 'node-returns' })],
} as const satisfies Readonly<Record<string, PodScript>>;

export type PodScriptName = keyof typeof podScripts;
