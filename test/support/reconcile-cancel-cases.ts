import { aFlowRun, aJob, aPod, aRow, aWaitingPod } from './builders.ts';
import { scheduled, claim, cancelling, cancelledWhilePending, complete, young, type Case } from './reconcile-facts.ts';
import { at } from './time.ts';

/** Jobs of runs that somebody cancelled. */
export const cancelCases: Record<string, Case> = {
  'cancelled while pending: at once': {
    run: cancelledWhilePending,
    pods: [aWaitingPod('ContainerCreating')],
    want: 'delete-job run-cancelled',
  },
  'cancelled while pending, the Job is young': {
    run: cancelledWhilePending,
    jobs: [aJob(young)],
    want: 'wait run-cancelled',
  },
  'cancelled while running: the flow may stop itself': {
    run: cancelling('-60s'),
    pods: [aPod()],
    want: 'wait run-cancelled',
  },
  'cancelled while running, and it did not stop': {
    run: cancelling('-61s'),
    pods: [aPod()],
    want: 'delete-job run-cancelled',
  },
  'cancelled, then set Running by the pod: still cancelled': {
    run: aFlowRun({
      history: [
        scheduled,
        claim,
        aRow({ state: 'Cancelled', at: '-5m', version: 3 }),
        aRow({ state: 'Running', at: '-4m', version: 4 }),
      ],
    }),
    pods: [aPod()],
    want: 'delete-job run-cancelled',
  },
  'cancelled while its Job is ending, and the end does not come: its node is lost': {
    run: cancelling('-61s'),
    jobs: [aJob({ announced: 'FailureTarget' })],
    pods: [aPod()],
    want: 'delete-job run-cancelled',
  },
  'cancelled while its Job is ending: the end may come in time': {
    run: cancelling('-60s'),
    jobs: [aJob({ announced: 'FailureTarget' })],
    pods: [aPod()],
    want: 'wait run-cancelled',
  },
  'cancelled, and its Job is over': {
    run: cancelling('-10m'),
    jobs: [complete],
    want: 'cancel-run cancelled-after-the-job-ended',
  },
  'cancelled, one Job is over and another lives': {
    run: cancelling('-10m'),
    jobs: [complete, aJob({ uid: 'second', createdAt: at('-5m') })],
    pods: [aPod({ jobUid: 'second' })],
    want: 'wait kept-for-its-ttl',
  },
  'cancelled and settled': { run: cancelledWhilePending, jobs: [complete], want: 'wait kept-for-its-ttl' },
};
