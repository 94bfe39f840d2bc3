import type { Clock } from '../../functions/clock.ts';
import { T0 } from './time.ts';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** A clock that stands still until it is moved; then whoever's time has come wakes up. Its limits never end. */
export class StandingClock implements Clock {
  #now = T0.getTime();
  #sleepers: readonly Sleeper[] = [];

  now(): Date {
    return new Date(this.#now);
  }

  async sleep(ms: number): Promise<void> {
    const { promise, resolve: wake } = Promise.withResolvers<void>();
    this.#sleepers = [...this.#sleepers, { until: this.#now + ms, wake }];
    return promise;
  }

  limit(): AbortSignal {
    return new AbortController().signal;
  }

  moveTo(instant: Date): void {
    this.#now = instant.getTime();
    const all = this.#sleepers;
    this.#sleepers = all.filter(({ until }) => until > this.#now);
    for (const { until, wake } of all) if (until <= this.#now) wake();
  }

  /** Moves to the time of whoever sleeps the shortest; false: nobody sleeps. */
  moveOn(): boolean {
    const next = Math.min(...this.#sleepers.map(({ until }) => until));
    if (next === Infinity) return false;
    this.moveTo(new Date(Math.max(this.#now, next)));
    return true;
  }
}
