import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Relay } from './relay.ts';

/** Numbers below one that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const mostTurns = 12;

/** Holds up every request for a while drawn by seed, so that whoever is at work at once meets in another order each time. */
export function interleave(relay: Relay, seed: number): void {
  const random = seeded(seed);
  relay.holdUp = async () => {
    for (let turns = Math.trunc(random() * mostTurns); turns > 0; turns -= 1) await nextTurn();
  };
}
