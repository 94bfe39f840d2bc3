import { it } from 'node:test';

import { faultRows } from '../../infra/readme/fault-rows.ts';

/**
 * A test of one row of the fault matrix: `row 13: create answer lost: at the first try`. The guide's table finds its
 * suites by these calls.
 */
export function matrixRow(row: number, variant: string, play: () => Promise<void>): void {
  const known = faultRows.find((each) => each.row === row);
  if (known === undefined) throw new RangeError(`the fault matrix has no row ${row}`);
  it(`row ${row}: ${known.fault}: ${variant}`, play);
}
