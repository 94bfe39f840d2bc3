import { aFlowRun, aJob, aRow, aWaitingPod } from './builders.ts';
import { atWork, claim, podless, refusal, scheduled, type Case } from './reconcile-facts.ts';
import { at } from './time.ts';

const restarted = aFlowRun({ history: [scheduled, claim, aRow({ state: 'Scheduled', at: '-1m', version: 3 })] });

/** Jobs whose pod has not started, or is not there. */
export const pendingCases: Record<string, Case> = {
  'suspended is waiting, not lost': {
    jobs: [aJob({ phase: 'suspended', createdAt: at('-3h') })],
    want: 'heartbeat suspended',
  },
  'an image name that can never be': {
    pods: [aWaitingPod('InvalidImageName')],
    want: 'fail-run can-never-start',
    wantWhy: /InvalidImageName/u,
  },
  'an image that does not come, within its grace': {
    pods: [aWaitingPod('ImagePullBackOff', { createdAt: at('-180s') })],
    want: 'heartbeat waiting-to-start',
  },
  'an image that does not come, beyond its grace': {
    pods: [aWaitingPod('ImagePullBackOff', { createdAt: at('-181s') })],
    want: 'fail-run cannot-start-for-too-long',
  },
  'an image that does not come, for an attempt that is over': {
    run: restarted,
    pods: [aWaitingPod('ImagePullBackOff')],
    want: 'delete-job blocks-a-newer-attempt',
  },
  'an attempt that is over cannot get its pod': {
    run: restarted,
    jobs: [aJob({ createdAt: at('-61s'), ...podless })],
    events: [refusal('pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged')],
    want: 'wait blocks-a-newer-attempt',
    wantWhy: /deleted once the Job is older than 120 s/u,
  },
  'an attempt that is over waits for a node, within its grace': {
    run: restarted,
    jobs: [aJob({ createdAt: at('-60m') })],
    pods: [aWaitingPod('ContainerCreating')],
    want: 'wait waiting-to-start',
  },
  'an attempt that is over waits for a node, beyond its grace': {
    run: restarted,
    jobs: [aJob({ createdAt: at('-61m') })],
    pods: [aWaitingPod('ContainerCreating')],
    want: 'delete-job blocks-a-newer-attempt',
  },
  'an image that does not come, for a task retry': {
    run: atWork,
    pods: [aWaitingPod('ImagePullBackOff')],
    want: 'fail-run cannot-start-for-too-long',
  },
  'an image that does not come, for a task retry, while another Job runs': {
    run: atWork,
    jobs: [aJob(), aJob({ uid: 'first', createdAt: at('-30m') })],
    pods: [aWaitingPod('ImagePullBackOff')],
    want: 'wait waiting-to-start',
  },
  'an image that does not come, for the second pod of a Job: the first may still run': {
    run: atWork,
    jobs: [aJob({ failedPods: 1 })],
    pods: [aWaitingPod('ImagePullBackOff')],
    want: 'wait waiting-to-start',
  },
  'an image that does not come, for a new pod beside one that is being ended: that one may still run': {
    run: atWork,
    jobs: [aJob({ podsEver: 2 })],
    pods: [aWaitingPod('ImagePullBackOff')],
    want: 'wait waiting-to-start',
  },
  'a pending pod of a task retry, beyond its grace': {
    run: atWork,
    jobs: [aJob({ createdAt: at('-61m') })],
    pods: [aWaitingPod('ContainerCreating', { createdAt: at('-61m') })],
    want: 'fail-run pending-for-too-long',
  },
  'a young pod of an old Job of a Running run': {
    run: atWork,
    jobs: [aJob({ createdAt: at('-99h') })],
    pods: [aWaitingPod('ContainerCreating')],
    want: 'wait waiting-to-start',
  },
  'a pending pod, within its grace': {
    jobs: [aJob({ createdAt: at('-60m') })],
    pods: [aWaitingPod('ContainerCreating')],
    want: 'heartbeat waiting-to-start',
  },
  'a pending pod, beyond its grace': {
    jobs: [aJob({ createdAt: at('-61m') })],
    pods: [aWaitingPod('ContainerCreating')],
    want: 'fail-run pending-for-too-long',
  },
  'a pending pod, and patience without end': {
    jobs: [aJob({ createdAt: at('-99h') })],
    pods: [aWaitingPod('ContainerCreating')],
    policy: { pendingGraceMs: 0 },
    want: 'heartbeat waiting-to-start',
  },
  'a pending pod of a Running run: no heartbeat may hide its death': {
    run: atWork,
    pods: [aWaitingPod('ContainerCreating')],
    want: 'wait waiting-to-start',
  },
  'no pod yet': { jobs: [aJob({ createdAt: at('-60s'), ...podless })], want: 'heartbeat waiting-to-start' },
  'no pod for too long': { jobs: [aJob({ createdAt: at('-61s'), ...podless })], want: 'heartbeat without-a-pod' },
};
