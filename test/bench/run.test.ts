import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';

import { interleaved, measureFairly, median, ratios, verdictOf, type GoalGroup, type GoalKind } from './goal.ts';

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

describe('a group that misses a goal', () => {
  /** Measures groups of these kinds, each with its figures in turn; each measuring takes ten seconds. */
  async function figuresOf(wanted: readonly { kind: GoalKind; figures: readonly number[] }[], limitMs = 60_000) {
    let time = 0;
    const left = new Map(wanted.map(({ figures }, place) => [`group ${place}`, [...figures]]));
    const order: string[] = [];
    const groups: readonly GoalGroup[] = wanted.map(({ kind }, place) => ({
      name: `group ${place}`,
      about: 'a test',
      kind,
      measure: async () => [],
    }));
    const seen = await measureFairly(groups, {
      now: () => time,
      limitMs,
      measure: async ({ name }) => {
        time += 10_000;
        order.push(name);
        const figure = left.get(name)?.shift() ?? 0;
        return [{ goal: 'time', figure, unit: 's', limit: 4, because: 'a test' }];
      },
    });
    return { figures: seen.map(({ measurements }) => measurements[0]?.figure), order };
  }

  const cases: Record<string, { kind: GoalKind; figures: readonly number[]; want: number; wantTimes: number }> = {
    'is measured once more when time is in it': { kind: 'wall', figures: [9, 1], want: 1, wantTimes: 2 },
    'or CPU': { kind: 'cpu', figures: [9, 1], want: 1, wantTimes: 2 },
    'and no more than once': { kind: 'cpu', figures: [9, 8, 1], want: 8, wantTimes: 2 },
    'is believed when it counts': { kind: 'count', figures: [9, 1], want: 9, wantTimes: 1 },
    'is left alone when it misses none': { kind: 'wall', figures: [4, 1], want: 4, wantTimes: 1 },
  };
  for (const [name, { kind, figures, want, wantTimes }] of Object.entries(cases)) {
    it(name, async () => {
      const seen = await figuresOf([{ kind, figures }]);
      assert.deepEqual([seen.figures[0], seen.order.length], [want, wantTimes]);
    });
  }

  const two = [
    { kind: 'cpu', figures: [9, 1] },
    { kind: 'cpu', figures: [8, 2] },
  ] as const;

  it('waits until every group has been measured', async () => {
    const { figures, order } = await figuresOf(two);
    assert.deepEqual(order, ['group 0', 'group 1', 'group 0', 'group 1']);
    assert.deepEqual(figures, [1, 2]);
  });

  it('is believed at once where measuring it again would take longer than there is time', async () => {
    assert.deepEqual((await figuresOf(two, 39_999)).figures, [1, 8]);
    assert.deepEqual((await figuresOf(two, 40_000)).figures, [1, 2]);
  });
});

describe('npm run bench', () => {
  it('names its groups in --help', () => {
    const { status, stdout } = run('--help');

    assert.equal(status, 0);
    const [, named = ''] = /--only GROUP,\.\.\. +(.*) \(default: all\)/u.exec(stdout) ?? [];
    const groups = named.split(', ');
    for (const group of ['counters', 'claim-batches', 'back-pressure', 'lambda-limits', 'curves', 'peer']) {
      assert.ok(groups.includes(group), group);
    }
    for (const group of groups) assert.match(stdout, new RegExp(`^${group}: `, 'mu'));
  });

  it('has a place in the guide for each of its groups', async () => {
    const { stdout } = run('--help');
    const guide = await readFile(path.join(import.meta.dirname, '../../infra/guides/performance.md'), 'utf8');
    const headings = guide.split('\n').filter((line) => line.startsWith('## '));
    for (const [, group = ''] of stdout.matchAll(/^([a-z-]+): .*\)$/gmu)) {
      assert.ok(
        headings.some((heading) => heading.includes(`\`${group}\``)),
        `a section about ${group}`,
      );
      assert.match(guide, new RegExp(`^\\| \`${group}\` \\|`, 'mu'), `limits of ${group}`);
    }
  });

  it('refuses in one sentence what there is not, and flags that would do nothing', () => {
    const nonsense = [
      ['--only', 'speed'],
      ['--fast'],
      ['--only', 'sizes', '--svg', 'curves.svg'],
      ['--only', 'sizes', '--peer'],
    ];
    for (const args of nonsense) {
      const { status, stdout, stderr } = run(...args);

      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.match(stderr, /^.+ See --help\.\n$/u);
    }
  });

  it('says what it has not measured, and does not count it', () => {
    const { status, stdout } = run('--only', 'peer', '--json');

    assert.equal(status, 0);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { verdict: string; because: string });
    assert.ok(rows.length > 0);
    for (const { verdict, because } of rows) {
      assert.equal(verdict, 'not measured');
      assert.match(because, /--peer/u);
    }
  });

  it('ends with a count of its verdicts', () => {
    const { stdout } = run('--only', 'peer');

    assert.match(stdout, /\n\n3 goals: 0 met, 0 MISSED, 3 not measured, in \d+ s\.\n$/u);
  });
});
