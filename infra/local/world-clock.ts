import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';

import type { Clock } from '../../functions/clock.ts';

/**
 * The time of a local world. It stands still until somebody moves it: `advance` and `advanceTo` do, and so does whoever
 * sleeps. With `flows` it also runs on with the machine's, for people who look in and for measurements.
 *
 * Limits are the machine's: they guard real requests.
 */
export class WorldClock implements Clock {
  readonly #flows: boolean;
  readonly #startedAt = performance.now();
  #aheadMs: number;

  constructor(start: Date, options: { readonly flows?: boolean } = {}) {
    this.#aheadMs = start.getTime();
    this.#flows = options.flows ?? false;
  }

  now(): Date {
    const flown = this.#flows ? performance.now() - this.#startedAt : 0;
    return new Date(this.#aheadMs + flown);
  }

  advance(ms: number): void {
    this.#aheadMs += ms;
  }

  /** Moves to an instant; one that has passed already moves nothing. */
  advanceTo(instant: Date): void {
    this.advance(Math.max(0, instant.getTime() - this.now().getTime()));
  }

  /** Sleepers side by side wake at their own instants: the time jumps to the latest of them, not to their sum. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const wakes = new Date(this.now().getTime() + ms);
    if (this.#flows) await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    else await nextTurn();
    if (!this.#flows && signal?.aborted !== true) this.advanceTo(wakes);
  }

  limit(ms: number): AbortSignal {
    return AbortSignal.timeout(Math.max(0, Math.trunc(ms)));
  }
}

/** `03:30` from the beginning of the world; hours when there are some. */
export function worldTime(ms: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const hours = ms >= 3_600_000 ? `${two(ms / 3_600_000)}:` : '';
  return `${hours}${two((ms / 60_000) % 60)}:${two((ms / 1_000) % 60)}`;
}
