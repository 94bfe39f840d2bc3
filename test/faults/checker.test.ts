import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { at } from '../support/time.ts';
import { check, type Invariant } from './checker.ts';
import { aJob, anExecution, anInvocation, aRequest, aRun, aWitness, rows, runId } from './witnessed-example.ts';
import type { Witnessed } from './witness.ts';

type Cases = Readonly<Record<string, Partial<Witnessed>>>;

/** Each case of `fails` violates exactly this invariant, each of `passes` none. */
function suite(invariant: Invariant, fails: Cases, passes: Cases): void {
  for (const [name, wish] of Object.entries(fails)) {
    it(`fails: ${name}`, () => {
      const violations = check(aWitness(wish));
      assert.deepEqual([...new Set(violations.map((violation) => violation.invariant))], [invariant]);
    });
  }
  for (const [name, wish] of Object.entries(passes)) {
    it(`passes: ${name}`, () => assert.deepEqual(check(aWitness(wish)), []));
  }
}

const scheduled = { at: '+0s', state: 'Scheduled' } as const;
const claimed = { at: '+1s', state: 'Submitted', ours: '1' } as const;
const running = { at: '+5s', state: 'Running' } as const;
const none = { jobs: [], executions: [] };
const deletion = aRequest({
  actor: 'reconcile#1',
  to: 'kubernetes',
  method: 'DELETE',
  path: '/apis/batch/v1/namespaces/flows/jobs/etl-1',
  body: '{"preconditions":{"uid":"uid-1"}}',
});
const gone = aJob({ finishedAt: at('+60s'), deletedAt: at('+200s') });

describe('a history in which everything went well', () => {
  it('violates nothing', () => assert.deepEqual(check(aWitness()), []));
});

describe('L: no run is lost', () => {
  suite(
    'L',
    {
      'a due run that nobody claimed': { ...none, runs: [aRun(rows(scheduled))] },
      'a claim whose Job was never made': { ...none, runs: [aRun(rows(scheduled, claimed))] },
      'a claim whose Job is gone': { jobs: [gone], executions: [], runs: [aRun(rows(scheduled, claimed))] },
      'a Running run without anybody': {
        jobs: [aJob()],
        executions: [anExecution({ outcome: 'crashed' })],
        runs: [aRun(rows(scheduled, claimed, running))],
      },
      'a task retry that is due and not made': {
        runs: [aRun(rows(scheduled, claimed, running), { taskDueAt: at('+20m') })],
      },
    },
    {
      'due, but for other labels': { ...none, runs: [aRun(rows(scheduled), { ours: false })] },
      'due only after the end': { ...none, runs: [aRun(rows(scheduled), { dueAt: at('+3h') })] },
      'due, but an older attempt still works': {
        runs: [aRun(rows(scheduled, claimed, running, { at: '+30s', state: 'Scheduled' }))],
        jobs: [aJob({ finishedAt: null })],
        executions: [anExecution({ endedAt: null, outcome: 'working' })],
      },
      'claimed by another agent': {
        ...none,
        runs: [aRun(rows(scheduled, { at: '+1s', state: 'Submitted' }))],
      },
      'a task retry that waits for its time': {
        runs: [aRun(rows(scheduled, claimed, running), { taskDueAt: at('+3h') })],
      },
      'a deleted run': { ...none, runs: [aRun(rows(scheduled), { deletedAt: at('+1m') })] },
      'a paused run': { ...none, runs: [aRun(rows(scheduled, { at: '+1s', state: 'Paused' }))] },
    },
  );
});

describe('T: what is wrong after the last fault is repaired within the bound', () => {
  const unclaimed = { ...none, runs: [aRun(rows(scheduled))] };
  const claimedTwice = rows(scheduled, claimed, { at: '+4m', state: 'Submitted', ours: '1' });
  const cancelled = rows(scheduled, claimed, { at: '+10s', state: 'Cancelled' });
  const pending = { jobs: [aJob({ finishedAt: null })], executions: [] };
  const asked = {
    jobs: pending.jobs,
    executions: [anExecution({ outcome: 'working', endedAt: null })],
    runs: [aRun(rows(scheduled, claimed, running), { deletedAt: at('+10s') })],
    requests: [{ ...deletion, at: at('+150s') }],
  };
  suite(
    'T',
    {
      'due for longer than the bound': { ...unclaimed, endedAt: at('+301s') },
      'a jobless claim beyond bound and back-off': { ...none, runs: [aRun(claimedTwice)], endedAt: at('+662s') },
      'a Job of a cancelled run that stays': { ...pending, runs: [aRun(cancelled)], endedAt: at('+491s') },
      'a cancel that never became Cancelled': {
        runs: [aRun(rows(scheduled, claimed, running, { at: '+30s', state: 'Cancelling' }))],
        endedAt: at('+541s'),
      },
      'a Job of a deleted run that stays': {
        ...pending,
        runs: [aRun(rows(scheduled, claimed), { deletedAt: at('+10s') })],
        endedAt: at('+431s'),
      },
      'a Job of a deleted run that was asked to go, and has no process': {
        ...asked,
        executions: [],
      },
      'a Job of a deleted run whose process lives, and that nobody asked to go': { ...asked, requests: [] },
      'a Job that can still start though its run is over': {
        ...pending,
        runs: [aRun(rows(scheduled, claimed, { at: '+10s', state: 'Failed' }))],
        endedAt: at('+431s'),
      },
      'a pod that waits beyond the grace': {
        ...pending,
        runs: [aRun(rows(scheduled, claimed))],
        endedAt: at('+3903s'),
      },
    },
    {
      'due for just the bound': { ...unclaimed, endedAt: at('+300s') },
      'due for long, but the fault has just ended': { ...unclaimed, lastFaultAt: at('+115m') },
      'a jobless claim that backs off': { ...none, runs: [aRun(claimedTwice)], endedAt: at('+11m') },
      'a Job of a cancelled run within the bound': { ...pending, runs: [aRun(cancelled)], endedAt: at('+8m') },
      'a cancel whose process has just ended': {
        runs: [aRun(rows(scheduled, claimed, running, { at: '+30s', state: 'Cancelling' }))],
        endedAt: at('+9m'),
      },
      'a Job of a deleted run that was asked to go, with a process on a lost node': asked,
      'a pod that waits within the grace': {
        ...pending,
        runs: [aRun(rows(scheduled, claimed))],
        endedAt: at('+65m'),
      },
      'a Running run whose server has its time': {
        executions: [anExecution({ outcome: 'crashed' })],
        runs: [aRun(rows(scheduled, claimed, running))],
        endedAt: at('+45m'),
      },
    },
  );
});

describe('U: one Job for an attempt, and never two at once', () => {
  const again = aJob({ uid: 'uid-2', createdAt: at('+5m'), finishedAt: at('+6m') });
  const secondExecution = anExecution({ jobUid: 'uid-2', startedAt: at('+301s'), endedAt: at('+350s') });
  const early = anExecution({ outcome: 'nothing-to-do', endedAt: at('+5s') });
  const lost = anExecution({ outcome: 'working', endedAt: null });
  const deletedAt = (when: string): Partial<Witnessed> => ({ requests: [{ ...deletion, at: at(when) }] });
  const foreign = aJob({ uid: 'uid-0', name: 'other', key: null, stackId: null, createdAt: at('-5m') });
  suite(
    'U',
    {
      'two live Jobs of one attempt under random names': { jobs: [aJob(), aJob({ uid: 'uid-2', name: 'etl-2' })] },
      'two live Jobs of two attempts': {
        jobs: [aJob(), aJob({ uid: 'uid-2', name: 'etl-2', key: '3', createdAt: at('+59s') })],
        runs: [
          aRun(
            rows(
              scheduled,
              claimed,
              { ...scheduled, at: '+6s' },
              { at: '+7s', state: 'Submitted', ours: '3' },
              running,
              {
                at: '+58s',
                state: 'Success',
              },
            ),
          ),
        ],
      },
      'a Job made again for an attempt that had begun': {
        jobs: [gone, again],
        executions: [anExecution(), secondExecution],
      },
      'a Job made again for a task retry, a moment after it': {
        jobs: [
          aJob({ key: 'v3', createdAt: at('+1s'), finishedAt: at('+58s'), deletedAt: at('+59s') }),
          aJob({ uid: 'uid-2', key: 'v3', createdAt: at('+60s'), finishedAt: at('+2m') }),
        ],
      },
      'two executions at once': {
        jobs: [aJob(), again],
        executions: [early, anExecution({ endedAt: at('+310s'), outcome: 'killed' }), secondExecution],
      },
      'two executions at once, the first on a lost node': { jobs: [gone, again], executions: [lost, secondExecution] },
      'a Job beside that of another agent': { jobs: [foreign, aJob()] },
      'a Job that was made without a claim': { jobs: [aJob({ key: '2' })] },
      'a Job deleted while another create of it may be on its way': deletedAt('+111s'),
    },
    {
      'a Job made again after an early pod': { jobs: [gone, again], executions: [early, secondExecution] },
      'a Job made again after a person deleted it': {
        jobs: [{ ...gone, byHand: true }, again],
        executions: [anExecution(), secondExecution],
      },
      'two executions, the first on a lost node, after a person deleted its Job': {
        jobs: [{ ...gone, byHand: true }, again],
        executions: [lost, secondExecution],
      },
      'the next attempt in the second in which the last Job ended': {
        jobs: [
          aJob(),
          aJob({ uid: 'uid-2', name: 'etl-2', key: 'uid-1', createdAt: at('+60s'), finishedAt: at('+2m') }),
        ],
      },
      'the next task retry of a run whose Jobs are gone': {
        jobs: [
          aJob({ key: 'v3', deletedAt: at('+700s') }),
          aJob({ uid: 'uid-2', key: 'v3', createdAt: at('+30m'), finishedAt: at('+31m') }),
        ],
      },
      'two pods of one Job, as its author wanted': {
        executions: [anExecution(), anExecution({ startedAt: at('+30s') })],
      },
      'another agent that came a moment before': { jobs: [{ ...foreign, createdAt: at('-118s') }, aJob()] },
      'another agent whose Job is over': { jobs: [{ ...foreign, finishedAt: at('+1s') }, aJob()] },
      'a Job deleted when nothing can be on its way any more': deletedAt('+112s'),
      'a Job deleted in time whose name a new one has': {
        requests: [{ ...deletion, at: at('+302s'), body: '{"preconditions":{"uid":"uid-1"}}' }],
        jobs: [gone, again],
        executions: [early, secondExecution],
      },
      'a deletion that never reached the server': { requests: [{ ...deletion, at: at('+70s'), applied: false }] },
    },
  );
});

describe('F: no false Failed, and no cancelled run at work', () => {
  const crashed = [anExecution({ outcome: 'crashed' })];
  const failed = (when: string) =>
    ({ at: when, state: 'Failed', message: 'Kubernetes Error: exit code 1', ours: true }) as const;
  const success = { at: '+58s', state: 'Success' } as const;
  const lazarus = { at: '+12m', state: 'Scheduled', message: 'Rescheduled by a Lazarus process.' } as const;
  const cancel = { at: '+10s', state: 'Cancelled' } as const;
  const early = [anExecution({ outcome: 'nothing-to-do', endedAt: at('+5s') })];
  const secondJob = aJob({ uid: 'uid-2', name: 'etl-2', key: '4', createdAt: at('+14m'), finishedAt: at('+15m') });
  const late = anExecution({ jobUid: 'uid-2', startedAt: at('+841s'), endedAt: at('+15m') });
  const byHand = { ...gone, deletedAt: at('+25s'), finishedAt: null, byHand: true };
  const hidden = {
    runs: [aRun(rows(scheduled, claimed, running, failed('+7m')))],
    executions: [anExecution({ endedAt: null, outcome: 'working' })],
  };
  suite(
    'F',
    {
      'Failed over an old Success': { runs: [aRun(rows(scheduled, claimed, running, success, failed('+5m')))] },
      'Failed over a fresh Success that is never taken back': {
        runs: [aRun(rows(scheduled, claimed, running, success, failed('+59s')))],
      },
      'Failed over the Scheduled of Lazarus': {
        runs: [aRun(rows(scheduled, claimed, running, lazarus, failed('+15m')))],
        executions: crashed,
      },
      'Failed over a Scheduled that nobody claimed': { ...none, runs: [aRun(rows(scheduled, failed('+3m')))] },
      'Failed while the pod works': { runs: [aRun(rows(scheduled, claimed, running, failed('+30s'), success))] },
      'Failed, and its pending pod starts afterwards': {
        runs: [aRun(rows(scheduled, claimed, failed('+3s'), running, success))],
      },
      'Failed over a cancel, for a claim below it': {
        ...none,
        runs: [aRun(rows(scheduled, claimed, cancel, failed('+5m'), { at: '+301s', state: 'Cancelled', ours: true }))],
      },
      'a cancelled run that Lazarus brings back to work': {
        runs: [
          aRun(
            rows(
              scheduled,
              claimed,
              cancel,
              lazarus,
              { at: '+13m', state: 'Submitted', ours: '4' },
              {
                at: '+841s',
                state: 'Running',
              },
            ),
          ),
        ],
        jobs: [gone, secondJob],
        executions: [...early, late],
        endedAt: at('+16m'),
      },
      'a cancelled run that stays at work': {
        runs: [
          aRun(
            rows(scheduled, claimed, running, { at: '+10s', state: 'Cancelling' }, { at: '+8m', state: 'Cancelled' }),
          ),
        ],
        jobs: [aJob({ finishedAt: at('+12m') })],
        executions: [anExecution({ endedAt: at('+12m'), outcome: 'killed' })],
      },
      'a cancelled run that stays at work, in a Job that was asked to go too late': {
        runs: [
          aRun(
            rows(scheduled, claimed, running, { at: '+10s', state: 'Cancelling' }, { at: '+13m', state: 'Cancelled' }),
          ),
        ],
        jobs: [aJob({ finishedAt: null, deletedAt: at('+12m') })],
        executions: [anExecution({ endedAt: at('+12m'), outcome: 'killed' })],
        requests: [{ ...deletion, at: at('+11m') }],
      },
      'a cancelled run that stays at work, in a Job that nobody asked to go': {
        runs: [aRun(rows(scheduled, claimed, running, { at: '+30s', state: 'Cancelling' }), { deletedAt: at('+1m') })],
        jobs: [gone],
        executions: [anExecution({ endedAt: null, outcome: 'working' })],
      },
      'Failed while a process lives on unseen, whose Job a person deleted': { ...hidden, jobs: [byHand] },
      'our Cancelled while the pod works': {
        runs: [
          aRun(
            rows(
              scheduled,
              claimed,
              running,
              { at: '+10s', state: 'Cancelling' },
              { at: '+20s', state: 'Cancelled', ours: true },
            ),
          ),
        ],
        executions: [anExecution({ outcome: 'killed' })],
      },
    },
    {
      'a cancelled run at work until its lost node is back, whose Job was asked to go long before': {
        runs: [
          aRun(
            rows(scheduled, claimed, running, { at: '+10s', state: 'Cancelling' }, { at: '+13m', state: 'Cancelled' }),
          ),
        ],
        jobs: [aJob({ finishedAt: null, deletedAt: at('+12m') })],
        executions: [anExecution({ endedAt: at('+12m'), outcome: 'killed' })],
        requests: [{ ...deletion, at: at('+150s') }],
      },
      'a cancelled run at work on a lost node, whose Job is being deleted': {
        runs: [aRun(rows(scheduled, claimed, running, { at: '+30s', state: 'Cancelling' }), { deletedAt: at('+1m') })],
        jobs: [aJob({ finishedAt: null })],
        executions: [anExecution({ endedAt: null, outcome: 'working' })],
        requests: [{ ...deletion, at: at('+150s') }],
      },
      'a cancelled run at work on a lost node, after a person deleted its Job': {
        runs: [
          aRun(rows(scheduled, claimed, running, { at: '+30s', state: 'Cancelling' }, { at: '+8m', state: 'Failed' })),
        ],
        jobs: [{ ...gone, deletedAt: at('+25s'), finishedAt: null, byHand: true }],
        executions: [anExecution({ endedAt: null, outcome: 'working' })],
      },
      'Failed for the next Job, while a process lives on unseen, whose Job a person deleted': {
        ...hidden,
        jobs: [byHand, aJob({ uid: 'uid-2', name: 'etl-2', key: 'v3', createdAt: at('+5m'), finishedAt: at('+6m') })],
      },
      'Failed after the pod died': {
        runs: [aRun(rows(scheduled, claimed, running, failed('+90s')))],
        executions: crashed,
      },
      'Failed over a fresh Success, taken back': {
        runs: [
          aRun(rows(scheduled, claimed, running, success, failed('+59s'), { at: '+1m', state: 'Success', ours: true })),
        ],
      },
      'Failed over a fresh Success, with time to take it back': {
        runs: [aRun(rows(scheduled, claimed, running, success, failed('+59s')))],
        endedAt: at('+5m'),
      },
      'Failed for a claim without a Job': {
        ...none,
        runs: [aRun(rows(scheduled, claimed, { ...failed('+3s'), ours: '1' }))],
      },
      'Failed, then scheduled by a person and run again': {
        runs: [
          aRun(
            rows(
              scheduled,
              claimed,
              failed('+3s'),
              { at: '+13m', state: 'Scheduled' },
              { at: '+13m', state: 'Submitted', ours: '4' },
              {
                at: '+841s',
                state: 'Running',
              },
              { at: '+15m', state: 'Success' },
            ),
          ),
        ],
        jobs: [gone, secondJob],
        executions: [...early, late],
      },
      'a Failed of the flow, put back by us': {
        runs: [
          aRun(
            rows(
              scheduled,
              claimed,
              running,
              { at: '+58s', state: 'Failed', message: 'Some reference tasks failed.' },
              {
                at: '+59s',
                state: 'Submitted',
                ours: '4',
              },
              { at: '+60s', state: 'Failed', message: 'Some reference tasks failed.', ours: true },
            ),
          ),
        ],
      },
      'a cancelled run whose pod wrote Running over it and was ended': {
        runs: [
          aRun(
            rows(scheduled, claimed, { at: '+4s', state: 'Cancelled' }, running, {
              at: '+4m',
              state: 'Cancelled',
              ours: true,
            }),
          ),
        ],
        jobs: [aJob({ finishedAt: at('+200s') })],
        executions: [anExecution({ endedAt: at('+198s'), outcome: 'killed' })],
      },
      'cancelled, restarted by a person, and run': {
        runs: [
          aRun(
            rows(
              scheduled,
              claimed,
              cancel,
              { at: '+13m', state: 'Scheduled', message: 'restarted' },
              {
                at: '+13m',
                state: 'Submitted',
                ours: '4',
              },
              { at: '+841s', state: 'Running' },
              { at: '+15m', state: 'Success' },
            ),
          ),
        ],
        jobs: [gone, secondJob],
        executions: [...early, late],
      },
    },
  );
});

describe('S: no secret anywhere', () => {
  const secret = 'canary/secret+1';
  suite(
    'S',
    {
      'in a log line': { outputs: [`{"message":"token ${secret}"}`] },
      'in base64': { outputs: [Buffer.from(`${secret}:x`).toString('base64')] },
      'in an address': { requests: [aRequest({ path: `/graphql?token=${encodeURIComponent(secret)}` })] },
      'in the body of a request': { requests: [aRequest({ body: JSON.stringify({ env: secret }) })] },
      'in the message of a state': {
        runs: [
          aRun(rows(scheduled, claimed, running, { at: '+58s', state: 'Success', message: `done with ${secret}` })),
        ],
      },
    },
    { 'part of it': { outputs: ['canary/secret'] } },
  );

  it('and the violation does not say it again', () => {
    const [violation] = check(aWitness({ outputs: [secret] }));
    assert.equal(violation?.why.includes(secret), false);
  });
});

describe('B: budgets hold', () => {
  const create = { to: 'kubernetes', path: '/apis/batch/v1/namespaces/flows/jobs?fieldValidation=Strict' } as const;
  const many = (count: number) => Array.from({ length: count }, () => aRequest());
  suite(
    'B',
    {
      'an invocation beyond its deadline': { invocations: [anInvocation({ endedAt: at('+51s') })] },
      'an invocation that never ended': { invocations: [anInvocation({ endedAt: null })] },
      'a request after the handler returned': { requests: [aRequest({ at: at('+4s') })] },
      'a create too late to be awaited': {
        invocations: [anInvocation({ endedAt: at('+49s') })],
        requests: [aRequest({ ...create, at: at('+41s') })],
      },
      'more requests than are allowed': { requests: many(85) },
    },
    {
      'an invocation that Lambda killed': { invocations: [anInvocation({ endedAt: null, killed: true })] },
      'an invocation that is still within its time': {
        invocations: [anInvocation({ endedAt: null, startedAt: at('+2h'), deadline: at('+3h') })],
      },
      'a create just in time': {
        invocations: [anInvocation({ endedAt: at('+49s') })],
        requests: [aRequest({ ...create, at: at('+40s') })],
      },
      'as many requests as are allowed': { requests: many(84) },
    },
  );
});

describe('a violation', () => {
  it('names its run', () => {
    const [violation] = check(aWitness({ ...none, runs: [aRun(rows(scheduled))] }));
    assert.equal(violation?.runId, runId);
    assert.match(violation.why, /due, and nobody claimed it, for 7200 s without a fault/u);
  });
});
