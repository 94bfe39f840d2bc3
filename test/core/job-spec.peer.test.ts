import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { ask, type PeerAnswer, type PeerCase } from '../suites/prefect/job-spec/case.ts';
import { expectedJob } from '../suites/prefect/job-spec/differences.ts';
import { judge } from '../suites/prefect/job-spec/verdict.ts';

interface Pair {
  readonly case: PeerCase;
  readonly answer: PeerAnswer;
}

const pairs = readFileSync(new URL('../fixtures/job-spec/pairs.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Pair);

const verdicts = pairs.map((pair) => ({ pair, verdict: judge(pair.case, pair.answer, ask(pair.case)) }));

describe('the recorded answers of prefect 1.4.1', () => {
  it('are ours, but for the named differences', () => {
    for (const { pair, verdict } of verdicts) {
      if (verdict.kind !== 'same-job') continue;
      assert.deepEqual(verdict.ours.job, expectedJob(verdict.peer, pair.case));
    }
  });

  it('are refusals where ours are, in the same words where authors know them', () => {
    const contradictions = verdicts.flatMap(({ verdict }) => (verdict.kind === 'contradiction' ? [verdict.why] : []));

    assert.deepEqual(contradictions, []);
  });

  it('hold enough Jobs and enough refusals to mean something', () => {
    const count = (kind: string): number => verdicts.filter(({ verdict }) => verdict.kind === kind).length;

    assert.ok(count('same-job') >= 120, `${count('same-job')} Jobs`);
    assert.ok(count('both-refuse') >= 50, `${count('both-refuse')} refusals`);
    assert.ok(count('different-on-purpose') >= 5, `${count('different-on-purpose')} named differences`);
  });
});
