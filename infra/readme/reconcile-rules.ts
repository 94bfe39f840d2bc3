import type { RuleText } from './rule-text.ts';

/** The rules about a Job in their order, then those about a run without one. */
export const reconcileRuleTexts: readonly RuleText[] = [
  { rule: 'job-being-deleted', when: 'the Job has a deletion timestamp', what: 'waits until it is gone' },
  { rule: 'run-deleted', when: 'the flow run does not exist any more', what: 'deletes the Job' },
  { rule: 'run-unreadable', when: 'the flow run could not be read', what: 'waits: no answer is no evidence' },
  { rule: 'run-paused', when: 'the run is Paused, or Resume', what: 'waits: somebody wants it so' },
  {
    rule: 'run-cancelled',
    when: 'the run is cancelled or cancelling, and the Job is active',
    what: 'deletes the Job; a pod that runs gets `CANCEL_GRACE` to stop itself first',
  },
  {
    rule: 'cancelled-after-the-job-ended',
    when: 'the run is cancelled, and no Job of it is active any more',
    what: 'writes Cancelled',
  },
  {
    rule: 'our-write-covers-a-newer-state',
    when: 'a state of ours landed late over a newer one that was not ours, and its undoing was lost',
    what: 'writes that state back',
  },
  {
    rule: 'about-to-end',
    when: 'the Job has announced its end, but pods may still run',
    what: 'waits for the terminal condition',
  },
  {
    rule: 'run-finished-before-the-pod-started',
    when: 'the run finished elsewhere while the pod was pending',
    what: 'deletes the Job: a late start would run a finished run',
  },
  {
    rule: 'sidecar-keeps-the-job',
    when: 'the run is finished, its flow container has ended, and another container keeps the pod',
    what: 'deletes the Job',
  },
  { rule: 'finishing', when: 'the run is finished and its pod still ends', what: 'waits' },
  {
    rule: 'ended-without-starting',
    when: 'the Job of the claim, or its flow container, ended with 0, but the run is still Submitted',
    what: 'deletes the Job so that dispatch creates it again; the fifth time it fails the run',
  },
  {
    rule: 'lost-before-it-started',
    when: 'infrastructure failed the Job before the flow started, and `INFRA_RETRIES` are left',
    what: 'deletes the Job so that dispatch creates it again',
  },
  {
    rule: 'failed-before-it-started',
    when: 'the Job of the claim failed before the flow started',
    what: 'fails the run with the diagnosis',
  },
  {
    rule: 'lost-while-running',
    when: 'infrastructure killed the flow process while Running, and `INFRA_RETRIES` is above 0',
    what: "waits for the server's zombie killer and Lazarus, or for a task retry; not beyond `PENDING_GRACE`, nor where they are off",
  },
  {
    rule: 'died-while-running',
    when: 'the newest Job of a Running run failed',
    what: 'fails the run with exit code, reason and the last log lines',
  },
  {
    rule: 'ended-while-running',
    when: 'the newest Job succeeded and the run is still Running',
    what: 'waits for the server; fails the run where its services are off for the flow, or idle for `PENDING_GRACE`',
  },
  {
    rule: 'kept-for-its-ttl',
    when: 'the Job is over, and its time to stay lasts or `DELETE_FINISHED_JOBS` is off',
    what: 'waits',
  },
  { rule: 'ttl-is-over', when: '`TTL_SUCCEEDED` or `TTL_FAILED` has passed', what: 'deletes the Job' },
  { rule: 'suspended', when: 'the Job is suspended, as by a queueing controller', what: 'writes a heartbeat' },
  {
    rule: 'can-never-start',
    when: 'the pod waits for something that no waiting repairs, as an image name that is not valid',
    what: 'fails the run and deletes the Job',
  },
  {
    rule: 'cannot-start-for-too-long',
    when: 'image or container cannot start for longer than `IMAGE_GRACE`',
    what: 'fails the run with what the kubelet said, and deletes the Job',
  },
  {
    rule: 'pending-for-too-long',
    when: 'the pod has not started within `PENDING_GRACE`',
    what: 'fails the run with what the scheduler said, and deletes the Job',
  },
  {
    rule: 'pod-refused-for-good',
    when: 'no pod is admitted for longer than `PODLESS_GRACE`, for a reason that stays: policy or service account',
    what: 'fails the run with the refusal, and deletes the Job',
  },
  {
    rule: 'blocks-a-newer-attempt',
    when: 'the run is Scheduled again, and an older Job that has not started is out of its grace',
    what: 'deletes that Job: dispatch holds the run as long as it lives',
  },
  {
    rule: 'without-a-pod',
    when: 'the Job has no pod for longer than `PODLESS_GRACE`',
    what: 'writes a heartbeat and says what the Job controller said: quota, admission, service account',
  },
  { rule: 'waiting-to-start', when: 'the pod is pending within all graces', what: 'writes a heartbeat' },
  {
    rule: 'backoff-retries-left',
    when: 'a pod has ended, and the Job will start another (`backoffLimit` above 0)',
    what: 'waits; writes a heartbeat while the run has not started',
  },
  {
    rule: 'flow-ended-under-a-sidecar',
    when: 'the flow container has ended, another keeps the pod, and the run is unfinished',
    what: 'fails the run when the exit code is not 0, or after `PENDING_GRACE`; waits otherwise',
  },
  { rule: 'still-working', when: 'none of the above', what: 'waits' },
  { rule: 'already-over', when: 'no Job, and the run is finished', what: 'waits' },
  {
    rule: 'claimed-by-somebody-else',
    when: 'no Job here, and the last claim of the run is not this stack’s',
    what: 'waits: its Job is in a namespace that is not read here',
  },
  {
    rule: 'cancelled-without-a-job',
    when: 'no Job, and the run is cancelled or cancelling',
    what: 'writes Cancelled, before the server would write Failed; waits while a pod of it is still there',
  },
  {
    rule: 'jobless-claim-covers-a-newer-state',
    when: 'no Job, and our claim landed over a state that was no longer Scheduled',
    what: 'writes that state back',
  },
  { rule: 'claimed-within-its-lease', when: 'no Job, and the claim holds', what: 'waits: the create may be under way' },
  {
    rule: 'jobless-claim-is-dispatchs',
    when: 'no Job, and the claim is over its lease',
    what: 'waits: dispatch alone creates Jobs',
  },
  {
    rule: 'running-with-nothing-left',
    when: 'neither Job nor pod, the run is Running, no task retry waits, and nothing was heard of it for `PENDING_GRACE`; for 2 min where heartbeats or Lazarus are off for the flow',
    what: 'fails the run',
  },
  {
    rule: 'running-without-a-job',
    when: 'no Job, and the run is Running',
    what: "waits for a task retry, or for the server's zombie killer and Lazarus",
  },
];
