import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { ClusterEvent, JobSnapshot, PodSnapshot } from '../../functions/core/cluster.ts';
import { diagnose, type Diagnosis } from '../../functions/core/pod-diagnosis.ts';
import { podRefusal } from '../../functions/core/pod-refusals.ts';
import { knownWaitingReasons, waitingReason } from '../../functions/core/waiting-reasons.ts';
import { aContainer, aJob, anEndedPod, aPod, aWaitingPod } from '../support/builders.ts';
import { at } from '../support/time.ts';

const anEvent = (wish: Partial<ClusterEvent>): ClusterEvent => ({
  uid: 'event-1',
  objectKind: 'Job',
  objectName: 'prefect-job-0123456789abcdef',
  objectUid: 'job-uid-1',
  type: 'Warning',
  reason: 'FailedCreate',
  message: '',
  count: 1,
  at: at('-1m'),
  ...wish,
});

/** `PodScheduled=False`, its reason and what was said. */
const condition = (what: string, reason: string, message = '') => {
  const [type = '', status = ''] = what.split('=');
  return { type, status, reason, message, since: at('-4m') };
};
const disrupted = (reason: string): PodSnapshot =>
  anEndedPod({ exitCode: 137 }, { conditions: [condition('DisruptionTarget=True', reason, 'the node goes')] });
const failed = (reason = 'BackoffLimitExceeded', message = ''): JobSnapshot =>
  aJob({ phase: 'failed', reason, message, finishedAt: at('-2m') });

interface Case {
  readonly job?: JobSnapshot;
  readonly pods?: readonly PodSnapshot[];
  readonly events?: readonly ClusterEvent[];
  readonly want: Partial<Diagnosis>;
  readonly wantSummary?: RegExp;
}

const cases: Record<string, Case> = {
  'a running pod': { pods: [aPod()], want: { progress: 'running', category: 'Running', hopeless: false } },
  'a pod on a node that does not answer, and may come back': {
    pods: [aPod({ phase: 'Unknown' })],
    want: { progress: 'running', infrastructure: false },
    wantSummary: /node does not answer/u,
  },
  'a pod whose containers are being made': {
    pods: [aWaitingPod('ContainerCreating')],
    want: { progress: 'starting', category: 'Starting' },
  },
  'a pod without a word of the kubelet': {
    pods: [aPod({ phase: 'Pending', containers: [aContainer({ state: 'unknown' })] })],
    want: { progress: 'starting' },
  },
  'a pod that waits for a reason nobody knows': {
    pods: [aWaitingPod('SomethingNew')],
    want: { progress: 'starting', hopeless: false },
  },
  'an image that does not come': {
    pods: [aWaitingPod('ImagePullBackOff')],
    want: { progress: 'blocked', category: 'ImagePull', hopeless: false },
  },
  'an image name that is none': {
    pods: [aWaitingPod('InvalidImageName')],
    want: { progress: 'blocked', hopeless: true },
    wantSummary: /InvalidImageName.*because of/u,
  },
  'a Secret that is not there': {
    pods: [aWaitingPod('CreateContainerConfigError')],
    want: { progress: 'blocked', category: 'ContainerConfig' },
  },
  'an init container whose image does not come': {
    pods: [
      aPod({
        phase: 'Pending',
        containers: [
          aContainer({ state: 'waiting', reason: 'PodInitializing' }),
          aContainer({ name: 'setup', role: 'init', state: 'waiting', reason: 'ErrImagePull' }),
        ],
      }),
    ],
    want: { progress: 'blocked', category: 'ImagePull' },
    wantSummary: /init container 'setup'/u,
  },
  'a native sidecar whose image does not come decides nothing': {
    pods: [
      aPod({
        containers: [
          aContainer({ startedAt: at('-9m') }),
          aContainer({ name: 'mesh', role: 'sidecar', state: 'waiting', reason: 'ImagePullBackOff' }),
        ],
      }),
    ],
    want: { progress: 'running' },
  },
  'since when a pod is blocked: since it was scheduled': {
    pods: [aWaitingPod('ImagePullBackOff', { conditions: [condition('PodScheduled=True', '')] })],
    want: { since: at('-4m') },
  },

  'no room for it': {
    pods: [
      aPod({
        phase: 'Pending',
        containers: [],
        conditions: [condition('PodScheduled=False', 'Unschedulable', '0/3 nodes are available: 3 Insufficient cpu.')],
      }),
    ],
    want: { progress: 'unscheduled', category: 'Unschedulable', since: at('-4m') },
    wantSummary: /Insufficient cpu/u,
  },
  ...Object.fromEntries(
    [
      ['node(s) had untolerated taint {dedicated: gpu}', /untolerated taint \{dedicated: gpu\}\.$/u] as const,
      ["node(s) didn't match Pod's node affinity/selector", /Pod's node affinity\/selector\.$/u] as const,
      ['pod has unbound immediate PersistentVolumeClaims', /unbound immediate PersistentVolumeClaims\.$/u] as const,
    ].map(([said, wantSummary]): [string, Case] => [
      `no node for it: ${said}`,
      {
        pods: [
          aPod({
            phase: 'Pending',
            containers: [],
            conditions: [condition('PodScheduled=False', 'Unschedulable', `0/3 nodes are available: 3 ${said}.`)],
          }),
        ],
        want: { progress: 'unscheduled', category: 'Unschedulable', hopeless: false },
        wantSummary,
      },
    ]),
  ),
  'no room for it, and the autoscaler will make none': {
    pods: [
      aPod({
        phase: 'Pending',
        containers: [],
        conditions: [condition('PodScheduled=False', 'Unschedulable', 'Insufficient nvidia.com/gpu.')],
      }),
    ],
    events: [
      anEvent({
        objectKind: 'Pod',
        objectUid: 'pod-uid-1',
        type: 'Normal',
        reason: 'NotTriggerScaleUp',
        message: 'pod didn’t trigger scale-up: 1 max node group size reached',
      }),
    ],
    want: { progress: 'unscheduled' },
    wantSummary: /gpu.*autoscaler adds no node.*max node group size/u,
  },

  'exit code 1': {
    job: failed(),
    pods: [anEndedPod({ exitCode: 1, reason: 'Error' })],
    want: { progress: 'ended', category: 'ExitCode', exitCode: 1, infrastructure: false },
    wantSummary: /code 1 \(Error\)/u,
  },
  'out of memory, with its limit': {
    job: failed(),
    pods: [anEndedPod({ exitCode: 137, reason: 'OOMKilled', memoryLimit: '512Mi' })],
    want: { category: 'OOMKilled' },
    wantSummary: /limit 512Mi/u,
  },
  'out of memory, without a limit': {
    job: failed(),
    pods: [anEndedPod({ exitCode: 137, reason: 'OOMKilled' })],
    want: { category: 'OOMKilled' },
    wantSummary: /\(OOMKilled\)/u,
  },
  'ended by a signal': {
    job: failed(),
    pods: [anEndedPod({ exitCode: 143, signal: 15 })],
    want: { category: 'Signal' },
    wantSummary: /signal 15/u,
  },
  'an init container that failed': {
    job: failed(),
    pods: [
      anEndedPod(
        { state: 'waiting', exitCode: null },
        {
          containers: [
            aContainer({ state: 'waiting', reason: 'PodInitializing' }),
            aContainer({ name: 'setup', role: 'init', state: 'terminated', exitCode: 2 }),
          ],
        },
      ),
    ],
    want: {
      category: 'ExitCode',
      log: { pod: 'prefect-job-0123456789abcdef-x7k2p', container: 'setup', restarted: false },
    },
    wantSummary: /init container 'setup'/u,
  },
  'evicted by the kubelet': {
    job: failed(),
    pods: [anEndedPod({ state: 'unknown' }, { reason: 'Evicted', message: 'The node was low on resource: memory.' })],
    want: { category: 'Evicted', infrastructure: true },
    wantSummary: /low on resource/u,
  },
  'refused by the kubelet': {
    job: failed(),
    pods: [anEndedPod({ state: 'unknown' }, { reason: 'OutOfcpu' })],
    want: { category: 'NodeLost', infrastructure: true },
  },
  preempted: {
    job: failed(),
    pods: [disrupted('PreemptionByScheduler')],
    want: { category: 'Preempted', infrastructure: true },
  },
  drained: {
    job: failed(),
    pods: [disrupted('EvictionByEvictionAPI')],
    want: { category: 'Drained', infrastructure: true },
  },
  'its node was lost': {
    job: failed(),
    pods: [disrupted('DeletionByTaintManager')],
    want: { category: 'NodeLost', infrastructure: true },
  },
  'disrupted for a reason nobody knows': {
    job: failed(),
    pods: [disrupted('SomethingNew')],
    want: { category: 'Disrupted', infrastructure: true },
  },
  'a disruption named like something that every object has': {
    job: failed(),
    pods: [disrupted('constructor')],
    want: { category: 'Disrupted', infrastructure: true },
  },
  'a failure named like something that every object has': {
    job: failed('__proto__'),
    pods: [anEndedPod({ exitCode: 1 })],
    want: { category: 'ExitCode', infrastructure: false },
  },
  'a disruption that was only announced': {
    job: failed(),
    pods: [anEndedPod({ exitCode: 1 }, { conditions: [condition('DisruptionTarget=False', 'PreemptionByScheduler')] })],
    want: { category: 'ExitCode', infrastructure: false },
  },
  'longer than its deadline': {
    job: failed('DeadlineExceeded'),
    want: { category: 'DeadlineExceeded' },
    wantSummary: /activeDeadlineSeconds$/u,
  },
  'longer than its deadline, with the pod that was killed': {
    job: failed('DeadlineExceeded'),
    pods: [anEndedPod({ exitCode: 143 })],
    want: { category: 'DeadlineExceeded', exitCode: 143 },
    wantSummary: /code 143/u,
  },
  'ended by its podFailurePolicy': {
    job: failed('PodFailurePolicy'),
    pods: [anEndedPod({ exitCode: 42 })],
    want: { category: 'PodFailurePolicy', exitCode: 42 },
  },
  'failed, and no pod is left to tell': {
    job: failed('BackoffLimitExceeded', 'Job has reached the specified backoff limit'),
    want: { category: 'BackoffLimitExceeded' },
    wantSummary: /backoff limit/u,
  },
  'failed, and its pod was deleted': {
    job: { ...failed(), failedPods: 1 },
    want: { category: 'PodDeleted', infrastructure: true, since: at('-2m'), log: null },
    wantSummary: /drained or lost/u,
  },
  'failed, one pod was deleted and another one ended by itself': {
    job: { ...failed(), failedPods: 2 },
    pods: [anEndedPod({ exitCode: 1 })],
    want: { category: 'ExitCode', infrastructure: false },
  },
  'longer than its deadline, which deletes the pod': {
    job: { ...failed('DeadlineExceeded'), failedPods: 1 },
    want: { category: 'DeadlineExceeded', infrastructure: false },
  },
  'failed without a word': { job: failed(''), want: { category: 'JobFailed' } },
  'the pod that failed last tells': {
    job: failed(),
    pods: [
      anEndedPod({ exitCode: 1 }, { uid: 'a', createdAt: at('-30m') }),
      anEndedPod({ exitCode: 2 }, { uid: 'b', createdAt: at('-20m') }),
      anEndedPod({ exitCode: 0 }, { uid: 'c', createdAt: at('-10m'), phase: 'Succeeded' }),
    ],
    want: { exitCode: 2 },
  },
  'a pod that failed without any container': {
    pods: [aPod({ phase: 'Failed', containers: [], message: 'gone' })],
    want: { progress: 'ended', category: 'Failed', log: null },
    wantSummary: /is Failed: gone/u,
  },

  'the pod has succeeded: it is not listed, and the Job does not say so yet': {
    want: { progress: 'ended', category: 'Ended' },
    wantSummary: /does not say so yet/u,
  },
  'no pod yet': {
    job: aJob({ activePods: 0, podsEver: 0 }),
    want: { progress: 'podless', category: 'Podless', hopeless: false },
  },
  'the flow ended and its sidecar did not': {
    pods: [
      aPod({
        containers: [
          aContainer({ state: 'terminated', exitCode: 0, startedAt: at('-9m'), finishedAt: at('-5m') }),
          aContainer({ name: 'proxy', role: 'other' }),
        ],
      }),
    ],
    want: { progress: 'lingering', category: 'SidecarHang', since: at('-5m'), exitCode: 0 },
  },
  'the flow was killed and its sidecar was not': {
    pods: [
      aPod({
        containers: [
          aContainer({
            state: 'terminated',
            exitCode: 137,
            reason: 'OOMKilled',
            startedAt: at('-9m'),
            finishedAt: null,
          }),
          aContainer({ name: 'proxy', role: 'sidecar' }),
        ],
      }),
    ],
    want: { progress: 'lingering', category: 'OOMKilled', since: at('-10m') },
  },
};

describe('a diagnosis', () => {
  for (const [name, { job = aJob(), pods = [], events = [], want, wantSummary }] of Object.entries(cases)) {
    it(name, () => {
      const found = diagnose(job, pods, events);
      const seen = Object.fromEntries(Object.keys(want).map((key) => [key, found[key as keyof Diagnosis]]));
      assert.deepEqual(seen, want);
      if (wantSummary !== undefined) assert.match(found.summary, wantSummary);
    });
  }

  it('keeps the words of others on one line, without control characters and not without end', () => {
    const { summary } = diagnose(
      aJob(),
      [
        aWaitingPod('ErrImagePull', {
          containers: [
            aContainer({
              state: 'waiting',
              reason: 'ErrImagePull',
              message: `\u001B[31mred\u0000\r\n${'x'.repeat(1_000_000)}`,
            }),
          ],
        }),
      ],
      [],
    );
    assert.ok(summary.length < 800);
    assert.ok(!/\p{Cc}/u.test(summary));
  });
});

describe('a refusal of the pod', () => {
  const words: Record<string, { message: string; want: string; wantPermanent: boolean }> = {
    'quota on pods': {
      message: 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
      want: 'QuotaExceeded',
      wantPermanent: false,
    },
    'quota that wants requests': {
      message: 'pods "x" is forbidden: failed quota: q: must specify limits.cpu',
      want: 'QuotaExceeded',
      wantPermanent: false,
    },
    'a service account that is not there': {
      message: 'pods "x" is forbidden: error looking up service account flows/etl: serviceaccount "etl" not found',
      want: 'ServiceAccountMissing',
      wantPermanent: true,
    },
    PodSecurity: {
      message: 'pods "x" is forbidden: violates PodSecurity "baseline:latest": host namespaces',
      want: 'PodSecurity',
      wantPermanent: true,
    },
    'a webhook that says no': {
      message: 'admission webhook "v.example.com" denied the request: no',
      want: 'AdmissionDenied',
      wantPermanent: true,
    },
    'a webhook that is away': {
      message: 'Internal error occurred: failed calling webhook "v.example.com": connection refused',
      want: 'WebhookUnavailable',
      wantPermanent: false,
    },
    'words that nobody knows': { message: 'something new', want: 'PodRefused', wantPermanent: false },
  };
  for (const [name, { message, want, wantPermanent }] of Object.entries(words)) {
    it(name, () => {
      const { category, permanent } = podRefusal(aJob(), [anEvent({ message: `Error creating: ${message}` })]);
      assert.deepEqual({ category, permanent }, { category: want, permanent: wantPermanent });
    });
  }

  it('is the last one, and about this very Job', () => {
    const events = [
      anEvent({ message: 'exceeded quota', at: at('-5m') }),
      anEvent({ message: 'violates PodSecurity', at: at('-1m') }),
      anEvent({ message: 'serviceaccount "a" not found', at: at('-30s'), objectUid: 'another' }),
      anEvent({ message: 'exceeded quota', at: null }),
    ];
    assert.equal(podRefusal(aJob(), events).category, 'PodSecurity');
  });
});

describe('a waiting reason', () => {
  it('is known with a fate and a category', () => {
    assert.equal(knownWaitingReasons.length, 16);
    assert.deepEqual(
      knownWaitingReasons.filter((reason) => waitingReason(reason).fate === 'never'),
      ['InvalidImageName'],
    );
    assert.deepEqual(
      knownWaitingReasons.filter((reason) => waitingReason(reason).fate === 'wait'),
      ['ContainerCreating', 'PodInitializing'],
    );
  });

  it('that is a word of the language is none', () => assert.equal(waitingReason('constructor').fate, 'wait'));
});
