import { explore, type Explored, type Finding } from './explore.ts';
import { lives } from './lives.ts';
import type { Windows } from './moves.ts';
import { Ticks } from './tick.ts';
import { aWorld, aWorldOfRetries, type World } from './world.ts';

/** What may happen, all of it in every order. */
export interface Scope {
  readonly name: string;
  readonly start: World;
  /** With open windows U and F alone are asked for: a cancel that undoes a restart stays (protocol, what remains). */
  readonly windows?: Windows['windows'];
}

/** A minute of each function, a lease, and what a claim that was lost twice waits for: T of the invariants. */
export const repairSeconds = 300;

/** Small enough for every commit. */
export const smallScopes: readonly Scope[] = [
  { name: 'three dispatchers, a fault', start: aWorld({ dispatches: 3, faults: 1 }) },
  {
    name: 'two dispatchers, a user who cancels, a fault',
    start: aWorld({ dispatches: 2, faults: 1, user: ['cancel'] }),
  },
  { name: 'two dispatchers, slow answers', start: aWorld({ dispatches: 2, delays: 3 }) },
  {
    name: 'dispatch, reconcile, a pod that ends badly, a fault',
    start: aWorld({ dispatches: 1, reconciles: 1, faults: 1, mishaps: 1 }),
  },
  {
    name: 'dispatch, reconcile, a user who cancels, a fault',
    start: aWorld({ dispatches: 1, reconciles: 1, faults: 1, user: ['cancel'] }),
  },
  {
    name: 'task retries, two dispatchers, two faults',
    start: aWorldOfRetries({ dispatches: 2, faults: 2, retries: 1 }),
  },
];

export const fullScopes: readonly Scope[] = [
  {
    name: 'two dispatchers, a user who cancels and restarts, a fault, windows open',
    start: aWorld({ dispatches: 2, faults: 1, user: ['cancel', 'restart'] }),
    windows: 'open',
  },
  {
    name: 'two dispatchers, a user who cancels and restarts, two faults',
    start: aWorld({ dispatches: 2, faults: 2, user: ['cancel', 'restart'] }),
  },
  { name: 'three dispatchers, three faults', start: aWorld({ dispatches: 3, faults: 3 }) },
  { name: 'two dispatchers, slow answers, two faults', start: aWorld({ dispatches: 2, faults: 2, delays: 2 }) },
  {
    name: 'two dispatchers, reconcile, a user who cancels, a fault',
    start: aWorld({ dispatches: 2, reconciles: 1, faults: 1, user: ['cancel'] }),
  },
  {
    name: 'two dispatchers, reconcile, a pod that ends badly, Lazarus, a fault',
    start: aWorld({ dispatches: 2, reconciles: 1, faults: 1, mishaps: 1, lazarus: 1 }),
  },
  {
    name: 'dispatch, two reconciles, a pod that ends badly, a user who cancels, a fault',
    start: aWorld({ dispatches: 1, reconciles: 2, faults: 1, mishaps: 1, user: ['cancel'] }),
  },
  {
    name: 'dispatch, reconcile, slow answers, two faults',
    start: aWorld({ dispatches: 1, reconciles: 1, faults: 2, delays: 1 }),
  },
  {
    name: 'task retries, two dispatchers, reconcile, two faults',
    start: aWorldOfRetries({ dispatches: 2, reconciles: 1, faults: 2, retries: 1 }),
  },
];

export interface Proved extends Explored {
  /** The longest time in which a run came right once the faults were over, in seconds; null: not asked. */
  readonly longestSeconds: number | null;
  /** Whole ticks run from their start, to find what they ask next. */
  readonly ticks: number;
}

/** Explores the real ticks: U and F at every step, and with closed windows L from every state. */
export async function prove({ start, windows = 'closed' }: Scope): Promise<Proved> {
  const ticks = new Ticks();
  const alive = lives(new Ticks());
  const lost: Finding[] = [];
  let longestSeconds = 0;
  const onCalm = async (world: World, trace: () => readonly string[]): Promise<void> => {
    const seconds = await alive.of(world);
    longestSeconds = Math.max(longestSeconds, seconds ?? 0);
    if (seconds !== null && seconds <= repairSeconds) return;
    const why = seconds === null ? 'the run never comes right' : `the run comes right after ${seconds} s only`;
    if (!lost.some((one) => one.why === why)) lost.push({ invariant: 'L', why, trace: trace() });
  };
  const asked = windows === 'closed' ? { onCalm } : {};
  const explored = await explore({ start, ticks, windows, until: null, ...asked });
  const longest = windows === 'closed' ? longestSeconds : null;
  return { ...explored, found: [...explored.found, ...lost], longestSeconds: longest, ticks: ticks.replays };
}
