import type { Clock } from '../clock.ts';
import { deadlineOf, type Invocation } from './ports.ts';

/** What is left of an invocation. Every outbound call takes its signal from here. */
export class Budget {
  readonly #clock: Clock;
  readonly deadline: Date;

  constructor(clock: Clock, invocation: Invocation) {
    this.#clock = clock;
    this.deadline = deadlineOf(invocation);
  }

  leftMs(): number {
    return this.deadline.getTime() - this.#clock.now().getTime();
  }

  /** Aborts after `limitMs`, or at the deadline if that comes first. */
  signal(limitMs: number): AbortSignal {
    return this.#clock.limit(Math.max(1, Math.min(limitMs, this.leftMs())));
  }

  /** A pause that ends at the deadline at the latest. */
  async wait(until: Date): Promise<void> {
    const ms = Math.min(until.getTime(), this.deadline.getTime()) - this.#clock.now().getTime();
    if (ms > 0) await this.#clock.sleep(ms);
  }
}
