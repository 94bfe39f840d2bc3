import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock } from '../../functions/clock.ts';
import { WorldClock } from '../../infra/local/world-clock.ts';

/** The world moves on in steps of so many milliseconds while a wire is slow. */
const stepMs = 1_000;

/** Turns of the event loop in which a client that gave up can be seen to have gone. */
const turns = 4;

interface Limit {
  readonly at: number;
  readonly controller: AbortController;
}

/** A world's clock whose limits strike by the world's time, so that slow wires and patient clients take none of the machine's. */
export class FaultClock extends WorldClock {
  #limits: Limit[] = [];

  override advance(ms: number): void {
    super.advance(ms);
    const now = this.now().getTime();
    const due = this.#limits.filter(({ at }) => at <= now);
    this.#limits = this.#limits.filter(({ at }) => at > now);
    for (const { controller } of due) controller.abort(new DOMException('The time is up.', 'TimeoutError'));
  }

  override limit(ms: number): AbortSignal {
    const controller = new AbortController();
    this.#limits.push({ at: this.now().getTime() + ms, controller });
    return controller.signal;
  }

  /** Lets time pass step by step, until `gone` says that nobody waits any more. */
  async pass(ms: number, gone: AbortSignal): Promise<void> {
    const end = this.now().getTime() + ms;
    while (this.now().getTime() < end && !gone.aborted) {
      this.advance(Math.min(stepMs, end - this.now().getTime()));
      for (let turn = 0; turn < turns; turn += 1) await nextTurn();
    }
  }
}

/**
 * The clock of one machine in the world: it may be wrong by so many milliseconds, and it may be stopped with everything
 * on it, as a container between two invocations. Limits that pass meanwhile strike when it goes on.
 */
export class MachineClock implements Clock {
  readonly #world: FaultClock;
  readonly #aheadMs: number;
  #frozen = false;
  #late: (() => void)[] = [];

  constructor(world: FaultClock, aheadMs = 0) {
    this.#world = world;
    this.#aheadMs = aheadMs;
  }

  now(): Date {
    return new Date(this.#world.now().getTime() + this.#aheadMs);
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#world.sleep(ms, signal);
  }

  limit(ms: number): AbortSignal {
    const controller = new AbortController();
    const limit = this.#world.limit(ms);
    const strike = (): void => controller.abort(limit.reason);
    limit.addEventListener('abort', () => {
      if (this.#frozen) this.#late.push(strike);
      else strike();
    });
    return controller.signal;
  }

  /** Stops while something else happens. */
  async freeze(meanwhile: () => Promise<void>): Promise<void> {
    this.#frozen = true;
    await meanwhile();
    this.#frozen = false;
    for (const strike of this.#late.splice(0)) strike();
  }
}
