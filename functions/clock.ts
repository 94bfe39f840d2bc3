import { setTimeout as delay } from 'node:timers/promises';

/** Time as an argument: whoever needs the hour, a pause or a limit is handed one of these. */
export interface Clock {
  now(): Date;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A signal that aborts after `ms` milliseconds. */
  limit(ms: number): AbortSignal;
}

/** The clock of the machine. No timer of it keeps a process alive. */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
  limit: (ms) => AbortSignal.timeout(Math.max(0, Math.trunc(ms))),
};
