import { duplicateJobs } from './duplicate-jobs.ts';
import { falseFailures } from './false-failures.ts';
import { lostRuns } from './lost-runs.ts';
import { overrunBudgets } from './overrun-budgets.ts';
import { spilledSecrets } from './spilled-secrets.ts';
import type { Violation } from './timeline.ts';
import { defaultLimits, type Limits, type Witnessed } from './witness.ts';

export type { Invariant, Violation } from './timeline.ts';

/**
 * Decides the invariants over what was seen of a world. Pure, and independent of the functions' own judgement: it
 * shares no code with them.
 *
 * - L: no run is lost. U: no attempt has two Jobs, no run two live ones. F: no false Failed, no cancelled run at work.
 * - T: what is wrong after the last fault is repaired within the bound. S: no secret anywhere. B: no budget overrun.
 */
export function check(witnessed: Witnessed, limits: Limits = defaultLimits): readonly Violation[] {
  return [
    ...lostRuns(witnessed, limits),
    ...duplicateJobs(witnessed, limits),
    ...falseFailures(witnessed, limits),
    ...spilledSecrets(witnessed),
    ...overrunBudgets(witnessed, limits),
  ];
}
