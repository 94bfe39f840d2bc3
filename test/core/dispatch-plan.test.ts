import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import {
  planDispatch,
  type DispatchInput,
  type DispatchPolicy,
  type DueRun,
} from '../../functions/core/dispatch-plan.ts';
import type { JobSnapshot } from '../../functions/core/cluster.ts';
import { aClaimRow, aFlowRun, aJob, aRow, aRunId, OTHER_STACK, STACK } from '../support/builders.ts';
import { at, T0 } from '../support/time.ts';

const policy: DispatchPolicy = {
  stackId: STACK,
  maxInFlight: 500,
  maxPerTick: 1000,
  labelLimits: new Map(),
  lateRunLimitMs: null,
  infraRetries: 0,
  paused: false,
};

function plan(
  due: readonly DueRun[],
  rest: Partial<Omit<DispatchInput, 'policy'>> & { policy?: Partial<DispatchPolicy> } = {},
) {
  let claims = 0;
  return planDispatch({
    due,
    jobs: [],
    now: T0,
    horizon: at('+38s'),
    newClaimId: () => `claim-${(claims += 1)}`,
    draft: () => ({ kind: 'job', job: {}, warnings: [] }),
    ...rest,
    policy: { ...policy, ...rest.policy },
  });
}

const scheduledRow = aRow({ state: 'Scheduled', at: '-10m', version: 1 });
const due: DueRun = { kind: 'scheduled', run: aFlowRun() };
const retry: DueRun = {
  kind: 'retry',
  run: aFlowRun({ history: [aRow({ state: 'Running', at: '-20m', version: 3 })], dueTaskRuns: 1 }),
};
const quietClaim = aClaimRow({ at: '-5m', version: 2, key: '1', until: '-3m' });
const claimed: DueRun = { kind: 'claim', run: aFlowRun({ history: [scheduledRow, quietClaim] }) };

interface Case {
  readonly due: DueRun;
  readonly jobs?: readonly JobSnapshot[];
  readonly policy?: Partial<DispatchPolicy>;
  readonly want: string;
  readonly wantKey?: string;
}

describe('one due run', () => {
  const cases: Record<string, Case> = {
    'due: submitted under the version read': { due, want: 'submit due', wantKey: '1' },
    'paused by the operator': { due, policy: { paused: true }, want: 'hold paused-by-operator' },
    'an active Job of the run': { due, jobs: [aJob()], want: 'hold active-job' },
    'an active Job of another stack for the run': {
      due,
      jobs: [aJob({ stackId: OTHER_STACK })],
      want: 'hold active-job',
    },
    'an active Job of the ordinary agent for the run': {
      due,
      jobs: [aJob({ stackId: null, key: null })],
      want: 'hold active-job',
    },
    'a suspended Job of the run': { due, jobs: [aJob({ phase: 'suspended' })], want: 'hold active-job' },
    'a finished Job of the run': { due, jobs: [aJob({ phase: 'failed' })], want: 'submit due' },
    'a finished Job that is being deleted': {
      due,
      jobs: [aJob({ phase: 'failed', deleting: true })],
      want: 'hold job-being-deleted',
    },
    'an active Job of another run': { due, jobs: [aJob({ runId: aRunId(2) })], want: 'submit due' },
    'a claim under another key within its lease': {
      due: {
        kind: 'scheduled',
        run: aFlowRun({
          history: [
            aClaimRow({ at: '-30s', version: 2, key: '1', until: '+1m' }),
            aRow({ state: 'Scheduled', at: '-10s', version: 4 }),
          ],
        }),
      },
      want: 'hold claimed-under-another-key',
    },
    'a claim under another key past its lease': {
      due: {
        kind: 'scheduled',
        run: aFlowRun({
          history: [
            aClaimRow({ at: '-5m', version: 2, key: '1', until: '-11s' }),
            aRow({ state: 'Scheduled', at: '-10s', version: 4 }),
          ],
        }),
      },
      want: 'submit due',
      wantKey: '4',
    },
    'due within this invocation': {
      due: { kind: 'scheduled', run: aFlowRun({ history: [aRow({ state: 'Scheduled', at: '+8s', version: 1 })] }) },
      want: 'submit due',
    },
    'due after this invocation': {
      due: { kind: 'scheduled', run: aFlowRun({ history: [aRow({ state: 'Scheduled', at: '+39s', version: 1 })] }) },
      want: 'hold not-due-within-this-invocation',
    },
    'later than the limit': { due, policy: { lateRunLimitMs: 59_999 }, want: 'hold later-than-the-limit' },
    'as late as the limit': { due, policy: { lateRunLimitMs: 60_000 }, want: 'submit due' },
    'at capacity': { due, jobs: [aJob({ runId: aRunId(2) })], policy: { maxInFlight: 1 }, want: 'hold at-capacity' },
    'another stack does not fill our capacity': {
      due,
      jobs: [aJob({ runId: aRunId(2), stackId: OTHER_STACK })],
      policy: { maxInFlight: 1 },
      want: 'submit due',
    },
    'a task retry is due: keyed by the newest Job': {
      due: retry,
      jobs: [
        aJob({ phase: 'complete', uid: 'older', createdAt: at('-30m') }),
        aJob({ phase: 'complete', uid: 'newer', createdAt: at('-20m') }),
      ],
      want: 'submit task-retry-due',
      wantKey: 'newer',
    },
    'a task retry without any Job left: keyed by the version': {
      due: retry,
      want: 'submit task-retry-due',
      wantKey: 'v3',
    },
    'a task retry while a Job is active': { due: retry, jobs: [aJob()], want: 'hold active-job' },
    'a task retry after the newest Job failed: reconcile fails the run, however long it takes': {
      due: retry,
      jobs: [aJob({ phase: 'failed', finishedAt: at('-10h') })],
      want: 'hold failed-job-not-judged-yet',
    },
    'a task retry after an older Job failed': {
      due: retry,
      jobs: [
        aJob({ phase: 'failed', uid: 'older', createdAt: at('-30m'), finishedAt: at('-25m') }),
        aJob({ phase: 'complete', uid: 'newer', createdAt: at('-20m') }),
      ],
      want: 'submit task-retry-due',
      wantKey: 'newer',
    },
    'a task retry after a failed Job that infrastructure may have ended, within five minutes': {
      due: retry,
      jobs: [aJob({ phase: 'failed', finishedAt: at('-179s') })],
      policy: { infraRetries: 1 },
      want: 'hold failed-job-not-judged-yet',
    },
    'a task retry after a failed Job that infrastructure may have ended, three minutes later': {
      due: retry,
      jobs: [aJob({ phase: 'failed', finishedAt: at('-180s') })],
      policy: { infraRetries: 1 },
      want: 'submit task-retry-due',
    },
    'a task retry after the failed Job of the ordinary agent: nobody judges it': {
      due: retry,
      jobs: [aJob({ phase: 'failed', finishedAt: at('-1m'), stackId: null })],
      want: 'submit task-retry-due',
    },
    'a task retry after a failed Job, and somebody else claimed the run since': {
      due: {
        kind: 'retry',
        run: aFlowRun({
          history: [
            aClaimRow({ at: '-5m', version: 2, key: '1', by: OTHER_STACK }),
            aRow({ state: 'Running', at: '-4m', version: 3 }),
          ],
          dueTaskRuns: 1,
        }),
      },
      jobs: [aJob({ phase: 'failed', finishedAt: at('-8m') })],
      want: 'submit task-retry-due',
    },
    'a task retry of a run that was cancelled, and that its pod set Running again': {
      due: {
        kind: 'retry',
        run: aFlowRun({
          history: [
            aRow({ state: 'Cancelled', at: '-21m', version: 3 }),
            aRow({ state: 'Running', at: '-20m', version: 4 }),
          ],
          dueTaskRuns: 1,
        }),
      },
      want: 'hold retry-of-a-cancelled-run',
    },
    'a task retry of a run that was cancelled and scheduled afresh': {
      due: {
        kind: 'retry',
        run: aFlowRun({
          history: [
            aRow({ state: 'Cancelled', at: '-22m', version: 3 }),
            aRow({ state: 'Scheduled', at: '-21m', version: 4 }),
            aRow({ state: 'Running', at: '-20m', version: 5 }),
          ],
          dueTaskRuns: 1,
        }),
      },
      want: 'submit task-retry-due',
    },
    'a task retry that nobody waits for any more': {
      due: { kind: 'retry', run: aFlowRun({ history: [aRow({ state: 'Running', at: '-20m', version: 3 })] }) },
      want: 'hold retry-no-longer-due',
    },
    'a quiet claim without a Job: claimed again under its key': {
      due: claimed,
      want: 'submit jobless-claim-past-its-lease',
      wantKey: '1',
    },
    'a quiet claim within its lease': {
      due: {
        kind: 'claim',
        run: aFlowRun({ history: [scheduledRow, aClaimRow({ at: '-5m', version: 2, key: '1', until: '-9s' })] }),
      },
      want: 'hold claim-within-its-lease',
    },
    'a quiet claim whose Job is there, even a finished one': {
      due: claimed,
      jobs: [aJob({ phase: 'complete' })],
      want: 'hold job-of-this-key-exists',
    },
    'a quiet claim beside a finished Job of another key': {
      due: claimed,
      jobs: [aJob({ phase: 'complete', key: '9' })],
      want: 'submit jobless-claim-past-its-lease',
    },
    'a quiet claim over a cancel': {
      due: {
        kind: 'claim',
        run: aFlowRun({ history: [scheduledRow, aRow({ state: 'Cancelled', at: '-6m', version: 2 }), quietClaim] }),
      },
      want: 'hold claim-not-wanted',
    },
    'a Submitted of another stack': {
      due: {
        kind: 'claim',
        run: aFlowRun({
          history: [scheduledRow, aClaimRow({ at: '-5m', version: 2, key: '1', until: '-3m', by: OTHER_STACK })],
        }),
      },
      want: 'hold claim-unreadable',
    },
  };
  for (const [name, { due: run, want, wantKey, ...rest }] of Object.entries(cases)) {
    it(name, () => {
      const [decision] = plan([run], rest);
      assert.ok(decision !== undefined);
      assert.equal(`${decision.kind} ${decision.rule}`, want);
      if (wantKey !== undefined && decision.kind === 'submit') assert.equal(decision.key, wantKey);
    });
  }
});

describe('re-claims of a key back off', () => {
  const claims = (n: number, last: string) =>
    aFlowRun({
      history: [
        aRow({ state: 'Scheduled', at: '-10h', version: 1 }),
        ...Array.from({ length: n - 1 }, (_, i) =>
          aClaimRow({ at: `-${60 + n - i}m`, version: 2 + i, key: '1', until: '-59m' }),
        ),
        aClaimRow({ at: last, version: 1 + n, key: '1', until: last }),
      ],
    });
  const cases: Record<string, { claims: number; last: string; want: string }> = {
    'the first waits a minute': { claims: 1, last: '-61s', want: 'submit' },
    'the third waits four': { claims: 3, last: '-239s', want: 'hold' },
    'the third has waited four': { claims: 3, last: '-240s', want: 'submit' },
    'the tenth waits fifteen, not more': { claims: 10, last: '-899s', want: 'hold' },
    'the tenth has waited fifteen': { claims: 10, last: '-900s', want: 'submit' },
  };
  for (const [name, { claims: n, last, want }] of Object.entries(cases)) {
    it(name, () => {
      const [decision] = plan([{ kind: 'claim', run: claims(n, last) }]);
      assert.equal(decision?.kind, want);
      if (decision?.kind === 'hold') assert.deepEqual([decision.rule, decision.heartbeat], ['backing-off', true]);
    });
  }
});

describe('a claim that is held for want of room is kept alive: the server’s Lazarus would start it again', () => {
  const full = { jobs: [aJob({ runId: aRunId(2), runLabels: ['gpu'] })] };
  const onGpu: DueRun = { kind: 'claim', run: aFlowRun({ history: [scheduledRow, quietClaim], labels: ['gpu'] }) };
  const ofOthers = aFlowRun({
    history: [scheduledRow, aClaimRow({ at: '-5m', version: 2, key: '1', until: '-3m', by: OTHER_STACK })],
  });
  const covered = aFlowRun({
    history: [scheduledRow, aRow({ state: 'Cancelled', at: '-6m', version: 2 }), quietClaim],
  });
  const paused = { policy: { paused: true } };
  const cases: Record<string, { due: DueRun; rest: Parameters<typeof plan>[1]; want: string; wantBeat: boolean }> = {
    'paused by the operator': { due: claimed, rest: paused, want: 'paused-by-operator', wantBeat: true },
    'paused, and never claimed': { due, rest: paused, want: 'paused-by-operator', wantBeat: false },
    'paused, and claimed by another stack': {
      due: { kind: 'claim', run: ofOthers },
      rest: paused,
      want: 'paused-by-operator',
      wantBeat: false,
    },
    'paused, and cancelled beneath the claim': {
      due: { kind: 'claim', run: covered },
      rest: paused,
      want: 'paused-by-operator',
      wantBeat: false,
    },
    'paused, and the Job is there: reconcile looks after it': {
      due: claimed,
      rest: { ...paused, jobs: [aJob({ phase: 'complete' })] },
      want: 'paused-by-operator',
      wantBeat: false,
    },
    'no place in the stack': {
      due: claimed,
      rest: { ...full, policy: { maxInFlight: 1 } },
      want: 'at-capacity',
      wantBeat: true,
    },
    'no place under the label': {
      due: onGpu,
      rest: { ...full, policy: { labelLimits: new Map([['gpu', 1]]) } },
      want: 'label-at-capacity',
      wantBeat: true,
    },
    'no place in this tick': {
      due: claimed,
      rest: { policy: { maxPerTick: 0 } },
      want: 'tick-is-full',
      wantBeat: true,
    },
    'the template cannot be read': {
      due: claimed,
      rest: { draft: () => ({ kind: 'not-yet', why: 'S3 is away' }) },
      want: 'template-not-read-yet',
      wantBeat: true,
    },
    'a task retry has no claim': {
      due: retry,
      rest: { ...full, policy: { maxInFlight: 1 } },
      want: 'at-capacity',
      wantBeat: false,
    },
  };
  for (const [name, { due: run, rest, want, wantBeat }] of Object.entries(cases)) {
    it(name, () => {
      const [decision] = plan([run], rest);
      assert.equal(decision?.rule, want);
      assert.equal(decision?.kind === 'hold' && decision.heartbeat, wantBeat);
    });
  }
});

describe('many due runs', () => {
  const run = (n: number, offset = '-1m', labels: readonly string[] = []): DueRun => ({
    kind: 'scheduled',
    run: aFlowRun({ id: aRunId(n), labels, history: [aRow({ state: 'Scheduled', at: offset, version: 1 })] }),
  });

  it('are taken oldest start first, as far as there is room', () => {
    const decisions = plan([run(1, '-1m'), run(2, '-3m'), run(3, '-2m')], { policy: { maxInFlight: 2 } });
    assert.deepEqual(
      decisions.map((decision) => [decision.run.id.at(-1), decision.kind]),
      [
        ['2', 'submit'],
        ['3', 'submit'],
        ['1', 'hold'],
      ],
    );
  });

  it('stop at the number of one tick', () => {
    const rules = plan([run(1), run(2), run(3)], { policy: { maxPerTick: 2 } }).map((decision) => decision.rule);
    assert.deepEqual(rules, ['due', 'due', 'tick-is-full']);
  });

  it('stop at the cap of a label, counted over active Jobs and this plan', () => {
    const busy = aJob({ runId: aRunId(9), runLabels: ['gpu'] });
    const decisions = plan([run(1, '-3m', ['gpu']), run(2, '-2m', ['gpu']), run(3, '-1m', ['cpu'])], {
      jobs: [busy],
      policy: { labelLimits: new Map([['gpu', 2]]) },
    });
    assert.deepEqual(
      decisions.map((decision) => decision.rule),
      ['due', 'label-at-capacity', 'due'],
    );
  });

  it('are rejected one by one: a run that cannot be a Job takes no place and stops nobody', () => {
    const decisions = plan([run(1, '-3m'), run(2, '-2m')], {
      policy: { maxInFlight: 1 },
      draft: ({ id }) =>
        id === aRunId(1)
          ? { kind: 'refused', rule: 'run-config-unknown', message: 'no' }
          : { kind: 'job', job: {}, warnings: [] },
    });
    assert.deepEqual(
      decisions.map((decision) => `${decision.kind} ${decision.rule}`),
      ['reject run-config-unknown', 'submit due'],
    );
  });

  it('give the same plan in whatever order they came', () => {
    const runs = [run(1, '-1m'), run(2, '-1m'), run(3, '-5m'), run(4, '-4m'), run(5, '-1m')];
    const rules = (input: readonly DueRun[]) =>
      plan(input, { policy: { maxInFlight: 3 } }).map((decision) => `${decision.run.id} ${decision.rule}`);
    fc.assert(
      fc.property(fc.shuffledSubarray(runs, { minLength: runs.length }), (shuffled) => {
        assert.deepEqual(rules(shuffled), rules(runs));
      }),
    );
  });

  it('never exceed the capacity, whatever is active', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.nat(30), fc.integer({ min: 1, max: 20 }), (active, waiting, maxInFlight) => {
        const jobs = Array.from({ length: active }, (_, i) => aJob({ runId: aRunId(100 + i), uid: `u${i}` }));
        const decisions = plan(
          Array.from({ length: waiting }, (_, i) => run(i + 1)),
          { jobs, policy: { maxInFlight } },
        );
        const submits = decisions.filter((decision) => decision.kind === 'submit').length;
        assert.equal(submits, Math.max(0, Math.min(waiting, maxInFlight - active)));
      }),
    );
  });
});
