import { setImmediate as nextTurn } from 'node:timers/promises';

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
