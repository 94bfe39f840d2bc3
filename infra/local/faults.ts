import type { LocalRequest, LocalResponse } from './http.ts';

/**
 * One fault, asked of a server before it happens.
 *
 * `drop-before`: the connection dies and nothing was done. `drop-after`: it was done, the answer is lost.
 * `answer`: this answer instead, nothing was done. `rewrite`: it was done, and the answer is changed.
 * `delay`: it is done after that many milliseconds. `hold`: it waits at a gate, and is done when that opens, even if the
 * client is gone by then.
 */
export type Fault =
  | { readonly kind: 'drop-before' | 'drop-after' }
  | { readonly kind: 'answer'; readonly answer: LocalResponse }
  | { readonly kind: 'rewrite'; readonly rewrite: (answer: LocalResponse) => LocalResponse }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'hold'; readonly gate: Gate };

/** Where requests wait for one another, so that a test says in which order things happen. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>();
  readonly #counts: { readonly wanted: number; readonly reached: () => void }[] = [];
  #arrived = 0;

  /** Called by the server: resolves when the gate is open. */
  async pass(): Promise<void> {
    this.#arrived += 1;
    for (const { wanted, reached } of this.#counts) if (this.#arrived >= wanted) reached();
    await this.#opened.promise;
  }

  /** Resolves when that many requests have come to the gate, those that passed it included. */
  async arrivals(wanted: number): Promise<void> {
    if (this.#arrived >= wanted) return;
    await new Promise<void>((reached) => {
      this.#counts.push({ wanted, reached });
    });
  }

  open(): void {
    this.#opened.resolve();
  }
}

export interface FaultRule<F = Fault, R = LocalRequest> {
  readonly matches: (request: R) => boolean;
  readonly fault: F;
  /** How many matching requests to let pass first; default 0. */
  readonly skip?: number;
  /** How many times it strikes; default 1. */
  readonly times?: number;
}

interface ArmedRule<F, R> extends FaultRule<F, R> {
  seen: number;
}

/** Faults waiting to strike, in the order in which they were asked for. */
export class FaultPlan<F = Fault, R = LocalRequest> {
  readonly #rules: ArmedRule<F, R>[] = [];

  add(rule: FaultRule<F, R>): void {
    this.#rules.push({ ...rule, seen: 0 });
  }

  clear(): void {
    this.#rules.length = 0;
  }

  /** The fault that strikes this request, if any; counts the request against every rule that matches it. */
  strike(request: R): F | null {
    let struck: F | null = null;
    for (const rule of this.#rules) {
      if (!rule.matches(request)) continue;
      rule.seen += 1;
      const from = rule.skip ?? 0;
      if (struck === null && rule.seen > from && rule.seen <= from + (rule.times ?? 1)) struck = rule.fault;
    }
    return struck;
  }
}
