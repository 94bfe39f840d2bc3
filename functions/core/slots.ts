import { isActive, type JobSnapshot } from './cluster.ts';

/** A Job that this tick has asked the API server for, and that was not refused: it counts whether or not a list shows it. */
export interface AskedJob {
  readonly name: string;
  readonly runLabels: readonly string[];
}

/** How many there may be at a time, of the stack and by label, and in one tick. */
interface Limits {
  readonly stackId: string;
  readonly maxInFlight: number;
  readonly maxPerTick: number;
  readonly labelLimits: ReadonlyMap<string, number>;
}

/** Free places, by the stack and by label; taken in the order of the plan. */
export class Slots {
  readonly #limits: Limits;
  #free: number;
  #left: number;
  readonly #byLabel: Map<string, number>;

  constructor(limits: Limits, jobs: readonly JobSnapshot[], asked: readonly AskedJob[]) {
    const listed = new Set<string>(jobs.map((job) => job.name));
    const active = jobs.filter((job) => job.stackId === limits.stackId && isActive(job));
    const unlisted = asked.filter((job) => !listed.has(job.name));
    this.#limits = limits;
    this.#free = limits.maxInFlight - active.length - unlisted.length;
    this.#left = limits.maxPerTick - asked.length;
    this.#byLabel = new Map(limits.labelLimits);
    for (const job of [...active, ...unlisted]) this.#takeLabels(job.runLabels);
  }

  get free(): boolean {
    return this.#free > 0;
  }

  get leftThisTick(): boolean {
    return this.#left > 0;
  }

  /** The first label of these whose cap is reached, or null. */
  fullLabel(labels: readonly string[]): string | null {
    return labels.find((label) => (this.#byLabel.get(label) ?? 1) <= 0) ?? null;
  }

  take(labels: readonly string[]): void {
    this.#free -= 1;
    this.#left -= 1;
    this.#takeLabels(labels);
  }

  #takeLabels(labels: readonly string[]): void {
    for (const label of labels) {
      const cap = this.#limits.labelLimits.get(label);
      if (cap !== undefined) this.#byLabel.set(label, (this.#byLabel.get(label) ?? cap) - 1);
    }
  }
}
