import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock } from '../../functions/clock.ts';

/** One invocation of a function, as the scheduler knows it. */
export class Actor {
  readonly name: string;
  readonly function: 'dispatch' | 'reconcile';
  /** False once it was killed: nothing reaches it, and nothing of it goes on. */
  alive = true;
  done = false;
  /** Stopped until then: what happens to it meanwhile reaches it afterwards. */
  frozenUntil = 0;
  /** Requests and pauses that it waits for. */
  waiting = 0;
  requests = 0;

  constructor(name: string, role: 'dispatch' | 'reconcile') {
    this.name = name;
    this.function = role;
  }
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly actor: Actor | null;
  readonly run: () => void;
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** The events to come, the next one first (a binary heap). */
class EventQueue {
  readonly #heap: Event[] = [];

  get first(): Event | undefined {
    return this.#heap[0];
  }

  add(event: Event): void {
    this.#heap.push(event);
    let place = this.#heap.length - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#swapIfBefore(place, parent)) return;
      place = parent;
    }
  }

  take(): Event | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    this.#heap[0] = last;
    let place = 0;
    for (;;) {
      const child = this.#smallerChild(place);
      if (child === null || !this.#swapIfBefore(child, place)) return first;
      place = child;
    }
  }

  #smallerChild(place: number): number | null {
    const left = this.#heap[2 * place + 1];
    const right = this.#heap[2 * place + 2];
    if (left === undefined) return null;
    return right !== undefined && isBefore(right, left) ? 2 * place + 2 : 2 * place + 1;
  }

  #swapIfBefore(place: number, other: number): boolean {
    const [a, b] = [this.#heap[place], this.#heap[other]];
    if (a === undefined || b === undefined || !isBefore(a, b)) return false;
    this.#heap[place] = b;
    this.#heap[other] = a;
    return true;
  }
}

/** Continuations that no timer and no socket waits for have run by then. */
const turnsToSettle = 2;
/** A module that is loaded for the first time takes a few turns more. */
const mostTurns = 10_000;

/**
 * Virtual time: events in their order, each with all that follows from it before the next one. No timer of the machine
 * and no wall clock takes part, so the same events give the same world.
 */
export class Scheduler {
  readonly #queue = new EventQueue();
  #order = 0;
  #now: number;

  constructor(start: Date) {
    this.#now = start.getTime();
  }

  get now(): Date {
    return new Date(this.#now);
  }

  /** Lets something happen in `ms`; for an actor, only while it lives, and not before it is thawed. */
  after(ms: number, run: () => void, actor: Actor | null = null): void {
    this.#order += 1;
    this.#queue.add({ at: this.#now + Math.max(0, ms), order: this.#order, actor, run });
  }

  /** Runs what is due up to an instant, or until `isOver`. */
  async runUntil(end: Date, isOver: () => boolean): Promise<void> {
    for (;;) {
      const next = this.#queue.first;
      if (next === undefined || next.at > end.getTime() || isOver()) break;
      this.#queue.take();
      this.#now = next.at;
      await this.#happen(next);
    }
    if (!isOver()) this.#now = Math.max(this.#now, end.getTime());
  }

  async #happen({ actor, run }: Event): Promise<void> {
    if (actor === null) {
      run();
      return;
    }
    // Where nobody waits, it is a time limit of something that is over.
    if (!actor.alive || (actor.done && actor.waiting === 0)) return;
    if (actor.frozenUntil > this.#now) {
      this.after(actor.frozenUntil - this.#now, run, actor);
      return;
    }
    run();
    await settle(actor);
  }
}

async function settle(actor: Actor): Promise<void> {
  const isParked = (): boolean => !actor.alive || actor.done || actor.waiting > 0;
  for (let turns = 0; turns < turnsToSettle || !isParked(); turns += 1) {
    await nextTurn();
    if (turns > mostTurns) throw new Error(`${actor.name} waits for something that is not of this world`);
  }
}

const timedOut = (): DOMException => new DOMException('The operation was aborted due to timeout', 'TimeoutError');

/** The clock of an actor: virtual, and wrong by `skewMs`. */
export function actorClock(scheduler: Scheduler, actor: () => Actor, skewMs: number): Clock {
  return {
    now: () => new Date(scheduler.now.getTime() + skewMs),
    sleep: (ms, signal) => pause(scheduler, actor(), { ms, signal }),
    limit: (ms) => {
      const controller = new AbortController();
      scheduler.after(ms, () => controller.abort(timedOut()), actor());
      return controller.signal;
    },
  };
}

function pause(
  scheduler: Scheduler,
  actor: Actor,
  { ms, signal }: { ms: number; signal: AbortSignal | undefined },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    actor.waiting -= 1;
    resolve();
  };
  actor.waiting += 1;
  scheduler.after(signal?.aborted === true ? 0 : ms, end, actor);
  signal?.addEventListener('abort', end, { once: true });
  return promise;
}
