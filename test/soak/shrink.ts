import type { Violation } from '../faults/checker.ts';
import type { Scenario } from './scenario.ts';
import { simulate } from './simulate.ts';

/** A scenario that violates an invariant, and what it violates. */
export interface Failing {
  readonly scenario: Scenario;
  readonly violations: readonly Violation[];
}

/** Scenarios with one part less. Whoever acts on a run by its place keeps its place: a run is emptied, not taken out. */
function simpler(scenario: Scenario): readonly Scenario[] {
  const without = <T>(items: readonly T[], place: number): readonly T[] => items.toSpliced(place, 1);
  const never = scenario.hours * 3_600_000 * 2;
  return [
    ...scenario.acts.map((_, place) => ({ ...scenario, acts: without(scenario.acts, place) })),
    ...scenario.strikes.map((_, place) => ({ ...scenario, strikes: without(scenario.strikes, place) })),
    ...scenario.runs.flatMap((run, place) =>
      run.isForeign && run.dueAtMs === never
        ? []
        : [{ ...scenario, runs: scenario.runs.with(place, { ...run, dueAtMs: never, isForeign: true }) }],
    ),
    ...scenario.runs.flatMap((run, place) =>
      run.plays.map((_, play) => ({
        ...scenario,
        runs: scenario.runs.with(place, { ...run, plays: without(run.plays, play) }),
      })),
    ),
  ];
}

/**
 * Leaves out faults, runs and troubles of pods one after the other, as long as the same invariant is still violated.
 * `most` bounds the simulations that it may take.
 */
export async function shrink(failing: Failing, most: number): Promise<Failing> {
  const invariants = new Set(failing.violations.map(({ invariant }) => invariant));
  let found = failing;
  let left = most;
  for (;;) {
    const next = await firstFailing(simpler(found.scenario), invariants, () => (left -= 1) >= 0);
    if (next === null) return found;
    found = next;
  }
}

async function firstFailing(
  scenarios: readonly Scenario[],
  invariants: ReadonlySet<string>,
  mayGoOn: () => boolean,
): Promise<Failing | null> {
  for (const scenario of scenarios) {
    if (!mayGoOn()) return null;
    const { violations } = await simulate(scenario);
    if (violations.some(({ invariant }) => invariants.has(invariant))) return { scenario, violations };
  }
  return null;
}
