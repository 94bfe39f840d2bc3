import { readdirSync, readFileSync } from 'node:fs';

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

/** For each row the suites that play it, in order. */
export function suitesOfRows(): ReadonlyMap<number, readonly string[]> {
  const found = new Map([...realRows.keys()].map((row) => [row, new Set(['kubernetes'])]));
  for (const path of testFiles()) {
    const suite = suites.find(([prefix]) => path.startsWith(prefix))?.[1] ?? '';
    for (const row of rowsIn(path)) found.set(row, (found.get(row) ?? new Set()).add(suite));
  }
  return new Map([...found].map(([row, names]) => [row, [...names].sort()]));
}

/** The table of the guide: fault, invariants, where it is played, how it ends. */
export function faultMatrixTable(): string {
  const played = suitesOfRows();
  return table(
    ['row', 'fault', 'invariants', 'suites', 'ends with'],
    faultRows.map(({ row, fault, invariants, end }) => [
      String(row),
      fault,
      invariants,
      (played.get(row) ?? []).join(', '),
      end,
    ]),
  );
}
