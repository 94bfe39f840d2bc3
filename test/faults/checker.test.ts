import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { at } from '../support/time.ts';
import { check } from './checker.ts';
import { suite, scheduled, claimed, running, none, deletion, gone } from './checker-cases.ts';
import { aJob, anExecution, anInvocation, aRequest, aRun, aWitness, rows, runId } from './witnessed-example.ts';
import type { Witnessed } from './witness.ts';

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
  const askedOfCancelled = {
    ...asked,
    runs: [aRun(rows(scheduled, claimed, running, { at: '+10s', state: 'Cancelled' }))],
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
      'a Job of a deleted run that was asked to go, and never had a process': {
        ...asked,
        executions: [],
      },
      'a Job of a deleted run whose process lives, and that nobody asked to go': { ...asked, requests: [] },
      'a Job of a cancelled run that was asked to go, and has no process': { ...askedOfCancelled, executions: [] },
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
      'a Job of a cancelled run that was asked to go, with a process on a lost node': askedOfCancelled,
      'a Job of a deleted run that was asked to go, whose process ended beside a sidecar on a lost node': {
        ...asked,
        executions: [anExecution({ outcome: 'crashed' })],
      },
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
      'two executions at once, the first ended as soon as a person had deleted its Job': {
        jobs: [
          { ...gone, byHand: true, deletedAt: at('+301s'), finishedAt: null },
          { ...again, createdAt: at('+301s') },
        ],
        executions: [
          { ...lost, outcome: 'killed', endedAt: at('+320s') },
          { ...secondExecution, startedAt: at('+310s') },
        ],
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
      'two executions, the first ended by a node that came back, after a person deleted its Job': {
        jobs: [{ ...gone, byHand: true }, again],
        executions: [{ ...lost, outcome: 'killed', endedAt: at('+310s') }, secondExecution],
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
