import type { Clock } from '../../functions/clock.ts';
import type { CreateAnswer } from '../../functions/kubernetes/contract.ts';
import { Budget } from '../../functions/ticks/budget.ts';
import { JobCreator } from '../../functions/ticks/create-job.ts';
import { Limiter } from '../../functions/ticks/limiter.ts';
import { aFlowRun } from './builders.ts';
import { StandingClock } from './standing-clock.ts';
import { at, T0 } from './time.ts';

/** Lets the clock go on until the work is done; milliseconds it took. */
async function playOut(clock: StandingClock, work: Promise<unknown>): Promise<number> {
  let done = false;
  void work.finally(() => (done = true));
  for (;;) {
    // A macrotask: everything that is ready has run.
    await new Promise((resolve) => setImmediate(resolve));
    if (done || !clock.moveOn()) return clock.now().getTime() - T0.getTime();
  }
}

const created: CreateAnswer = { kind: 'created', uid: 'u', warnings: [] };
const tooMany: CreateAnswer = {
  kind: 'refused',
  class: 'throttled',
  status: 429,
  message: 'Too many requests',
  retryAfterSeconds: 1,
};

export type Server = (clock: Clock) => () => Promise<CreateAnswer>;

/** How long the n-th request takes where not all take the same: up to a fifth less or more, and evenly spread. */
const spread = (n: number): number => 0.8 + 0.4 * ((n * 0.618) % 1);

/** Takes so many at a time for so long each, or for so long in the mean, and turns others away after a millisecond. */
export const seated =
  (seats: number, ms: number, lasts: (n: number) => number = () => 1): Server =>
  (clock) => {
    let taken = 0;
    let requests = 0;
    return async () => {
      requests += 1;
      if (taken >= seats) {
        await clock.sleep(1);
        return tooMany;
      }
      taken += 1;
      await clock.sleep(Math.round(ms * lasts(requests)));
      taken -= 1;
      return created;
    };
  };

/** As above, and no two requests take the same time. */
export const seatedUnevenly = (seats: number, ms: number): Server => seated(seats, ms, spread);

/** Takes everybody and works on one at a time. */
export const queueing =
  (ms: number): Server =>
  (clock) => {
    let freeAt = 0;
    return async () => {
      const now = clock.now().getTime();
      freeAt = Math.max(now, freeAt) + ms;
      await clock.sleep(freeAt - now);
      return created;
    };
  };

export interface Played {
  readonly ms: number;
  readonly created: number;
  readonly rejected: number;
  readonly mostInFlight: number;
  readonly sizeAtTheEnd: number;
}

/** Creates so many Jobs with this setting at that server, in virtual time. */
export async function play(server: Server, jobs: number, setting: number): Promise<Played> {
  const clock = new StandingClock();
  const answer = server(clock);
  const seen = { inFlight: 0, mostInFlight: 0, rejected: 0 };
  const createJob = async (): Promise<CreateAnswer> => {
    seen.inFlight += 1;
    seen.mostInFlight = Math.max(seen.mostInFlight, seen.inFlight);
    const said = await answer();
    seen.inFlight -= 1;
    if (said === tooMany) seen.rejected += 1;
    return said;
  };
  const limiter = new Limiter(clock, setting);
  const budget = new Budget(clock, { endsAt: at('+10m'), requestId: 'r' });
  const creator = new JobCreator({ cluster: { createJob }, limiter, budget, now: () => clock.now() });
  const submit = { kind: 'submit', rule: 'due', run: aFlowRun(), mode: 'claim', key: '1', claimId: 'c' } as const;
  const all = Promise.all(
    Array.from({ length: jobs }, async () => creator.create({ ...submit, startAt: T0, job: {}, warnings: [] })),
  );
  const ms = await playOut(clock, all);
  const answers = await all;
  return { ...seen, ms, created: answers.filter(({ kind }) => kind === 'created').length, sizeAtTheEnd: limiter.size };
}
