import { setTimeout as delay } from 'node:timers/promises';

/** Time as an argument: whoever needs the hour, a pause or a limit is handed one of these. */
export interface Clock {
  now(): Date;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A signal that aborts after `ms` milliseconds, up to 50 earlier. */
  limit(ms: number): AbortSignal;
}

/**
 * A timer of a signal cannot be taken back: each fires, with an error and its stack, long after its request has ended.
 * Those who ask within this time for the same limit share one.
 */
const sharedForMs = 50;

/** Limits by the timers that `start` starts; `now` is a steady count of milliseconds. */
export function sharedLimits(now: () => number, start: (ms: number) => AbortSignal): (ms: number) => AbortSignal {
  const signals = new Map<number, AbortSignal>();
  let endsAt = Number.NEGATIVE_INFINITY;
  return (ms) => {
    if (now() >= endsAt) {
      signals.clear();
      endsAt = now() + sharedForMs;
    }
    const shared = signals.get(ms);
    if (shared !== undefined && !shared.aborted) return shared;
    const signal = start(ms);
    signals.set(ms, signal);
    return signal;
  };
}

/** The clock of the machine. No timer of it keeps a process alive. */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
  limit: sharedLimits(
    () => performance.now(),
    (ms) => AbortSignal.timeout(Math.max(0, Math.trunc(ms))),
  ),
};
