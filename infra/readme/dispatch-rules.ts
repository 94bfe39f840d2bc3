import type { RuleText } from './rule-text.ts';

/** The rules that hold a run, in their order, then those under which one is submitted. */
export const dispatchRuleTexts: readonly RuleText[] = [
  {
    rule: 'paused-by-operator',
    when: '`DISPATCH_PAUSED` is set',
    what: 'held; Jobs that exist are looked after by reconcile as ever',
  },
  {
    rule: 'job-being-deleted',
    when: 'a Job of the run is on its way out',
    what: 'held until it is gone: its pod can still set Running',
  },
  {
    rule: 'active-job',
    when: 'a Job of the run is active, whoever created it',
    what: 'held: a second one would run the flow twice',
  },
  {
    rule: 'claimed-under-another-key',
    when: 'another attempt of this stack still holds its lease',
    what: 'held until the lease is over: its create may still land',
  },
  {
    rule: 'claim-unreadable',
    when: 'the run is Submitted, but without a claim of this stack that can be read',
    what: 'held: somebody else works on it',
  },
  {
    rule: 'claim-within-its-lease',
    when: 'the run is claimed and the lease lasts',
    what: 'held: whoever claimed it may be creating its Job now',
  },
  {
    rule: 'claim-not-wanted',
    when: 'a claim stands, but what lies beneath it is no longer Scheduled',
    what: 'held; reconcile writes a cancel, the server its own states',
  },
  {
    rule: 'job-of-this-key-exists',
    when: 'the claimed attempt has a Job already, even a finished one',
    what: 'held; reconcile decides about that Job',
  },
  {
    rule: 'backing-off',
    when: 'the attempt was refused before, as by a quota',
    what: 'held for 1, 2, 4, 8, then 15 minutes, with a heartbeat so that the server does not reschedule it',
  },
  {
    rule: 'retry-no-longer-due',
    when: 'a task retry was due in the poll, and is not any more',
    what: 'held: the flow process took it itself',
  },
  {
    rule: 'retry-of-a-cancelled-run',
    when: 'a task retry is due, but the run was cancelled and its pod wrote Running over that',
    what: 'held; reconcile ends the run as Cancelled',
  },
  {
    rule: 'failed-job-not-judged-yet',
    when: 'a task retry is due, and the newest Job of the run failed',
    what: 'held: reconcile fails the run. With `INFRA_RETRIES` above 0 it may leave it to the retry, which is made three minutes later',
  },
  {
    rule: 'not-due-within-this-invocation',
    when: 'the start time lies beyond what is left of this invocation',
    what: 'held for the next tick',
  },
  {
    rule: 'later-than-the-limit',
    when: 'the run is late by more than `LATE_RUN_LIMIT`',
    what: 'held until somebody reschedules or cancels it',
  },
  {
    rule: 'at-capacity',
    when: '`MAX_IN_FLIGHT` Jobs are active',
    what: 'held until one ends; the oldest start goes first',
  },
  {
    rule: 'label-at-capacity',
    when: 'a label of the run has reached its cap in `LABEL_LIMITS` or `PROFILES`',
    what: 'held until a Job with that label ends',
  },
  { rule: 'tick-is-full', when: 'this tick has submitted `MAX_PER_TICK` runs', what: 'held for the next tick' },
  {
    rule: 'template-not-read-yet',
    when: 'the templates of older runs took all the time there is for them',
    what: 'held for the next tick',
  },
  {
    rule: 'due',
    when: 'the run is Scheduled and its time has come',
    what: 'claimed, verified, then its Job is created',
  },
  {
    rule: 'task-retry-due',
    when: 'the run is Running without a Job, and a task of it waits for its retry',
    what: 'a Job is created; no state is written',
  },
  {
    rule: 'jobless-claim-past-its-lease',
    when: 'a claim of this stack has outlived its lease without a Job',
    what: 'claimed again under the same key, so that a late Job and a new one are the same',
  },
];
