import { aClaimRow, aFlow, aFlowRun, aJob, anEndedPod, aPod, aRow, aWaitingPod, OTHER_STACK } from './builders.ts';
import { cancelCases } from './reconcile-cancel-cases.ts';
import { pendingCases } from './reconcile-pending-cases.ts';
import { at } from './time.ts';
import {
  scheduled,
  claim,
  running,
  atWork,
  succeeded,
  cancelling,
  complete,
  failed,
  young,
  crashed,
  evicted,
  lingering,
  refusal,
  podless,
  successCovered,
  failedOverSuccess,
  failedOverRestart,
  failedByUs,
  failedOverCancel,
  type Case,
} from './reconcile-facts.ts';

/** A Running run of which nothing was heard since. */
const silent = (since: string) =>
  aFlowRun({
    history: [
      aRow({ state: 'Scheduled', at: '-3h', version: 1 }),
      aClaimRow({ at: '-2h', version: 2, key: '1', until: '-118m' }),
      aRow({ state: 'Running', at: since, version: 3 }),
    ],
    heartbeat: null,
  });
const foreignClaim = aClaimRow({ at: '-6m', version: 2, key: '1', until: '-4m', by: OTHER_STACK });

/** One case or more for each rule; those of Jobs whose pod has not started are in a file of their own. */
export const cases: Record<string, Case> = {
  ...pendingCases,

  'a running pod works': { run: atWork, pods: [aPod()], want: 'wait still-working' },
  'a pod that runs before its run does works too': { pods: [aPod()], want: 'wait still-working' },
  'a Job being deleted is neither alive nor gone': {
    run: 'gone',
    jobs: [aJob({ deleting: true })],
    want: 'wait job-being-deleted',
  },

  'the run is gone': { run: 'gone', want: 'delete-job run-deleted' },
  'the run is gone, the Job is young': { run: 'gone', jobs: [aJob(young)], want: 'wait run-deleted' },
  'the run could not be read': { run: 'unread', jobs: [failed], pods: [crashed], want: 'wait run-unreadable' },

  ...cancelCases,

  'finished while its pod still waits': {
    run: succeeded,
    pods: [aWaitingPod('ImagePullBackOff')],
    want: 'delete-job run-finished-before-the-pod-started',
  },
  'finished, and its pod ends': { run: succeeded, pods: [aPod()], want: 'wait finishing' },
  'finished, and its pod has succeeded: such pods are not listed': { run: succeeded, want: 'wait finishing' },
  'finished, within the TTL': { run: succeeded, jobs: [complete], want: 'wait kept-for-its-ttl' },
  'finished, the TTL is over': {
    run: succeeded,
    jobs: [aJob({ phase: 'complete', finishedAt: at('-600s') })],
    want: 'delete-job ttl-is-over',
  },
  'finished, the TTL of a failed Job is another': {
    run: succeeded,
    jobs: [aJob({ phase: 'failed', finishedAt: at('-600s') })],
    want: 'wait kept-for-its-ttl',
  },
  'finished Jobs are kept when told so': {
    run: succeeded,
    jobs: [aJob({ phase: 'complete', finishedAt: at('-48h') })],
    policy: { deleteFinishedJobs: false },
    want: 'wait kept-for-its-ttl',
  },

  'our claim covers a Success, and its undoing was lost': {
    run: successCovered,
    jobs: [complete],
    want: 'restore-run our-write-covers-a-newer-state',
    wantWhy: /our Submitted lies over a newer Success/u,
  },
  'our Failed covers a Success': {
    run: failedOverSuccess,
    jobs: [failed],
    want: 'restore-run our-write-covers-a-newer-state',
  },
  'our Failed covers a Success, while the Job waits for a lost node': {
    run: failedOverSuccess,
    jobs: [aJob({ announced: 'FailureTarget' })],
    want: 'restore-run our-write-covers-a-newer-state',
  },
  'our Failed covers a restart': {
    run: failedOverRestart,
    jobs: [failed],
    want: 'restore-run our-write-covers-a-newer-state',
  },
  'our Failed covers a cancel, and the Job is still there': {
    run: failedOverCancel,
    jobs: [aJob()],
    want: 'restore-run our-write-covers-a-newer-state',
    wantWhy: /our Failed lies over a newer Cancelled/u,
  },
  'our Failed ended its own attempt': { run: failedByUs, jobs: [failed], want: 'wait kept-for-its-ttl' },

  'succeeded without starting: made again': { jobs: [complete], want: 'delete-job ended-without-starting' },
  'succeeded without starting, five claims later': {
    run: aFlowRun({
      history: [
        scheduled,
        ...[2, 3, 4, 5, 6].map((version) => aClaimRow({ at: `-${20 - version}m`, version, key: '1', until: '-9m' })),
      ],
    }),
    jobs: [complete],
    want: 'fail-run ended-without-starting',
    wantWhy: /5 times/u,
  },
  'succeeded under an older key': {
    jobs: [aJob({ phase: 'complete', finishedAt: at('-3m'), key: '0' })],
    want: 'wait kept-for-its-ttl',
  },

  'failed before it started': {
    jobs: [failed],
    pods: [crashed],
    want: 'fail-run failed-before-it-started',
    wantWhy: /exited with code 1/u,
  },
  'failed under an older key: says nothing about this attempt': {
    jobs: [aJob({ ...failed, key: '0' })],
    pods: [crashed],
    want: 'wait kept-for-its-ttl',
  },
  'failed after Lazarus rescheduled the run': {
    run: aFlowRun({
      history: [
        scheduled,
        claim,
        aRow({ state: 'Scheduled', at: '-1m', version: 3, message: 'Rescheduled by a Lazarus process.' }),
      ],
    }),
    jobs: [failed],
    pods: [crashed],
    want: 'wait kept-for-its-ttl',
  },
  'lost before it started, no retries wanted': {
    jobs: [failed],
    pods: [evicted],
    want: 'fail-run failed-before-it-started',
    wantWhy: /EvictionByEvictionAPI/u,
  },
  'lost before it started, one retry wanted': {
    jobs: [failed],
    pods: [evicted],
    policy: { infraRetries: 1 },
    want: 'delete-job lost-before-it-started',
  },
  'lost before it started, the retry is spent': {
    run: aFlowRun({
      history: [
        scheduled,
        aClaimRow({ at: '-18m', version: 2, key: '1', until: '-17m' }),
        aClaimRow({ at: '-15m', version: 3, key: '1', until: '-13m' }),
      ],
    }),
    jobs: [failed],
    pods: [evicted],
    policy: { infraRetries: 1 },
    want: 'fail-run failed-before-it-started',
  },
  'died while running': {
    run: atWork,
    jobs: [failed],
    pods: [anEndedPod({ exitCode: 137, reason: 'OOMKilled', memoryLimit: '512Mi' })],
    want: 'fail-run died-while-running',
    wantWhy: /OOMKilled, limit 512Mi/u,
  },
  'died while running, but a newer Job is active': {
    run: atWork,
    jobs: [failed, aJob({ uid: 'second', createdAt: at('-1m') })],
    pods: [crashed],
    want: 'wait kept-for-its-ttl',
  },
  'died while running, but a newer Job succeeded': {
    run: atWork,
    jobs: [failed, aJob({ uid: 'second', phase: 'complete', createdAt: at('-5m'), finishedAt: at('-1m') })],
    pods: [crashed],
    want: 'wait kept-for-its-ttl',
  },
  'lost while running, retries are the server’s': {
    run: atWork,
    jobs: [failed],
    pods: [evicted],
    policy: { infraRetries: 1 },
    want: 'wait lost-while-running',
  },
  'lost while running, the server has not acted for an hour': {
    run: atWork,
    jobs: [aJob({ ...failed, finishedAt: at('-61m') })],
    pods: [evicted],
    policy: { infraRetries: 1 },
    want: 'fail-run died-while-running',
  },
  'lost while running, the server’s services are off for the flow': {
    run: { ...atWork, flow: aFlow({ settings: { heartbeat_enabled: false } }) },
    jobs: [failed],
    pods: [evicted],
    policy: { infraRetries: 1 },
    want: 'fail-run died-while-running',
  },
  'lost while running, and a task retry will come': {
    run: { ...atWork, waitingTaskRuns: 1, flow: aFlow({ settings: { heartbeat_enabled: false } }) },
    jobs: [failed],
    pods: [evicted],
    policy: { infraRetries: 1 },
    want: 'wait lost-while-running',
  },
  'ended while running': { run: atWork, jobs: [complete], want: 'wait ended-while-running' },
  'ended while running, nobody acted for an hour': {
    run: atWork,
    jobs: [aJob({ phase: 'complete', finishedAt: at('-61m') })],
    want: 'fail-run ended-while-running',
  },
  'ended while running, a task retry waits for longer': {
    run: { ...atWork, waitingTaskRuns: 1 },
    jobs: [aJob({ phase: 'complete', finishedAt: at('-61m') })],
    want: 'wait ended-while-running',
  },
  'ended while running, Lazarus is off for the flow': {
    run: { ...atWork, flow: aFlow({ settings: { lazarus_enabled: false } }) },
    jobs: [complete],
    want: 'fail-run ended-while-running',
  },

  'paused by somebody': {
    run: aFlowRun({ history: [scheduled, claim, running, aRow({ state: 'Paused', at: '-5m', version: 4 })] }),
    jobs: [failed],
    pods: [crashed],
    want: 'wait run-paused',
  },
  'an announced failure is not terminal yet': {
    run: atWork,
    jobs: [aJob({ announced: 'FailureTarget' })],
    pods: [crashed],
    want: 'wait about-to-end',
  },
  'an announced success is not terminal yet': {
    run: atWork,
    jobs: [aJob({ announced: 'SuccessCriteriaMet' })],
    want: 'wait about-to-end',
  },
  'a failed pod before the run started, and the Job tries again: Lazarus stays away': {
    jobs: [aJob({ failedPods: 1 })],
    pods: [crashed],
    want: 'heartbeat backoff-retries-left',
  },
  'a failed pod, and the Job tries again': {
    run: atWork,
    jobs: [aJob({ failedPods: 1 })],
    pods: [crashed],
    want: 'wait backoff-retries-left',
  },
  'a pod refused for good, within its grace': {
    jobs: [aJob({ createdAt: at('-60s'), ...podless })],
    events: [refusal('pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged')],
    want: 'heartbeat waiting-to-start',
  },
  'a pod refused for good, beyond its grace': {
    jobs: [aJob({ createdAt: at('-61s'), ...podless })],
    events: [refusal('pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged')],
    want: 'fail-run pod-refused-for-good',
    wantWhy: /PodSecurity/u,
  },
  'a pod refused by a quota waits for room': {
    jobs: [aJob({ createdAt: at('-10m'), ...podless })],
    events: [refusal('pods "x" is forbidden: exceeded quota: pods')],
    want: 'heartbeat without-a-pod',
    wantWhy: /QuotaExceeded/u,
  },
  'a pod refused by a webhook that is away waits for it': {
    jobs: [aJob({ createdAt: at('-10m'), ...podless })],
    events: [refusal('Internal error occurred: failed calling webhook "v": denied the request')],
    want: 'heartbeat without-a-pod',
  },

  'a sidecar outlives a finished flow, within its grace': {
    run: succeeded,
    pods: [lingering(0, '-60s')],
    want: 'wait finishing',
  },
  'a sidecar outlives a finished flow, beyond its grace': {
    run: succeeded,
    pods: [lingering(0, '-61s')],
    want: 'delete-job sidecar-keeps-the-job',
  },
  'a sidecar hides that the flow died': {
    run: atWork,
    pods: [lingering(137, '-61s')],
    want: 'fail-run flow-ended-under-a-sidecar',
  },
  'a sidecar hides that the flow died, a moment ago': {
    run: atWork,
    pods: [lingering(137, '-60s')],
    want: 'wait still-working',
  },
  'a sidecar outlives a flow that left its run Running': {
    run: atWork,
    pods: [lingering(0, '-30m')],
    want: 'wait flow-ended-under-a-sidecar',
  },
  'a sidecar outlives a flow that left its run Running, and nobody acts': {
    run: atWork,
    pods: [lingering(0, '-61m')],
    want: 'fail-run flow-ended-under-a-sidecar',
  },
  'a sidecar outlives a flow whose task retry waits': {
    run: { ...atWork, waitingTaskRuns: 1 },
    pods: [lingering(0, '-61m')],
    want: 'wait still-working',
  },
  'a sidecar outlives a pod that came too early': {
    pods: [lingering(0, '-61s')],
    want: 'delete-job ended-without-starting',
  },

  'a Job of an older version of ours, without a key': {
    jobs: [aJob({ phase: 'failed', finishedAt: at('-1h'), key: null })],
    pods: [crashed],
    want: 'wait kept-for-its-ttl',
  },

  'a Job of another stack is left alone': { jobs: [aJob({ stackId: OTHER_STACK, phase: 'failed' })], want: '' },
  'a Job of the ordinary agent is left alone': { jobs: [aJob({ stackId: null, phase: 'failed' })], want: '' },
  'a Job of ours without a run is left alone': { run: 'gone', jobs: [aJob({ runId: null })], want: '' },

  'no Job, claimed within its lease': {
    run: aFlowRun({ history: [scheduled, aClaimRow({ at: '-1m', version: 2, key: '1', until: '+1m' })] }),
    jobs: [],
    want: 'wait claimed-within-its-lease',
  },
  'no Job, the lease is over: dispatch claims again': { jobs: [], want: 'wait jobless-claim-is-dispatchs' },
  'no Job, cancelled under a claim': {
    run: aFlowRun({ history: [scheduled, aRow({ state: 'Cancelled', at: '-16m', version: 2 }), claim] }),
    jobs: [],
    want: 'cancel-run cancelled-without-a-job',
  },
  'no Job, our claim covers a Success': {
    run: successCovered,
    jobs: [],
    want: 'restore-run jobless-claim-covers-a-newer-state',
  },
  'no Job, Cancelling': { run: cancelling('-1m'), jobs: [], want: 'cancel-run cancelled-without-a-job' },
  'no Job, Cancelling, and a pod is left': {
    run: cancelling('-1m'),
    jobs: [],
    pods: [aPod()],
    want: 'wait cancelled-without-a-job',
    wantWhy: /a pod of it is still there/u,
  },
  'no Job, Cancelling, and a pod is left that has ended': {
    run: cancelling('-1m'),
    jobs: [],
    pods: [aPod({ phase: 'Succeeded' })],
    want: 'cancel-run cancelled-without-a-job',
  },
  'no Job, Running': { run: atWork, jobs: [], want: 'wait running-without-a-job', wantWhy: /zombie/u },
  'no Job, Running, a task retry waits': {
    run: { ...atWork, waitingTaskRuns: 1 },
    jobs: [],
    want: 'wait running-without-a-job',
    wantWhy: /retry/u,
  },
  'no Job, Running, and nobody acted for an hour': {
    run: silent('-61m'),
    jobs: [],
    want: 'fail-run running-with-nothing-left',
  },
  'no Job, Running, and nobody acted for just less than an hour': {
    run: silent('-60m'),
    jobs: [],
    want: 'wait running-without-a-job',
  },
  'no Job, Running, a heartbeat came within the hour': {
    run: { ...silent('-61m'), heartbeat: at('-59m') },
    jobs: [],
    want: 'wait running-without-a-job',
  },
  'no Job, Running, a pod of it is left': {
    run: silent('-61m'),
    jobs: [],
    pods: [aPod()],
    want: 'wait running-without-a-job',
  },
  'no Job, Running, only a failed pod of it is left': {
    run: silent('-61m'),
    jobs: [],
    pods: [aPod({ phase: 'Failed' })],
    want: 'fail-run running-with-nothing-left',
  },
  'no Job, Running, and some Job or pod could not be read': {
    run: silent('-61m'),
    jobs: [],
    unreadable: true,
    want: 'wait running-without-a-job',
  },
  'no Job, Running, silent, and a task retry waits': {
    run: { ...silent('-61m'), waitingTaskRuns: 1 },
    jobs: [],
    want: 'wait running-without-a-job',
  },
  'no Job, Running, the services are off for the flow': {
    run: { ...silent('-121s'), flow: aFlow({ settings: { lazarus_enabled: false } }) },
    jobs: [],
    want: 'fail-run running-with-nothing-left',
  },
  'no Job, Running a moment ago, the services are off for the flow': {
    run: { ...silent('-120s'), flow: aFlow({ settings: { lazarus_enabled: false } }) },
    jobs: [],
    want: 'wait running-without-a-job',
  },
  'no Job here, and claimed by another stack of our name': {
    run: aFlowRun({ history: [scheduled, foreignClaim, aRow({ state: 'Cancelling', at: '-5m', version: 3 })] }),
    jobs: [],
    want: 'wait claimed-by-somebody-else',
  },
  'no Job here, Running by another stack’s claim': {
    run: aFlowRun({ history: [scheduled, foreignClaim, aRow({ state: 'Running', at: '-61m', version: 3 })] }),
    jobs: [],
    want: 'wait claimed-by-somebody-else',
  },
  'no Job, claimed by another stack before us': {
    run: aFlowRun({
      history: [scheduled, foreignClaim, aClaimRow({ at: '-4m', version: 3, key: '1', until: '-2m' })],
    }),
    jobs: [],
    want: 'wait jobless-claim-is-dispatchs',
  },
  'our Job failed, and another stack claimed the run since': {
    run: aFlowRun({
      history: [scheduled, claim, foreignClaim, aRow({ state: 'Running', at: '-4m', version: 4 })],
    }),
    jobs: [failed],
    pods: [crashed],
    want: 'wait kept-for-its-ttl',
  },
  'our Job is over, the run is being cancelled, and another stack claimed it since': {
    run: aFlowRun({
      history: [scheduled, claim, foreignClaim, aRow({ state: 'Cancelling', at: '-4m', version: 4 })],
    }),
    jobs: [complete],
    want: 'wait kept-for-its-ttl',
  },

  'no Job, finished': { run: succeeded, jobs: [], want: 'wait already-over' },
};
