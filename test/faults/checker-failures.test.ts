import { describe } from 'node:test';

import { at } from '../support/time.ts';
import { suite, scheduled, claimed, running, none, deletion, gone } from './checker-cases.ts';
import { aJob, anExecution, aRequest, aRun, rows, runId } from './witnessed-example.ts';

const failed = (when: string) =>
  ({ at: when, state: 'Failed', message: 'Kubernetes Error: exit code 1', ours: true }) as const;
const success = { at: '+58s', state: 'Success' } as const;

describe('F: no false Failed, and no cancelled run at work', () => {
  const crashed = [anExecution({ outcome: 'crashed' })];
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
      'Failed over the Running of a run that somebody else has claimed': {
        ...none,
        runs: [aRun(rows(scheduled, { at: '+1s', state: 'Submitted' }, running, failed('+5m')))],
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
      'a cancelled run that stopped at once, whose Job was kept for its time': {
        runs: [
          aRun(
            rows(scheduled, claimed, running, { at: '+10s', state: 'Cancelling' }, { at: '+20s', state: 'Cancelled' }),
          ),
        ],
        jobs: [aJob({ finishedAt: at('+22s'), deletedAt: at('+12m') })],
        executions: [anExecution({ endedAt: at('+20s'), outcome: 'cancelled' })],
        requests: [{ ...deletion, at: at('+12m') }],
        endedAt: at('+16m'),
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
      'Failed for the next Job, which was refused, while a process lives on unseen': {
        ...hidden,
        runs: [aRun(rows(scheduled, claimed, running, { ...failed('+7m'), ours: 'v3' }))],
        jobs: [byHand],
      },
      'Failed over the Running of a run that we have claimed after somebody else': {
        runs: [aRun(rows(scheduled, { at: '+0s', state: 'Submitted' }, claimed, running, failed('+90s')))],
        executions: crashed,
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

describe('F: a Failed that was on its way when the pod started', () => {
  const failing = (when: string) =>
    aRequest({
      actor: 'reconcile#1',
      at: at(when),
      body: `{"flow_run_id":"${runId}","message":"${failed('+30s').message}"}`,
      answered: false,
    });
  const putRight = (when: string) => ({
    runs: [
      aRun(
        rows(
          scheduled,
          claimed,
          running,
          failed('+30s'),
          { at: when, state: 'Running', ours: true },
          { at: '+10m', state: 'Success' },
        ),
      ),
    ],
    jobs: [aJob({ finishedAt: at('+11m') })],
    executions: [anExecution({ endedAt: at('+10m') })],
  });
  suite(
    'F',
    {
      'sent after it had started': {
        requests: [failing('+6s')],
        runs: [aRun(rows(scheduled, claimed, running, failed('+30s'), success))],
      },
      'sent before it had started, and never put right': {
        requests: [failing('+4s')],
        runs: [aRun(rows(scheduled, claimed, running, failed('+30s')))],
      },
      'sent before it had started, and put right too late': {
        requests: [failing('+4s')],
        ...putRight('+330s'),
      },
      'with a request of another run': {
        requests: [{ ...failing('+4s'), body: '{"flow_run_id":"run-2"}' }],
        runs: [aRun(rows(scheduled, claimed, running, failed('+30s'), success))],
      },
      'with a request that took no effect': {
        requests: [{ ...failing('+4s'), applied: false }],
        runs: [aRun(rows(scheduled, claimed, running, failed('+30s'), success))],
      },
    },
    {
      'sent before it had started, and over in its end': {
        requests: [failing('+4s')],
        runs: [aRun(rows(scheduled, claimed, running, failed('+30s'), success))],
      },
      'sent before it had started, and put right by us': {
        requests: [failing('+4s')],
        ...putRight('+329s'),
      },
    },
  );
});
