import type { Clock } from '../clock.ts';
import { deadlineOf, type Invocation } from './ports.ts';

const outOfTime = (): DOMException => new DOMException('The invocation is out of time', 'TimeoutError');

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

  /**
   * Aborts after `limitMs`, or at the deadline if that comes first. Past the deadline it has aborted: a process that was
   * stopped meanwhile acts on reads of another hour, and sends nothing.
   */
  signal(limitMs: number): AbortSignal {
    const left = this.leftMs();
    return left > 0 ? this.#clock.limit(Math.min(limitMs, left)) : AbortSignal.abort(outOfTime());
  }

  /** A pause that ends at the deadline at the latest. */
  async wait(until: Date): Promise<void> {
    const ms = Math.min(until.getTime(), this.deadline.getTime()) - this.#clock.now().getTime();
    if (ms > 0) await this.#clock.sleep(ms);
  }
}
