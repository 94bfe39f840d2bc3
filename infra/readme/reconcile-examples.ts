/** What each rule of reconcile says in the log line and, where it writes a state, in that state; the tests produce it. */
export const reconcileExamples: Readonly<Record<string, string>> = {
  'still-working': 'pod <pod> is running',
  'job-being-deleted': 'Job <job> is being deleted',
  'run-deleted': 'the flow run does not exist any more',
  'run-unreadable': 'the flow run could not be read',
  'run-cancelled': 'the flow run is cancelled',
  'cancelled-after-the-job-ended': 'cancelled, and Job <job> is over',
  'kept-for-its-ttl': 'Job <job> is over',
  'run-finished-before-the-pod-started': 'the flow run is Success',
  finishing: 'the flow run is Success, its pod has not ended yet',
  'our-write-covers-a-newer-state': 'our Submitted lies over a newer Success',
  'ttl-is-over': 'kept for 10 min',
  'ended-without-starting': 'Job <job> succeeded without starting the flow run; it is created again',
  'failed-before-it-started': "container 'flow' of pod <pod> exited with code 1 (Error)",
  'lost-before-it-started':
    'pod <pod> was lost to the infrastructure (EvictionByEvictionAPI): drained; it is created again',
  'died-while-running': "container 'flow' of pod <pod> was killed for using too much memory (OOMKilled, limit 512Mi)",
  'lost-while-running':
    'pod <pod> was lost to the infrastructure (EvictionByEvictionAPI): drained; left to the zombie killer and Lazarus',
  'ended-while-running': 'left to the zombie killer and Lazarus, or to a task retry',
  suspended: 'Job <job> is suspended',
  'can-never-start': "container 'flow' of pod <pod> cannot start (InvalidImageName): because of InvalidImageName",
  'waiting-to-start': "container 'flow' of pod <pod> cannot start (ImagePullBackOff): because of ImagePullBackOff",
  'cannot-start-for-too-long':
    "container 'flow' of pod <pod> cannot start (ImagePullBackOff): because of ImagePullBackOff",
  'blocks-a-newer-attempt':
    "container 'flow' of pod <pod> cannot start (ImagePullBackOff): because of ImagePullBackOff",
  'pending-for-too-long': 'not started within 60 min: pod <pod> is starting',
  'without-a-pod': 'Job <job> has no pod yet',
  'run-paused': 'the flow run is Paused',
  'about-to-end': 'Job <job> is ending (FailureTarget)',
  'backoff-retries-left': "container 'flow' of pod <pod> exited with code 1 (Error)",
  'pod-refused-for-good':
    'Job <job> cannot make its pod (PodSecurity): Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged',
  'sidecar-keeps-the-job': "container 'flow' of pod <pod> exited with code 0, another container keeps the pod up",
  'flow-ended-under-a-sidecar':
    "container 'flow' of pod <pod> exited with code 137, another container keeps the pod up",
  'jobless-claim-covers-a-newer-state': 'our Submitted lies over a newer Success',
  'claimed-within-its-lease': 'claimed until 2026-03-01T02:01:00.000Z',
  'jobless-claim-is-dispatchs': 'dispatch claims it again under the same key',
  'cancelled-without-a-job': 'cancelled, and no Job of it is left',
  'claimed-by-somebody-else': 'the last claim of the flow run is not this stack’s',
  'running-with-nothing-left': 'its Job and its pods are gone, and nothing was heard of it for a while',
  'running-without-a-job': 'left to the zombie killer and Lazarus',
  'already-over': 'the flow run is Success',
};
