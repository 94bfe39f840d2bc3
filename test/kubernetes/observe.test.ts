import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import type { JobSnapshot } from '../../functions/core/cluster.ts';
import {
  claimAnnotation,
  keyAnnotation,
  labelsAnnotation,
  runIdLabel,
  stackLabel,
} from '../../functions/core/job-identity.ts';
import type { JsonObject } from '../../functions/core/json.ts';
import { observeEvent, observeJob, observePod } from '../../functions/kubernetes/observe.ts';
import { aRunId, STACK } from '../support/builders.ts';
import { at, T0 } from '../support/time.ts';

const iso = (instant: Date): string => instant.toISOString().replace('.000', '');
const metadata: JsonObject = { name: 'etl-1', uid: 'u-1', creationTimestamp: iso(T0) };

const condition = (type: string, status = 'True'): JsonObject => ({
  type,
  status,
  reason: 'BackoffLimitExceeded',
  message: 'Job has reached the specified backoff limit',
  lastTransitionTime: iso(at('+1m')),
});
const aJob = (status: JsonObject, spec: JsonObject = {}): JsonObject => ({ metadata, spec, status });

describe('observeJob', () => {
  it('reads identity, labels and annotations', () => {
    const job = observeJob({
      metadata: {
        ...metadata,
        labels: { [runIdLabel]: aRunId(1), [stackLabel]: STACK },
        annotations: { [keyAnnotation]: '3', [claimAnnotation]: 'c-1', [labelsAnnotation]: '["gpu","etl"]' },
      },
      status: { active: 1, ready: 0, startTime: iso(T0) },
    });

    const want: JobSnapshot = {
      name: 'etl-1' as JobSnapshot['name'],
      uid: 'u-1',
      createdAt: T0,
      deleting: false,
      phase: 'active',
      announced: null,
      reason: '',
      message: '',
      finishedAt: null,
      runId: aRunId(1),
      stackId: STACK,
      key: '3',
      claimId: 'c-1',
      runLabels: ['gpu', 'etl'],
      podsEver: 1,
      activePods: 1,
      failedPods: 0,
    };
    assert.deepEqual(job, want);
  });

  const phases: Record<string, { job: JsonObject; want: JobSnapshot['phase'] }> = {
    'nothing is said yet': { job: aJob({}), want: 'active' },
    'Complete is true': {
      job: aJob({ conditions: [condition('SuccessCriteriaMet'), condition('Complete')] }),
      want: 'complete',
    },
    'Failed is true': { job: aJob({ conditions: [condition('FailureTarget'), condition('Failed')] }), want: 'failed' },
    'a failure is only announced': {
      job: aJob({ failed: 1, conditions: [condition('FailureTarget')] }),
      want: 'active',
    },
    'a success is only announced': {
      job: aJob({ succeeded: 1, conditions: [condition('SuccessCriteriaMet')] }),
      want: 'active',
    },
    'Failed is not true': { job: aJob({ conditions: [condition('Failed', 'False')] }), want: 'active' },
    'counters alone tell of a failure': { job: aJob({ failed: 7 }), want: 'active' },
    'it is suspended': { job: aJob({}, { suspend: true }), want: 'suspended' },
    'Suspended is true': { job: aJob({ conditions: [condition('Suspended')] }), want: 'suspended' },
    'it was suspended once': {
      job: aJob({ conditions: [condition('Suspended', 'False')] }, { suspend: false }),
      want: 'active',
    },
    'it failed while suspended': {
      job: aJob({ conditions: [condition('Failed')] }, { suspend: true }),
      want: 'failed',
    },
  };
  for (const [name, { job, want }] of Object.entries(phases)) {
    it(`is ${want} when ${name}`, () => assert.equal(observeJob(job)?.phase, want));
  }

  it('tells why and when it ended', () => {
    const job = observeJob(aJob({ conditions: [condition('Failed')] }));

    assert.deepEqual(
      [job?.reason, job?.message, job?.finishedAt],
      ['BackoffLimitExceeded', 'Job has reached the specified backoff limit', at('+1m')],
    );
  });

  it('reads a reason on one line', () => {
    const reason = 'Backoff\n\u001B[2JLimit';
    const job = observeJob(aJob({ conditions: [{ ...condition('Failed'), reason }] }));

    assert.equal(job?.reason, 'Backoff [2JLimit');
  });

  const pods: Record<string, { status: JsonObject; want: number }> = {
    'none ever': { status: {}, want: 0 },
    'one that runs': { status: { active: 1 }, want: 1 },
    'one that failed and is counted': { status: { failed: 1 }, want: 1 },
    'one that ended and is not counted yet': { status: { uncountedTerminatedPods: { failed: ['p-1'] } }, want: 1 },
    'one that terminates': { status: { terminating: 1 }, want: 1 },
  };
  for (const [name, { status, want }] of Object.entries(pods)) {
    it(`counts ${name}`, () => assert.equal(observeJob(aJob(status))?.podsEver, want));
  }

  const strange: Record<string, { labels: JsonObject; annotations: JsonObject }> = {
    'another run id than a UUID': { labels: { [runIdLabel]: 'nightly' }, annotations: {} },
    'labels that are no list': { labels: {}, annotations: { [labelsAnnotation]: '{"a":1}' } },
    'labels that are no JSON': { labels: {}, annotations: { [labelsAnnotation]: 'gpu' } },
    'a list of other things': { labels: {}, annotations: { [labelsAnnotation]: '[1]' } },
  };
  for (const [name, { labels, annotations }] of Object.entries(strange)) {
    it(`reads ${name} as nothing`, () => {
      const job = observeJob({ metadata: { ...metadata, labels, annotations } });

      assert.deepEqual([job?.runId, job?.runLabels], [null, []]);
    });
  }

  it('sees that it is being deleted', () => {
    assert.equal(observeJob({ metadata: { ...metadata, deletionTimestamp: iso(T0) } })?.deleting, true);
  });

  for (const missing of ['name', 'uid', 'creationTimestamp']) {
    it(`is nothing without ${missing}`, () => {
      const { [missing]: _gone, ...rest } = metadata;

      assert.equal(observeJob({ metadata: rest }), null);
    });
  }
});

describe('observePod', () => {
  const spec: JsonObject = {
    nodeName: 'node-1',
    initContainers: [{ name: 'proxy', restartPolicy: 'Always' }, { name: 'fetch' }],
    containers: [{ name: 'my-flow', resources: { limits: { memory: '1Gi' } } }, { name: 'helper' }],
  };
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'etl-1', uid: 'job-uid' };

  const terminated = {
    exitCode: 137,
    signal: 9,
    reason: 'OOMKilled',
    message: 'm',
    startedAt: iso(T0),
    finishedAt: iso(at('+1m')),
  };
  const failed: JsonObject = {
    metadata: { ...metadata, ownerReferences: [owner] },
    spec,
    status: {
      phase: 'Failed',
      reason: 'Evicted',
      message: 'The node was low on memory.',
      initContainerStatuses: [{ name: 'fetch', restartCount: 2, state: { waiting: { reason: 'ImagePullBackOff' } } }],
      containerStatuses: [
        { name: 'helper', state: { running: { startedAt: iso(T0) } } },
        { name: 'my-flow', state: { terminated } },
      ],
      conditions: [condition('DisruptionTarget')],
    },
  };

  it('reads containers in the order of the spec, whatever the kubelet lists first', () => {
    const pod = observePod(failed);

    assert.deepEqual(
      pod?.containers.map(({ name, role, state }) => [name, role, state]),
      [
        ['proxy', 'sidecar', 'unknown'],
        ['fetch', 'init', 'waiting'],
        ['my-flow', 'main', 'terminated'],
        ['helper', 'other', 'running'],
      ],
    );
  });

  it('tells how a container ended and why another waits', () => {
    const [, fetch, main] = observePod(failed)?.containers ?? [];

    assert.partialDeepStrictEqual(fetch, { reason: 'ImagePullBackOff', restarts: 2, exitCode: null });
    assert.partialDeepStrictEqual(main, {
      exitCode: 137,
      signal: 9,
      reason: 'OOMKilled',
      finishedAt: at('+1m'),
      memoryLimit: '1Gi',
    });
  });

  it('tells whose pod it is and what became of it', () => {
    assert.partialDeepStrictEqual(observePod(failed), {
      jobName: 'etl-1',
      jobUid: 'job-uid',
      nodeName: 'node-1',
      phase: 'Failed',
      reason: 'Evicted',
      message: 'The node was low on memory.',
      conditions: [{ type: 'DisruptionTarget', status: 'True' }],
    });
  });

  it("is Unknown without a phase, and nobody's without an owner", () => {
    const pod = observePod({ metadata });

    assert.deepEqual([pod?.phase, pod?.jobName, pod?.jobUid], ['Unknown', null, null]);
  });

  it('goes by the labels when the owner is lost', () => {
    const labels = { 'batch.kubernetes.io/job-name': 'etl-1', 'batch.kubernetes.io/controller-uid': 'job-uid' };
    const pod = observePod({ metadata: { ...metadata, labels } });

    assert.deepEqual([pod?.jobName, pod?.jobUid], ['etl-1', 'job-uid']);
  });
});

describe('observeEvent', () => {
  const event: JsonObject = {
    metadata: { uid: 'e-1' },
    involvedObject: { kind: 'Pod', name: 'etl-1-x', uid: 'p-1' },
    type: 'Warning',
    reason: 'FailedScheduling',
    message: '0/3 nodes are available',
  };
  const times: Record<string, { wish: JsonObject; want: Date | null; wantCount: number }> = {
    'an old-style event': {
      wish: { count: 4, firstTimestamp: iso(at('+1m')), lastTimestamp: iso(at('+2m')) },
      want: at('+2m'),
      wantCount: 4,
    },
    'a new-style event': {
      wish: { lastTimestamp: null, eventTime: '2026-03-01T02:03:00.000000Z' },
      want: at('+3m'),
      wantCount: 1,
    },
    'a series': {
      wish: { lastTimestamp: iso(at('+2m')), series: { count: 9, lastObservedTime: '2026-03-01T02:09:00.000000Z' } },
      want: at('+9m'),
      wantCount: 9,
    },
    'an event with a first time only': { wish: { firstTimestamp: iso(at('+1m')) }, want: at('+1m'), wantCount: 1 },
    'an event without any time': { wish: {}, want: null, wantCount: 1 },
  };
  for (const [name, { wish, want, wantCount }] of Object.entries(times)) {
    it(`places ${name} in time`, () => {
      const seen = observeEvent({ ...event, ...wish });

      assert.deepEqual([seen?.at, seen?.count, seen?.objectName], [want, wantCount, 'etl-1-x']);
    });
  }

  it('reads what is one word by convention on one line, and keeps the lines of a message', () => {
    const reason = 'Failed\r\n\tRule: a-rule';
    const involvedObject = { kind: 'Pod', name: 'etl\n1', uid: 'p-1' };

    const seen = observeEvent({ ...event, reason, involvedObject, message: 'one\ntwo' });

    assert.deepEqual([seen?.reason, seen?.objectName, seen?.message], ['Failed Rule: a-rule', 'etl 1', 'one\ntwo']);
  });

  it('is nothing when it is about nothing', () => {
    assert.equal(observeEvent({ ...event, involvedObject: {} }), null);
  });
});

describe('any JSON', () => {
  const hostile = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, 'True', 'Complete', 'Failed', -1, 1e300, '2026-03-01T02:00:00Z'),
      fc.array(tie('value')),
      fc.dictionary(
        fc.constantFrom(
          'metadata',
          'status',
          'spec',
          'name',
          'uid',
          'creationTimestamp',
          'conditions',
          'type',
          'state',
          'series',
        ),
        tie('value'),
      ),
    ),
  })).value;

  it('is read or set aside, never a crash', () => {
    fc.assert(
      fc.property(hostile, hostile, (status, spec) => {
        const raw = { metadata, status, spec } as JsonObject;
        for (const observe of [observeJob, observePod, observeEvent]) observe(raw);
      }),
    );
  });
});
