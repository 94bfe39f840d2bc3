import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { faultTable, suitesOfRows, testFilesOfRows } from '../../infra/readme/fault-matrix.ts';
import { faultResults } from '../../infra/readme/fault-results.ts';
import { faultRows } from '../../infra/readme/fault-rows.ts';
import { realRows, withRow } from '../../infra/readme/real-rows.ts';
import { contract } from '../contract/kubernetes.cases.ts';
import { matrixRow } from '../faults/matrix.ts';
import { byRow, gapsIn, resultsIn, withResults } from '../faults/row-results.ts';
import { podScenarios } from '../support/real-pod-scenarios.ts';
import { repairScenarios } from '../support/real-repair-scenarios.ts';
import { runScenarios } from '../support/real-run-scenarios.ts';

describe('the fault matrix', () => {
  const played = suitesOfRows();

  it('has 52 rows, numbered as they stand', () => {
    assert.deepEqual(
      faultRows.map(({ row }) => row),
      Array.from({ length: 52 }, (_, index) => index + 1),
    );
  });

  for (const { row, fault } of faultRows) {
    it(`row ${row} is played on the local servers: ${fault}`, () => {
      const suites = played.get(row) ?? [];
      assert.ok(
        suites.some((suite) => ['crash', 'memory', 'wire'].includes(suite)),
        'no test calls matrixRow for it',
      );
    });
  }

  it('finds the tests on the real control plane under the names it gives them', () => {
    const names = new Set(
      [podScenarios, runScenarios, repairScenarios, ...Object.values(contract)].flatMap(Object.keys),
    );
    assert.deepEqual(
      [...realRows.values()].flat().filter((name) => !names.has(name)),
      [],
    );
    assert.equal(withRow('a run is deleted'), 'row 40: a run is deleted');
    assert.equal(withRow('a pod runs'), 'a pod runs');
  });

  it('plays no row that it does not have', () => {
    const known = new Set(faultRows.map(({ row }) => row));
    assert.deepEqual(
      [...played.keys()].filter((row) => !known.has(row)),
      [],
    );
    assert.throws(() => matrixRow(53, 'none', async () => undefined), /no row 53/u);
  });
});

const printed = `▶ the create
  ✔ row 13: create answer lost: at the first try (12.5ms)
  \u001B[32m✔ row 13: create answer lost: cut short (3ms)\u001B[39m
  ✖ row 22: API server restarts: GOAWAY (1ms)
  ﹣ row 33: node unreachable: needs a cluster (0.1ms) # SKIP
  ✔ row 26 notices a product that does not wait (3ms)
  ✔ a pod of row 26: none of them (3ms)
ℹ pass 4

✖ failing tests:

test at test/faults/matrix-wire.test.ts:1:1
✖ row 22: API server restarts: GOAWAY (1ms)
`;

describe('the results of the fault matrix', () => {
  const rows = faultRows.map(({ row }) => row);
  const played = suitesOfRows();

  it('are of every row, in every suite that plays it, and all passed', () => {
    assert.deepEqual(gapsIn(faultResults, { rows, played }), [], 'npm run test:matrix records them');
  });

  it('stand in the table, one line for each row with all of its suites', () => {
    const lines = faultTable().split('\n').slice(2);
    assert.equal(lines.length, rows.length);
    for (const [index, line] of lines.entries()) {
      const told = line.split(' | ')[3]?.split('; ') ?? [];
      assert.ok(line.startsWith(`| ${index + 1} |`), line);
      assert.deepEqual(
        told.map((text) => /^(\w+): [1-9]\d* passed$/u.exec(text)?.[1]),
        played.get(index + 1),
        line,
      );
    }
  });

  it('are read from what the tests print: each test once, none that is skipped or only speaks of a row', () => {
    assert.deepEqual(
      [...resultsIn(printed)],
      [
        [13, [2, 0]],
        [22, [0, 1]],
      ],
    );
    assert.deepEqual([...resultsIn('ℹ pass 0\n')], []);
  });

  const whole = byRow(
    new Map([
      ['wire', resultsIn('✔ row 2: b: c (1ms)\n✔ row 1: a: b (1ms)\n')],
      ['memory', resultsIn('✔ row 1: a: b (1ms)\n')],
    ]),
  );
  const suites = new Map([
    [1, ['memory', 'wire']],
    [2, ['wire']],
  ]);

  it('are put together row by row, and kept as source', () => {
    const source = "import { a } from 'b';\n\nexport const results = new Map([\n  [9, { old: [1, 0] }],\n]);\n";
    const kept = '\n  [1, { memory: [1, 0], wire: [1, 0] }],\n  [2, { wire: [1, 0] }],\n';
    assert.equal(withResults(source, whole), source.replace('\n  [9, { old: [1, 0] }],\n', kept));
    assert.equal(withResults(source.replace('\n  [9, { old: [1, 0] }],\n', ''), whole), withResults(source, whole));
  });

  const wanted = { rows: [1, 2], played: suites };
  const gaps: Readonly<Record<string, readonly [results: typeof whole, want: typeof wanted, gap: readonly string[]]>> =
    {
      'nothing is missing': [whole, wanted, []],
      'a row without a test': [whole, { ...wanted, rows: [1, 2, 3] }, ['no test plays row 3']],
      'a suite that said nothing': [new Map([...whole].slice(0, 1)), wanted, ['row 2 has no result in wire']],
      'a test that failed': [new Map([...whole, [2, { wire: [4, 1] }]]), wanted, ['row 2 does not pass in wire']],
      'tests of which none was played': [
        new Map([...whole, [2, { wire: [0, 0] }]]),
        wanted,
        ['row 2 does not pass in wire'],
      ],
      'a result of a test that is gone': [
        new Map([...whole, [2, { crash: [1, 0], wire: [1, 0] }]]),
        wanted,
        ['no test of crash plays row 2'],
      ],
    };
  for (const [name, [results, want, gap]] of Object.entries(gaps)) {
    it(`are looked through: ${name}`, () => assert.deepEqual(gapsIn(results, want), gap));
  }

  it('say in the table what is missing or fails', () => {
    const lines = faultTable(new Map([[1, { wire: [2, 1] }]]), suites).split('\n');
    assert.match(lines[2] ?? '', /\| memory: not run; wire: 2 passed, 1 failed \|/u);
    assert.match(lines[4] ?? '', /\| no test \|/u);
  });

  it('come of the files that play rows, each in one suite', () => {
    const files = [...testFilesOfRows()].flatMap(([suite, paths]) => paths.map((path) => `${suite}: ${path}`));
    for (const one of ['wire: test/faults/matrix-wire.test.ts', 'crash: test/faults/crash-pairs.test.ts']) {
      assert.ok(files.includes(one), one);
    }
    assert.ok(!files.some((one) => one.includes('proxy.test.ts') || one.startsWith(': ')), files.join());
  });
});
