import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { suitesOfRows } from '../../infra/readme/fault-matrix.ts';
import { faultRows } from '../../infra/readme/fault-rows.ts';
import { matrixRow } from '../faults/matrix.ts';

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

  it('plays no row that it does not have', () => {
    const known = new Set(faultRows.map(({ row }) => row));
    assert.deepEqual(
      [...played.keys()].filter((row) => !known.has(row)),
      [],
    );
    assert.throws(() => matrixRow(53, 'none', async () => undefined), /no row 53/u);
  });
});
