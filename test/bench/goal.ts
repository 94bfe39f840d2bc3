/** One figure against its limit. */
export interface Measurement {
  /** What was measured, and at which size. */
  readonly goal: string;
  readonly figure: number;
  /** `requests`, `kB`, `ratio`, ... */
  readonly unit: string;
  /** The figure may be this and less. */
  readonly limit: number;
  /** Where the limit comes from, or what the figure was made of. */
  readonly because: string;
}

/** Goals that are measured together. */
export interface GoalGroup {
  /** As `--only` takes it. */
  readonly name: string;
  readonly about: string;
  /** True: figures that are the same on every machine, so that one over its limit is a fault. Times are not such. */
  readonly isExact: boolean;
  readonly measure: () => Promise<readonly Measurement[]>;
}

export const isMet = ({ figure, limit }: Measurement): boolean => figure <= limit;

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const around = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return around.reduce((sum, value) => sum + value, 0) / around.length;
}
