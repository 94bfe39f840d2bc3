import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { joblessRules, jobRules } from '../../functions/core/reconcile-rules.ts';
import { suitesOfRows } from '../../infra/readme/fault-matrix.ts';
import { faultRows } from '../../infra/readme/fault-rows.ts';
import { drawScenario } from './draw-scenario.ts';
import { namedScenarios, scenariosOfRows } from './named-scenarios.ts';
import { simulate, type SimulationResult } from './simulate.ts';
import { shownElsewhere } from './unhit.ts';

/** Enough of them for every row below; `npm run soak` goes on where they end. */
const seeds = Array.from({ length: 40 }, (_, place) => place + 1);

describe('the named scenarios', () => {
  for (const [rule, scenario] of Object.entries(namedScenarios)) {
    it(`make ${rule} decide, and nothing is violated`, async () => {
      const { violations, rulesFired } = await simulate(scenario);

      assert.deepEqual(violations, []);
      assert.ok(rulesFired.has(rule), [...rulesFired.keys()].join());
    });
  }
});

describe('the scenarios of rows', () => {
  for (const [row, scenario] of Object.entries(scenariosOfRows)) {
    it(`hit row ${row}, and nothing is violated`, async () => {
      const { violations, rowsHit } = await simulate(scenario);

      assert.deepEqual(violations, []);
      assert.ok(rowsHit.has(Number(row)));
    });
  }
});

describe('the fixed set of seeds', () => {
  const results: SimulationResult[] = [];
  before(async () => {
    for (const seed of seeds) results.push(await simulate(drawScenario(seed, { runs: 6, hours: 0.5 })));
  });

  it('violates nothing', () => {
    assert.deepEqual(
      results.flatMap(({ violations }, place) => violations.map(({ why }) => `seed ${seeds[place]}: ${why}`)),
      [],
    );
  });

  it('makes every rule of reconcile decide, with the named scenarios', () => {
    const fired = new Set([
      ...Object.keys(namedScenarios),
      ...results.flatMap(({ rulesFired }) => [...rulesFired.keys()]),
    ]);
    const rules = [...jobRules, ...joblessRules].map(({ name }) => name);
    assert.deepEqual(
      rules.filter((name) => !fired.has(name)),
      [],
    );
  });

  it('hits every row of the fault matrix that a simulation can show', () => {
    const scenarios = Object.keys(scenariosOfRows).map(Number);
    const hit = new Set([...scenarios, ...results.flatMap(({ rowsHit }) => [...rowsHit])]);
    assert.deepEqual(
      faultRows.map(({ row }) => row).filter((row) => !hit.has(row)),
      Object.keys(shownElsewhere).map(Number),
    );
  });

  it('leaves no row out that no other suite plays', () => {
    const played = suitesOfRows();
    for (const row of Object.keys(shownElsewhere)) assert.ok(played.has(Number(row)), `row ${row}`);
  });
});
