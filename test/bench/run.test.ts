import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';

import { isMet, median } from './goal.ts';

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
    assert.equal(isMet({ ...goal, figure: 4 }), true);
    assert.equal(isMet({ ...goal, figure: 5 }), false);
  });
});

describe('npm run bench', () => {
  it('names its groups in --help', () => {
    const { status, stdout } = run('--help');

    assert.equal(status, 0);
    for (const group of ['counters', 'sizes', 'imports']) assert.match(stdout, new RegExp(`^${group}: `, 'mu'));
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
