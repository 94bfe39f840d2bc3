/** One figure against its limit. */
export interface Measurement {
  /** What was measured, and at which size. */
  readonly goal: string;
  /** Null: not measured in this run, and no verdict. */
  readonly figure: number | null;
  /** `requests`, `kB`, `ratio`, ... */
  readonly unit: string;
  /** The figure may be this and less; with `atLeast`, this and more. */
  readonly limit: number;
  readonly atLeast?: true;
  /** Smallest and largest of what the figure is the median of. */
  readonly spread?: readonly [number, number];
  /** Where the limit comes from, or what the figure was made of. */
  readonly because: string;
}

/**
 * How far a figure can be trusted on a busy machine: a `count` entirely, a ratio of `cpu` times nearly, and a ratio of
 * times on the `wall` only after a second try.
 */
export type GoalKind = 'count' | 'cpu' | 'wall';

/** What a whole run is told, and where a group can say more than its goals. */
export interface BenchOptions {
  /** Measure what needs Python and the network for its first time, too. */
  readonly peer: boolean;
  /** File for the picture of the curves; null: none. */
  readonly svg: string | null;
  /** Shows figures that are no goals, in columns. */
  readonly show: (rows: readonly Readonly<Record<string, string | number>>[]) => void;
}

/** Goals that are measured together. */
export interface GoalGroup {
  /** As `--only` takes it. */
  readonly name: string;
  readonly about: string;
  readonly kind: GoalKind;
  readonly measure: (options: BenchOptions) => Promise<readonly Measurement[]>;
}

export type Verdict = 'met' | 'MISSED' | 'not measured';

export function verdictOf({ figure, limit, atLeast }: Measurement): Verdict {
  if (figure === null) return 'not measured';
  return (atLeast === true ? figure >= limit : figure <= limit) ? 'met' : 'MISSED';
}

export const hasMissed = (measurements: readonly Measurement[]): boolean =>
  measurements.some((measurement) => verdictOf(measurement) === 'MISSED');

/** What a group has shown, and how long that took. */
export interface Measured {
  readonly group: GoalGroup;
  readonly measurements: readonly Measurement[];
  readonly ms: number;
}

export interface Course {
  /** Milliseconds; any beginning. */
  readonly now: () => number;
  /** No second measuring is begun that would take longer than this, from the beginning of the first. */
  readonly limitMs: number;
  readonly measure: (group: GoalGroup) => Promise<readonly Measurement[]>;
}

/**
 * Measures each group, and then once more those that miss a goal: times depend on what else the machine does, and what
 * they show is believed the second time. A count is one at once. The second time may not come where the limit is near.
 */
export async function measureFairly(groups: readonly GoalGroup[], course: Course): Promise<readonly Measured[]> {
  const { now, limitMs, measure } = course;
  const begun = now();
  const measured = async (group: GoalGroup): Promise<Measured> => {
    const from = now();
    return { group, measurements: await measure(group), ms: now() - from };
  };
  const first: Measured[] = [];
  for (const group of groups) first.push(await measured(group));
  const believed: Measured[] = [];
  for (const seen of first) {
    const isDoubtful = seen.group.kind !== 'count' && hasMissed(seen.measurements);
    const hasTime = now() - begun + seen.ms <= limitMs;
    believed.push(isDoubtful && hasTime ? await measured(seen.group) : seen);
  }
  return believed;
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const around = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return around.reduce((sum, value) => sum + value, 0) / around.length;
}

/** Three significant digits: more would be noise. */
export const rounded = (value: number): number => Number(value.toPrecision(3));

/** The median of ratios, each of two figures of the same round, with its spread. */
export function ratios(ours: readonly number[], theirs: readonly number[]) {
  const each = ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
  return { figure: rounded(median(each)), spread: [rounded(Math.min(...each)), rounded(Math.max(...each))] as const };
}

/** Runs programs in turn, so that a busy minute of the machine falls on all of them: figures by program, by round. */
export async function interleaved<Name extends string, T>(
  programs: Readonly<Record<Name, () => Promise<T>>>,
  rounds: number,
): Promise<Readonly<Record<Name, readonly T[]>>> {
  const names = Object.keys(programs) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<Name, T[]>;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) figures[name].push(await programs[name]());
  }
  return figures;
}
