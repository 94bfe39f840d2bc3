import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { summarise, type Outcome, type TickReport } from '../../functions/core/tick-report.ts';
import type { RunRow } from '../../infra/local/ledger.ts';
import { showText, tableLines } from '../../infra/local/show-text.ts';
import { reportText, type Beginning, type Summary } from '../../infra/local/show.ts';
import { worldTime } from '../../infra/local/world-clock.ts';

const outcome = (kind: Outcome['kind'], rule: string): Outcome => ({
  kind,
  rule,
  action: 'create-job',
  runId: null,
  job: null,
  why: '',
});

const aReport = (outcomes: readonly Outcome[], problem: TickReport['problem'] = null): TickReport =>
  summarise('dispatch', outcomes, { facts: { due: outcomes.length }, problem });

const aRow = (wish: Partial<RunRow> = {}): RunRow => ({
  name: 'success',
  state: 'Scheduled',
  job: 'none',
  why: '',
  expect: { state: 'Success', job: 'complete', afterTicks: 1 },
  standing: 'under-way',
  found: null,
  ...wish,
});

const beginning = (rows: readonly RunRow[]): Beginning => ({
  version: '1.2.3',
  prefect: 'http://127.0.0.1:1',
  kubernetes: 'https://127.0.0.1:2',
  kubeconfig: 'folder/kubeconfig',
  aws: 'http://127.0.0.1:3',
  namespace: 'flows',
  periodMs: 2_000,
  rows,
});

const summary: Summary = {
  runs: {},
  expectedMismatches: 0,
  underWay: 0,
  jobsCreated: 1,
  duplicateJobs: 0,
  ticks: { dispatch: 1, reconcile: 1 },
  problems: 0,
  interrupted: false,
};

function aScreen(isTerminal: boolean, lines = 24) {
  const written: string[] = [];
  const screen = { write: (text: string) => void written.push(text), isTerminal, colours: false, columns: 60, lines };
  return { screen, written };
}

describe('words about a tick', () => {
  const cases: Readonly<Record<string, { report: TickReport; want: string }>> = {
    'an idle tick': { report: aReport([]), want: 'due 0' },
    'one rule needs no number of its own': {
      report: aReport([outcome('created', 'due'), outcome('created', 'due')]),
      want: 'due 2  created 2 (due)',
    },
    'several rules have theirs': {
      report: aReport([outcome('held', 'at-capacity'), outcome('held', 'active-job'), outcome('held', 'at-capacity')]),
      want: 'due 3  held 3 (at-capacity 2, active-job 1)',
    },
    'waiting is only counted': { report: aReport([outcome('waiting', 'still-working')]), want: 'due 1  waiting 1' },
    'a tick that could not work says why, and nothing else': {
      report: aReport([outcome('created', 'due')], { code: 'CLUSTER_FORBIDDEN', message: 'No.' }),
      want: 'could not work: CLUSTER_FORBIDDEN: No.',
    },
  };
  for (const [name, { report, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(reportText(report), want));
  }

  it('counts the time of the world, with hours when there are some', () => {
    assert.deepEqual([0, 210_000, 3_661_000].map(worldTime), ['00:00', '03:30', '01:01:01']);
  });
});

describe('table of runs', () => {
  it('cuts rows to the width', () => {
    const lines = tableLines([aRow({ why: 'a very long reason\nin two lines, and more' })], 60);

    assert.ok(lines.every((line) => line.length <= 60));
    assert.match(lines[1] ?? '', /^success  Scheduled  none  under way  a very long reason in.*…$/u);
  });

  it('leaves the name of the pod to the JSON', () => {
    const why = "Kubernetes Error: container 'flow' of pod prefect-job-1-abcde exited with code 1";

    assert.match(tableLines([aRow({ why })], 200)[1] ?? '', /container 'flow' exited with code 1$/u);
  });
});

describe('lines for people', () => {
  it('says what changed, without a terminal, and draws the table at the end only', () => {
    const { screen, written } = aScreen(false);
    const show = showText(screen);

    show.begin(beginning([aRow()]));
    show.rows([aRow({ state: 'Running' })]);
    show.rows([aRow({ state: 'Running' })]);
    const before = written.join('');
    show.end(summary, [aRow({ state: 'Success', standing: 'held' })]);

    assert.equal(before.split('-> Running: success').length, 2);
    assert.doesNotMatch(before, /RUN +STATE/u);
    assert.match(written.join(''), /RUN +STATE.*\nsuccess +Success +none +as expected/u);
    assert.match(written.join(''), /^1 of 1 runs are where their script says after 1 tick of each function/mu);
  });

  it('redraws the table in place on a terminal', () => {
    const { screen, written } = aScreen(true);
    const show = showText(screen);

    show.begin(beginning([aRow()]));
    show.rows([aRow({ state: 'Running' })]);

    // An empty line, the heading and one run: three lines up, then everything below is cleared.
    assert.ok(written.includes('\u001B[3A\u001B[J'));
    assert.match(written.at(-1) ?? '', /success +Running/u);
  });

  it('shows what is not settled first when a terminal is too low for all', () => {
    const { screen, written } = aScreen(true, 9);
    const rows = ['a', 'b', 'c', 'd'].map((name) => aRow({ name, standing: name === 'd' ? 'under-way' : 'held' }));

    showText(screen).begin(beginning(rows));

    assert.match(written.at(-1) ?? '', /\nd .*\na .*\nb .*\nand 1 more\n$/u);
  });

  it('names what is not as expected, and what is under way', () => {
    const { screen, written } = aScreen(false);
    const wrong = aRow({ standing: 'mismatch', state: 'Failed', found: 'Failed, Job failed, after 1 tick' });

    showText(screen).end({ ...summary, expectedMismatches: 1, underWay: 1, interrupted: true }, [wrong, aRow()]);

    const text = written.join('');
    assert.match(text, /^Interrupted\. 0 of 1 runs are where their script says/mu);
    assert.match(text, /^ {2}success: expected Success, Job complete, after 1 tick; found Failed, Job failed/mu);
    assert.match(text, /^Under way:\n {2}success: Success, Job complete, after 1 tick$/mu);
  });
});
