import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { joblessRules, jobRules } from '../../functions/core/reconcile-rules.ts';
import { faultRows } from '../../infra/readme/fault-rows.ts';
import { finished, startCommand } from '../support/command.ts';
import { unhit } from './unhit.ts';

const rules = [...jobRules, ...joblessRules].map(({ name }) => name);
const rows = faultRows.map(({ row }) => row);
const firedBut = (without: string) =>
  Object.fromEntries(rules.flatMap((name) => (name === without ? [] : [[name, 1]])));

describe('what a soak has not hit', () => {
  it('is nothing when all rules and rows were', () => {
    assert.deepEqual(unhit({ rules_fired: firedBut(''), rows_hit: rows }), []);
  });

  it('is the one rule and the one row that are missing', () => {
    const tally = { rules_fired: firedBut('run-cancelled'), rows_hit: rows.filter((row) => row !== 8) };
    assert.deepEqual(unhit(tally), ['rule run-cancelled', 'row 8']);
  });

  it('is not what a named scenario hits', () => {
    const tally = { rules_fired: firedBut('can-never-start'), rows_hit: rows.filter((row) => row !== 17) };
    assert.deepEqual(unhit(tally), []);
  });

  it('fails a run that must be complete, and no other', async () => {
    const args = ['--seed', '3', '--seeds', '1', '--runs', '1'];
    const [whole, part] = [
      await finished(startCommand('test/soak/run.ts', [...args, '--complete'])),
      await finished(startCommand('test/soak/run.ts', args)),
    ];

    assert.deepEqual([whole.status, part.status, part.stderr], [70, 0, '']);
    assert.match(
      whole.stderr,
      /^Neither these seeds nor a named scenario of test\/soak\/named-scenarios\.ts hit: .*row /u,
    );
  });
});
