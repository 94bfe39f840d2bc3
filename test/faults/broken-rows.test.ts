import assert, { AssertionError } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';

import { faultRows } from '../../infra/readme/fault-rows.ts';
import { edited, importApart, importBroken, type Edit } from '../soak/broken-source.ts';
import { brokenRows, type BrokenRow } from './broken-rows.ts';
import type { GatheredTest } from './gathered-tests.ts';
import { sampled } from './sample.ts';
import type { Violation } from './timeline.ts';

const editsOf = ({ edit, and }: BrokenRow): readonly Edit[] => (and === undefined ? [edit] : [edit, and]);

/** The test of a row, not played yet, with these edits beneath it. */
async function testOf(row: number, { file, variant }: BrokenRow, edits: readonly Edit[]): Promise<GatheredTest> {
  // What is not broken is loaded once for all.
  const name = edits.length === 0 ? 'as it is' : `row ${row}`;
  await importBroken(`test/faults/matrix-${file}.test.ts`, name, ...edits);
  const { gathered } = await importApart<{ gathered: readonly GatheredTest[] }>('test/faults/gathered-tests.ts', name);
  const fault = faultRows[row - 1]?.fault;
  const [test, ...others] = gathered.filter((each) => each.name === `row ${row}: ${fault}: ${variant}`);
  assert.ok(test !== undefined && others.length === 0, `no such test, or several: ${variant}`);
  return test;
}

const show = (value: unknown): string => inspect(value, { breakLength: Infinity, maxArrayLength: 5 });

const isViolation = (value: unknown): value is Violation =>
  typeof value === 'object' && value !== null && 'invariant' in value;

/** The first violation that the checker found, or what the assertion had and wanted. Throws all other errors on. */
function complaintOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (!(cause instanceof AssertionError)) throw error;
  const { actual, expected, message, operator } = cause;
  const [first]: readonly unknown[] = Array.isArray(actual) ? actual : [];
  if (isViolation(first)) return `${first.invariant}: ${first.why}`;
  return operator === '==' ? message : `${show(actual)} instead of ${show(expected)}`;
}

describe('the handling of each fault is needed', () => {
  for (const [row, broken] of sampled([...brokenRows], 4)) {
    it(`row ${row} notices a product that ${broken.mistake}`, { timeout: 60_000 }, async () => {
      const asItIs = await testOf(row, broken, []);
      await asItIs.play();

      const test = await testOf(row, broken, editsOf(broken));
      const complaint = await test.play().then(() => 'nothing', complaintOf);
      assert.match(complaint, broken.says);
    });
  }
});

describe('the table of the breaks', () => {
  it('has every row of the matrix', () => {
    assert.deepEqual(
      [...brokenRows.keys()],
      faultRows.map(({ row }) => row),
    );
  });

  it('breaks the product, in a place that is there, and never the same way twice', () => {
    const edits = [...brokenRows.values()].flatMap(editsOf);
    for (const edit of edits) {
      assert.match(edit.file, /^functions\//u);
      edited(readFileSync(new URL(`../../${edit.file}`, import.meta.url), 'utf8'), edit);
    }
    assert.equal(new Set(edits.map((edit) => JSON.stringify(edit))).size, edits.length);
  });
});
