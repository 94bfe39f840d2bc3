import { readdirSync, readFileSync } from 'node:fs';

import { faultResults, type RowResults } from './fault-results.ts';
import { faultRows } from './fault-rows.ts';
import { realRows } from './real-rows.ts';
import { table } from './table.ts';

const root = new URL('../../', import.meta.url);

/** Where rows are played: files by the beginning of their path, and what the suite is called. The first that fits. */
const suites: readonly (readonly [prefix: string, suite: string])[] = [
  ['test/suites/kubernetes/', 'kubernetes'],
  ['test/faults/crash', 'crash'],
  ['test/faults/matrix-wire', 'wire'],
  ['test/faults/matrix-secrets', 'wire'],
  ['test/faults/', 'memory'],
];

const folders = ['test/faults/', 'test/suites/kubernetes/'];

const testFiles = (): readonly string[] =>
  folders.flatMap((folder) =>
    readdirSync(new URL(folder, root))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => folder + name),
  );

/** Rows that a file plays, one entry for each call. */
function rowsIn(path: string): readonly number[] {
  const text = readFileSync(new URL(path, root), 'utf8');
  return [...text.matchAll(/\bmatrixRow\((\d+),/gu)].map(([, row]) => Number(row));
}

const suiteOf = (path: string): string => suites.find(([prefix]) => path.startsWith(prefix))?.[1] ?? '';

/** The test files that play rows, by their suite. */
export function testFilesOfRows(): ReadonlyMap<string, readonly string[]> {
  return Map.groupBy(
    testFiles().filter((path) => rowsIn(path).length > 0),
    suiteOf,
  );
}

/** For each row the suites that play it, in order. */
export function suitesOfRows(): ReadonlyMap<number, readonly string[]> {
  const found = new Map([...realRows.keys()].map((row) => [row, new Set(['kubernetes'])]));
  for (const path of testFiles()) {
    for (const row of rowsIn(path)) found.set(row, (found.get(row) ?? new Set()).add(suiteOf(path)));
  }
  return new Map([...found].map(([row, names]) => [row, [...names].sort()]));
}

/** `memory: 3 passed, wire: 1 passed, 2 failed`; suites that are known to play the row and told nothing say so. */
function resultText(suites: readonly string[], results: RowResults, row: number): string {
  const told = results.get(row) ?? {};
  const texts = [...new Set([...suites, ...Object.keys(told)])].sort().map((suite) => {
    const [passed, failed] = told[suite] ?? [0, 0];
    if (passed + failed === 0) return `${suite}: not run`;
    return failed === 0 ? `${suite}: ${passed} passed` : `${suite}: ${passed} passed, ${failed} failed`;
  });
  return texts.length === 0 ? 'no test' : texts.join('; ');
}

/** The table of the guide: fault, invariants, how its tests ended in each suite, and how the fault has to end. */
export function faultTable(results: RowResults = faultResults, played = suitesOfRows()): string {
  return table(
    ['row', 'fault', 'invariants', 'suites and results', 'ends with'],
    faultRows.map(({ row, fault, invariants, end }) => [
      String(row),
      fault,
      invariants,
      resultText(played.get(row) ?? [], results, row),
      end,
    ]),
  );
}
