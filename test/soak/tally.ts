/** What one seed came to, small enough to travel between processes. */
export interface SeedResult {
  readonly seed: number;
  readonly runs: number;
  readonly faults: number;
  readonly rulesFired: Readonly<Record<string, number>>;
  readonly rowsHit: readonly number[];
  /** Null: nothing was violated. */
  readonly failure: Failure | null;
}

export interface Failure {
  readonly invariants: readonly string[];
  readonly whys: readonly string[];
  /** The shortest history, for people. */
  readonly told: string;
}

/** The last line of a soak. */
export interface Tally {
  readonly event: 'soak';
  readonly seeds: number;
  readonly violations: number;
  readonly runs: number;
  readonly faults: number;
  readonly rules_fired: Readonly<Record<string, number>>;
  readonly rows_hit: readonly number[];
}

export const emptyTally: Tally = {
  event: 'soak',
  seeds: 0,
  violations: 0,
  runs: 0,
  faults: 0,
  rules_fired: {},
  rows_hit: [],
};

/** What the process ends with: 1 is for a violation alone, 130 for one that was stopped. */
export const exitStatus = ({ violations }: Tally, isStopped: boolean): number =>
  isStopped ? 130 : violations === 0 ? 0 : 1;

function sumOf(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted();
  return Object.fromEntries(names.map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}

export const addSeed = (tally: Tally, result: SeedResult): Tally => ({
  event: 'soak',
  seeds: tally.seeds + 1,
  violations: tally.violations + Number(result.failure !== null),
  runs: tally.runs + result.runs,
  faults: tally.faults + result.faults,
  rules_fired: sumOf(tally.rules_fired, result.rulesFired),
  rows_hit: [...new Set([...tally.rows_hit, ...result.rowsHit])].toSorted((a, b) => a - b),
});
