import { drawScenario, type Size } from './draw-scenario.ts';
import { shrink } from './shrink.ts';
import { simulate, type SimulationResult } from './simulate.ts';
import type { Failure, SeedResult } from './tally.ts';
import { tellFailing } from './tell.ts';
import type { Scenario } from './scenario.ts';

/** Simulations that the search for a shorter history may take. */
const mostSimulations = 120;

async function failureOf(scenario: Scenario, { violations }: SimulationResult, size: Size): Promise<Failure> {
  const shortest = await shrink({ scenario, violations }, mostSimulations);
  const { witnessed } = await simulate(shortest.scenario);
  const command = `npm run soak -- --seed ${scenario.seed} --seeds 1 --runs ${size.runs} --hours ${size.hours}`;
  return {
    invariants: [...new Set(violations.map(({ invariant }) => invariant))],
    whys: violations.map(({ why }) => why),
    told: tellFailing(shortest, witnessed, command),
  };
}

/** Plays one seed, and looks for its shortest history when it violates something. */
export async function playSeed(seed: number, size: Size): Promise<SeedResult> {
  const scenario = drawScenario(seed, size);
  const result = await simulate(scenario);
  return {
    seed,
    runs: size.runs,
    faults: result.faults,
    rulesFired: Object.fromEntries(result.rulesFired),
    rowsHit: [...result.rowsHit],
    failure: result.violations.length === 0 ? null : await failureOf(scenario, result, size),
  };
}
