import type { Clock } from '../clock.ts';

/**
 * One adjustable limit in front of all creates of a tick: how many may be in flight, and until when none may start.
 * Back-pressure of the API server (429, slow answers) changes it for everybody at once.
 */
export class Limiter {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #size: number;
  #running = 0;
  #pausedUntil = 0;
  #wakes = false;

  constructor(clock: Clock, size: number) {
    this.#clock = clock;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /** Sets how many may run at once, at least one; takes effect for work that has not started. */
  resize(size: number): void {
    this.#size = Math.max(1, Math.trunc(size));
    this.#startWaiting();
  }

  /** Nothing starts before this instant. A later pause wins over an earlier one. */
  pauseUntil(instant: Date): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, instant.getTime());
  }

  /** Runs the work when its turn has come; rejects with the work's own error. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    // A place is taken by whoever gives it, so that two wake-ups never count the same one.
    const turn = new Promise<void>((begin) => this.#waiting.push(begin));
    this.#startWaiting();
    await turn;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#startWaiting();
    }
  }

  /** Nobody holds a place through a pause: the size may be another one when it is over. */
  #startWaiting(): void {
    if (this.#pausedUntil > this.#clock.now().getTime()) {
      if (this.#waiting.length > 0) void this.#wakeAfterPause();
      return;
    }
    for (const begin of this.#waiting.splice(0, Math.max(0, this.#size - this.#running))) {
      this.#running += 1;
      begin();
    }
  }

  /** One sleeper for all who wait; a pause that has become longer meanwhile is slept out as well. */
  async #wakeAfterPause(): Promise<void> {
    if (this.#wakes) return;
    this.#wakes = true;
    await this.#clock.sleep(this.#pausedUntil - this.#clock.now().getTime());
    this.#wakes = false;
    this.#startWaiting();
  }
}
