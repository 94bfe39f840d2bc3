import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { suitesOfRows } from '../../infra/readme/fault-matrix.ts';
import { faultRows } from '../../infra/readme/fault-rows.ts';
import { realRows, withRow } from '../../infra/readme/real-rows.ts';
import { contract } from '../contract/kubernetes.cases.ts';
import { matrixRow } from '../faults/matrix.ts';
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
