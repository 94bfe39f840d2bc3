import { stripVTControlCharacters } from 'node:util';

import type { RowResults, SuiteResult } from '../../infra/readme/fault-results.ts';

type SuiteResults = ReadonlyMap<number, SuiteResult>;

/** A line of node:test's spec reporter (Node 24) about a test of a row. One that was skipped has another sign, and counts as none. */
const rowLine = /^\s*(?<sign>[✔✖]) row (?<row>\d+): /u;

/** How the tests of each row ended in one suite, by what that printed. */
export function resultsIn(printed: string): SuiteResults {
  const found = new Map<number, SuiteResult>();
  for (const line of stripVTControlCharacters(printed).split('\n')) {
    // The failures are told a second time from here on.
    if (line.startsWith('✖ failing tests:')) break;
    const { sign, row } = rowLine.exec(line)?.groups ?? {};
    if (sign === undefined) continue;
    const [passed, failed] = found.get(Number(row)) ?? [0, 0];
    found.set(Number(row), sign === '✔' ? [passed + 1, failed] : [passed, failed + 1]);
  }
  return found;
}

const sortedBy = <T>(entries: Iterable<readonly [string, T]>): readonly (readonly [string, T])[] =>
  [...entries].toSorted(([one], [two]) => one.localeCompare(two, 'en'));

/** The results of several suites, row by row. */
export function byRow(suites: ReadonlyMap<string, SuiteResults>): RowResults {
  const rows = [...new Set([...suites.values()].flatMap((results) => [...results.keys()]))];
  const resultsOf = (row: number) =>
    sortedBy(suites).flatMap(([suite, results]) => {
      const result = results.get(row);
      return result === undefined ? [] : [[suite, result] as const];
    });
  return new Map(
    rows.toSorted((one, two) => one - two).map((row) => [row, Object.fromEntries(resultsOf(row))] as const),
  );
}

interface Wanted {
  readonly rows: readonly number[];
  /** Suites whose tests play a row, by the sources. */
  readonly played: ReadonlyMap<number, readonly string[]>;
}

/** Why results are not those of a whole run that passed; none when they are. */
export function gapsIn(results: RowResults, { rows, played }: Wanted): readonly string[] {
  const untested = rows.filter((row) => !played.has(row)).map((row) => `no test plays row ${row}`);
  const unheard = [...played].flatMap(([row, suites]) =>
    suites
      .filter((suite) => results.get(row)?.[suite] === undefined)
      .map((suite) => `row ${row} has no result in ${suite}`),
  );
  const told = [...results].flatMap(([row, suites]) =>
    Object.entries(suites).map(([suite, [passed, failed]]) => ({ row, suite, passed, failed })),
  );
  const wrong = told
    .filter(({ passed, failed }) => failed > 0 || passed === 0)
    .map(({ row, suite }) => `row ${row} does not pass in ${suite}`);
  const unknown = told
    .filter(({ row, suite }) => played.get(row)?.includes(suite) !== true)
    .map(({ row, suite }) => `no test of ${suite} plays row ${row}`);
  return [...untested, ...unheard, ...wrong, ...unknown];
}

/** The source that keeps results, as `infra/readme/fault-results.ts` has it. */
export function withResults(source: string, results: RowResults): string {
  const lines = [...results].map(([row, suites]) => {
    const told = Object.entries(suites).map(([suite, [passed, failed]]) => `${suite}: [${passed}, ${failed}]`);
    return `  [${row}, { ${told.join(', ')} }],\n`;
  });
  return source.replace(/(?<=new Map\(\[)[^]*(?=\]\);)/u, `\n${lines.join('')}`);
}
