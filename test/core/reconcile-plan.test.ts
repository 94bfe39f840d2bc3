import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import type { ClusterEvent, JobSnapshot, PodSnapshot } from '../../functions/core/cluster.ts';
import type { FlowRun } from '../../functions/core/flow-run.ts';
import type { ReconcilePolicy } from '../../functions/core/reconcile-case.ts';
import { duplicates, planReconcile, reconcileRuleNames, reconcileRules } from '../../functions/core/reconcile-plan.ts';
import {
  aClaimRow,
  aContainer,
  aFlow,
  aFlowRun,
  aJob,
  anEndedPod,
  aPod,
  aReconcilePolicy,
  aRow,
  aRunId,
  aWaitingPod,
  OTHER_STACK,
  STACK,
} from '../support/builders.ts';
import { at, T0 } from '../support/time.ts';

const scheduled = aRow({ state: 'Scheduled', at: '-20m', version: 1 });
const claim = aClaimRow({ at: '-15m', version: 2, key: '1', until: '-13m' });
const running = aRow({ state: 'Running', at: '-9m', version: 3 });
const submitted = aFlowRun({ history: [scheduled, claim] });
const atWork = aFlowRun({ history: [scheduled, claim, running] });
const succeeded = aFlowRun({ history: [scheduled, claim, running, aRow({ state: 'Success', at: '-2m', version: 4 })] });
const cancelling = (since: string): FlowRun =>
  aFlowRun({ history: [scheduled, claim, running, aRow({ state: 'Cancelling', at: since, version: 4 })] });
const cancelledWhilePending = aFlowRun({
  history: [scheduled, claim, aRow({ state: 'Cancelled', at: '-10s', version: 3 })],
});

const complete = aJob({ phase: 'complete', finishedAt: at('-3m') });
const failed = aJob({ phase: 'failed', finishedAt: at('-3m'), reason: 'BackoffLimitExceeded' });
const young = { createdAt: at('-119s') };
const crashed = anEndedPod({ exitCode: 1, reason: 'Error' });
const evicted = anEndedPod(
  { exitCode: 137 },
  {
    conditions: [
      { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'drained', since: null },
    ],
  },
);

/** The flow container has ended, a sidecar of the old kind goes on. */
const lingering = (exitCode: number, ended: string): PodSnapshot =>
  aPod({
    containers: [
      aContainer({ state: 'terminated', exitCode, startedAt: at('-9m'), finishedAt: at(ended) }),
      aContainer({ name: 'proxy', role: 'other', startedAt: at('-9m') }),
    ],
  });

const refusal = (message: string): ClusterEvent => ({
  uid: 'event-1',
  objectKind: 'Job',
  objectName: aJob().name,
  objectUid: aJob().uid,
  type: 'Warning',
  reason: 'FailedCreate',
  message: `Error creating: ${message}`,
  count: 1,
  at: at('-30s'),
});

interface Case {
  readonly run?: FlowRun | 'gone' | 'unread';
  readonly jobs?: readonly JobSnapshot[];
  readonly pods?: readonly PodSnapshot[];
  readonly events?: readonly ClusterEvent[];
  readonly policy?: Partial<ReconcilePolicy>;
  readonly want: string;
  readonly wantWhy?: RegExp;
}

const knownRuns = (run: FlowRun | 'gone' | 'unread') =>
  new Map(typeof run === 'string' ? [] : [[run.id, run] as const]);

function plan(input: Omit<Case, 'want'>, rules = reconcileRules) {
  const { run, jobs, pods, events, policy } = {
    run: submitted,
    jobs: [aJob()],
    pods: [],
    events: [],
    policy: {},
    ...input,
  };
  const gone = new Set(run === 'gone' ? [aRunId(1)] : []);
  return planReconcile(
    { runs: knownRuns(run), gone, jobs, pods, events, policy: aReconcilePolicy(policy), now: T0 },
    rules,
  );
}

const told = ([action]: ReturnType<typeof plan>): string =>
  action === undefined ? '' : `${action.kind} ${action.rule}`;

const cases: Record<string, Case> = {
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

  'finished while its pod still waits': {
    run: succeeded,
    pods: [aWaitingPod('ImagePullBackOff')],
    want: 'delete-job run-finished-before-the-pod-started',
  },
  'finished, and its pod ends': { run: succeeded, pods: [aPod()], want: 'wait finishing' },
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
    run: aFlowRun({ history: [scheduled, claim, aRow({ state: 'Scheduled', at: '-1m', version: 3 })] }),
    pods: [aWaitingPod('ImagePullBackOff')],
    want: 'delete-job blocks-a-newer-attempt',
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
  'no pod yet': { jobs: [aJob({ createdAt: at('-60s') })], want: 'heartbeat waiting-to-start' },
  'no pod for too long': { jobs: [aJob({ createdAt: at('-61s') })], want: 'heartbeat without-a-pod' },

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
  'a failed pod, and the Job tries again': {
    run: atWork,
    jobs: [aJob({ failedPods: 1 })],
    pods: [crashed],
    want: 'wait backoff-retries-left',
  },
  'a pod refused for good, within its grace': {
    jobs: [aJob({ createdAt: at('-60s') })],
    events: [refusal('pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged')],
    want: 'heartbeat waiting-to-start',
  },
  'a pod refused for good, beyond its grace': {
    jobs: [aJob({ createdAt: at('-61s') })],
    events: [refusal('pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged')],
    want: 'fail-run pod-refused-for-good',
    wantWhy: /PodSecurity/u,
  },
  'a pod refused by a quota waits for room': {
    jobs: [aJob({ createdAt: at('-10m') })],
    events: [refusal('pods "x" is forbidden: exceeded quota: pods')],
    want: 'heartbeat without-a-pod',
    wantWhy: /QuotaExceeded/u,
  },
  'a pod refused by a webhook that is away waits for it': {
    jobs: [aJob({ createdAt: at('-10m') })],
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
  'no Job, Cancelling': { run: cancelling('-1m'), jobs: [], want: 'cancel-run cancelled-without-a-job' },
  'no Job, Running': { run: atWork, jobs: [], want: 'wait running-without-a-job', wantWhy: /zombie/u },
  'no Job, Running, a task retry waits': {
    run: { ...atWork, waitingTaskRuns: 1 },
    jobs: [],
    want: 'wait running-without-a-job',
    wantWhy: /retry/u,
  },
  'no Job, finished': { run: succeeded, jobs: [], want: 'wait already-over' },
};

describe('one Job or run, one rule', () => {
  for (const [name, { want, wantWhy, ...input }] of Object.entries(cases)) {
    it(name, () => {
      const actions = plan(input);
      assert.equal(told(actions), want);
      if (wantWhy !== undefined) assert.match(actions[0]?.why ?? '', wantWhy);
    });
  }

  it('leaves no rule of the table without a case', () => {
    const hit = new Set(Object.values(cases).map(({ want }) => want.split(' ')[1]));
    assert.deepEqual(
      reconcileRuleNames.filter((rule) => !hit.has(rule)),
      [],
    );
  });
});

describe('each rule is needed', () => {
  const without = (name: string) => ({
    jobs: reconcileRules.jobs.filter((rule) => rule.name !== name),
    runs: reconcileRules.runs.filter((rule) => rule.name !== name),
  });
  // The last row of each table only names what is left.
  const last = new Set(['still-working', 'running-without-a-job']);
  for (const name of reconcileRuleNames.filter((rule) => !last.has(rule))) {
    it(`without ${name} another decision is made`, () => {
      const changed = Object.values(cases).filter((input) => told(plan(input, without(name))) !== input.want);
      assert.ok(changed.length > 0);
    });
  }
});

describe('what can never happen, whatever the case', () => {
  const runs = [submitted, atWork, succeeded, cancelling('-10m'), cancelledWhilePending];
  const phases = ['active', 'suspended', 'complete', 'failed'] as const;
  const pods = [
    [],
    [aPod()],
    [crashed],
    [evicted],
    [aWaitingPod('ImagePullBackOff')],
    [aWaitingPod('InvalidImageName')],
  ];
  const anyCase = fc.record({
    run: fc.constantFrom(...runs),
    phase: fc.constantFrom(...phases),
    pods: fc.constantFrom(...pods),
    ageSeconds: fc.integer({ min: 0, max: 10_000 }),
    key: fc.constantFrom('0', '1', '2'),
    infraRetries: fc.constantFrom(0, 1),
  });
  const actionsOf = ({
    run,
    phase,
    pods: some,
    ageSeconds,
    key,
    infraRetries,
  }: typeof anyCase extends fc.Arbitrary<infer T> ? T : never) =>
    plan({
      run,
      jobs: [aJob({ phase, key, createdAt: at(`-${ageSeconds}s`), finishedAt: at('-1s') })],
      pods: some,
      policy: { infraRetries },
    });

  it('a finished run is never failed, never cancelled', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const written = actionsOf(input).filter((action) => action.kind === 'fail-run' || action.kind === 'cancel-run');
        assert.ok(written.every((action) => ['Submitted', 'Running', 'Cancelling'].includes(action.run.state)));
      }),
    );
  });

  it('a Job younger than the quiet age is never deleted', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const deleted = actionsOf(input).some((action) => action.kind === 'delete-job');
        assert.ok(!deleted || input.ageSeconds > 120);
      }),
    );
  });

  it('a Submitted run is only failed by the Job of its claim', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const failedSubmitted = actionsOf({ ...input, run: submitted }).some((action) => action.kind === 'fail-run');
        assert.ok(!failedSubmitted || input.key === '1');
      }),
    );
  });

  it('a Job whose pod runs is only ended for a cancelled run', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const [action] = actionsOf({ ...input, phase: 'active', pods: [aPod()] });
        assert.ok(action?.kind !== 'delete-job' || action.rule === 'run-cancelled');
      }),
    );
  });

  it('the plan does not depend on the order of Jobs and pods', () => {
    const jobs = [complete, failed, aJob({ uid: 'third', createdAt: at('-30m'), phase: 'failed', key: '0' })].map(
      (job, i) => ({ ...job, uid: `u${i}`, createdAt: at(`-${10 + i}m`) }),
    );
    const rules = (list: readonly JobSnapshot[]) =>
      plan({ run: atWork, jobs: list, pods: [crashed] })
        .map((action) => `${'job' in action ? action.job?.uid : ''} ${action.rule}`)
        .toSorted();
    fc.assert(
      fc.property(fc.shuffledSubarray(jobs, { minLength: jobs.length }), (shuffled) => {
        assert.deepEqual(rules(shuffled), rules(jobs));
      }),
    );
  });
});

describe('duplicates', () => {
  it('are active Jobs of one run, whoever made them', () => {
    const twins = [aJob({ uid: 'a' }), aJob({ uid: 'b', stackId: OTHER_STACK })];
    assert.equal(duplicates(twins).length, 1);
  });

  it('are not a finished and an active Job, nor one that is being deleted', () => {
    assert.equal(
      duplicates([aJob({ uid: 'a' }), aJob({ uid: 'b', phase: 'failed' }), aJob({ uid: 'c', deleting: true })]).length,
      0,
    );
  });
});

it('the mark of our stack decides, not the name', () => {
  assert.equal(
    plan({ jobs: [aJob({ stackId: STACK })], pods: [aPod({ containers: [aContainer({ startedAt: T0 })] })] }).length,
    1,
  );
});
