import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { finished, jsonLines, startCommand } from '../support/command.ts';
import { addSeed, emptyTally, exitStatus } from './tally.ts';

const soak = (...args: readonly string[]) => startCommand('test/soak/run.ts', args);

describe('npm run soak', () => {
  it('says what it takes', async () => {
    const { status, stdout } = await finished(soak('--help'));

    assert.equal(status, 0);
    for (const flag of ['seed', 'seeds', 'runs', 'hours', 'json'])
      assert.match(stdout, new RegExp(`^ {2}--${flag} `, 'mu'));
  });

  const refused = {
    'no seed at all': [['--seeds', '0'], /--seeds must be a number from 1 to/u],
    'runs that are no number': [['--runs', 'many'], /--runs must be a number from 1 to 200, and is "many"/u],
    'less than half an hour': [['--hours', '0.1'], /--hours must be a number from 0\.5/u],
    'a flag that it does not know': [['--fast'], /Unknown option '--fast'/u],
  } as const;
  for (const [name, [args, want]] of Object.entries(refused)) {
    it(`refuses ${name}`, async () => {
      const { status, stdout, stderr } = await finished(soak(...args));

      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, want);
    });
  }

  it('ends with the sum', async () => {
    const { status, stdout } = await finished(soak('--seed', '3', '--seeds', '2', '--runs', '2', '--json'));
    const { rules_fired: rules, rows_hit: rows, faults, ...sum } = jsonLines(stdout).at(-1) ?? {};

    assert.deepEqual([status, sum], [0, { event: 'soak', seeds: 2, violations: 0, runs: 4 }]);
    assert.ok(Object.keys(rules as object).includes('due'));
    assert.ok(Array.isArray(rows) && typeof faults === 'number');
  });

  it('stops at once when it is interrupted, and says how far it got', async () => {
    const child = soak('--seeds', '100000', '--json');
    const end = finished(child);
    child.stdout.once('data', () => child.kill('SIGINT'));
    const { status, stdout } = await end;

    assert.equal(status, 130);
    assert.deepEqual(
      jsonLines(stdout).map(({ event }) => event),
      ['soak_started', 'soak'],
    );
  });
});

describe('the sum of a soak', () => {
  const passed = { seed: 1, runs: 2, faults: 3, rulesFired: { due: 2 }, rowsHit: [8, 3], failure: null };
  const failed = { ...passed, seed: 2, failure: { invariants: ['U'], whys: ['two live Jobs'], told: '' } };

  it('counts seeds, violations, rules and rows', () => {
    assert.deepEqual([passed, failed].reduce(addSeed, emptyTally), {
      event: 'soak',
      seeds: 2,
      violations: 1,
      runs: 4,
      faults: 6,
      rules_fired: { due: 4 },
      rows_hit: [3, 8],
    });
  });

  it('is a failure for a violation alone', () => {
    const [clean, dirty] = [[passed], [passed, failed]].map((results) => results.reduce(addSeed, emptyTally));
    assert.ok(clean !== undefined && dirty !== undefined);
    assert.deepEqual([exitStatus(clean, false), exitStatus(dirty, false), exitStatus(dirty, true)], [0, 1, 130]);
  });
});
