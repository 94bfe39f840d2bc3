import { joblessRules, jobRules } from '../../functions/core/reconcile-rules.ts';
import { faultRows } from '../../infra/readme/fault-rows.ts';
import { namedScenarios, scenariosOfRows } from './named-scenarios.ts';
import type { Tally } from './tally.ts';

/** Rows that a simulation cannot show, and why; the suites of the fault matrix play them. */
export const shownElsewhere: Readonly<Record<number, string>> = {
  46: 'the functions never ask for an old list, so nothing here may serve one',
  47: 'five thousand due runs are a question of size, not of order',
  52: 'the seeds themselves',
};

/**
 * What neither the seeds of a soak nor a named scenario hits, in words: each rule of reconcile and each row of the fault
 * matrix that a simulation can show. That the named scenarios hit what they are named after is for their own tests.
 */
export function unhit({ rules_fired: fired, rows_hit: hit }: Pick<Tally, 'rules_fired' | 'rows_hit'>): string[] {
  const rules = new Set([...Object.keys(fired), ...Object.keys(namedScenarios)]);
  const rows = new Set([...hit, ...[scenariosOfRows, shownElsewhere].flatMap(Object.keys).map(Number)]);
  return [
    ...[...jobRules, ...joblessRules].flatMap(({ name }) => (rules.has(name) ? [] : [`rule ${name}`])),
    ...faultRows.flatMap(({ row }) => (rows.has(row) ? [] : [`row ${row}`])),
  ];
}
