import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';

import { interleaved, median, ratios, verdictOf } from './goal.ts';

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [path.join(import.meta.dirname, 'run.ts'), ...args], { encoding: 'utf8' });

describe('median', () => {
  const cases = {
    'one value': { values: [7], want: 7 },
    'an odd number, unsorted': { values: [9, 1, 100], want: 9 },
    'an even number: the mean of the middle two': { values: [10, 1, 4, 2], want: 3 },
    'sorted as numbers, not as text': { values: [100, 20, 3], want: 20 },
  };
  for (const [name, { values, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(median(values), want));
  }
});

describe('a goal', () => {
  const goal = { goal: 'requests', unit: 'requests', limit: 4, because: 'the formula' };

  it('is met at its limit and missed one above', () => {
    assert.equal(verdictOf({ ...goal, figure: 4 }), 'met');
    assert.equal(verdictOf({ ...goal, figure: 5 }), 'MISSED');
  });

  it('that is a least is met at its limit and missed one below', () => {
    assert.equal(verdictOf({ ...goal, atLeast: true, figure: 4 }), 'met');
    assert.equal(verdictOf({ ...goal, atLeast: true, figure: 3 }), 'MISSED');
  });

  it('without a figure has no verdict', () => assert.equal(verdictOf({ ...goal, figure: null }), 'not measured'));
});

describe('a comparison', () => {
  it('is the median of what was measured side by side, with its spread', () =>
    assert.deepEqual(ratios([10, 30, 22], [10, 10, 10]), { figure: 2.2, spread: [1, 3] }));

  it('lets the programs take turns', async () => {
    const order: string[] = [];
    const program = (name: string) => async () => order.push(name);

    const figures = await interleaved({ a: program('a'), b: program('b') }, 2);

    assert.deepEqual(order, ['a', 'b', 'a', 'b']);
    assert.deepEqual(figures, { a: [1, 3], b: [2, 4] });
  });
});

describe('npm run bench', () => {
  it('names its groups in --help', () => {
    const { status, stdout } = run('--help');

    assert.equal(status, 0);
    for (const group of ['counters', 'sizes', 'imports', 'back-pressure', 'claim-batches'])
      assert.match(stdout, new RegExp(`^${group}: `, 'mu'));
  });

  it('refuses a group that there is not, and an unknown flag, in one sentence', () => {
    for (const args of [['--only', 'speed'], ['--fast']]) {
      const { status, stdout, stderr } = run(...args);

      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.match(stderr, /^.+ See --help\.\n$/u);
    }
  });
});
