import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Clock } from '../../functions/clock.ts';
import type { CreateAnswer } from '../../functions/kubernetes/contract.ts';
import { Budget } from '../../functions/ticks/budget.ts';
import { JobCreator } from '../../functions/ticks/create-job.ts';
import { Limiter } from '../../functions/ticks/limiter.ts';
import { aFlowRun } from '../support/builders.ts';
import { at, T0 } from '../support/time.ts';

/** A clock that goes on to the next sleeper's time when nobody has anything else to do. */
class EventClock implements Clock {
  #now = T0.getTime();
  readonly #sleepers: { readonly until: number; readonly wake: () => void }[] = [];

  now(): Date {
    return new Date(this.#now);
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((wake) => this.#sleepers.push({ until: this.#now + ms, wake }));
  }

  limit(): AbortSignal {
    return new AbortController().signal;
  }

  /** Goes on until the work is done; milliseconds it took. */
  async play(work: Promise<unknown>): Promise<number> {
    let done = false;
    void work.finally(() => (done = true));
    for (;;) {
      // A macrotask: everything that is ready has run.
      await new Promise((resolve) => setImmediate(resolve));
      const next = Math.min(...this.#sleepers.map(({ until }) => until));
      if (done || next === Infinity) return this.#now - T0.getTime();
      this.#now = Math.max(this.#now, next);
      for (const { wake } of this.#sleepers.splice(0).filter((sleeper) => this.#isOver(sleeper))) wake();
    }
  }

  #isOver(sleeper: { readonly until: number; readonly wake: () => void }): boolean {
    if (sleeper.until <= this.#now) return true;
    this.#sleepers.push(sleeper);
    return false;
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

type Server = (clock: Clock) => () => Promise<CreateAnswer>;

/** Takes so many at a time for so long each, and turns others away. */
const seated =
  (seats: number, ms: number): Server =>
  (clock) => {
    let taken = 0;
    return async () => {
      if (taken >= seats) return tooMany;
      taken += 1;
      await clock.sleep(ms);
      taken -= 1;
      return created;
    };
  };

/** Takes everybody and works on one at a time. */
const queueing =
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

interface Played {
  readonly ms: number;
  readonly created: number;
  readonly rejected: number;
  readonly mostInFlight: number;
  readonly sizeAtTheEnd: number;
}

/** Creates so many Jobs with this setting at that server. */
async function play(server: Server, jobs: number, setting: number): Promise<Played> {
  const clock = new EventClock();
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
  const budget = new Budget(clock, { endsAt: at('+60s'), requestId: 'r' });
  const creator = new JobCreator({ cluster: { createJob }, limiter, budget, now: () => clock.now() });
  const submit = { kind: 'submit', rule: 'due', run: aFlowRun(), mode: 'claim', key: '1', claimId: 'c' } as const;
  const all = Promise.all(
    Array.from({ length: jobs }, async () => creator.create({ ...submit, startAt: T0, job: {}, warnings: [] })),
  );
  const ms = await clock.play(all);
  const answers = await all;
  return { ...seen, ms, created: answers.filter(({ kind }) => kind === 'created').length, sizeAtTheEnd: limiter.size };
}

describe('an API server that takes so many requests at a time', () => {
  const jobs = 2_000;
  const latencyMs = 20;
  const cases: Record<string, { seats: number; setting: number; atATime: number }> = {
    'far fewer than the setting': { seats: 8, setting: 32, atATime: 8 },
    'half of the setting': { seats: 16, setting: 32, atATime: 16 },
    'as EKS gives to one user': { seats: 49, setting: 64, atATime: 49 },
    'more than the setting: the setting is the limit': { seats: 49, setting: 32, atATime: 32 },
  };
  for (const [name, { seats, setting, atATime }] of Object.entries(cases)) {
    it(name, async () => {
      const { ms, created, rejected, mostInFlight } = await play(seated(seats, latencyMs), jobs, setting);
      assert.equal(created, jobs);
      assert.ok(mostInFlight <= setting, `${mostInFlight} in flight`);
      assert.ok(rejected / (jobs + rejected) <= 0.05, `${rejected} rejected`);
      assert.equal(rejected === 0, seats >= setting);
      const best = (jobs / atATime) * latencyMs;
      // Each refusal costs everybody the second that the server asked for; there are two.
      assert.ok(ms <= best + 2_500, `${ms} ms where ${best} ms would do`);
    });
  }

  it('and one that takes them one after another: fewer are in flight, and none later for it', async () => {
    const { ms, created, sizeAtTheEnd } = await play(queueing(50), 500, 32);
    assert.equal(created, 500);
    assert.equal(ms, 25_000);
    assert.ok(sizeAtTheEnd < 24, `${sizeAtTheEnd} at the end`);
  });

  it('a slow webhook is not taken for load', async () => {
    const { sizeAtTheEnd, rejected } = await play(seated(100, 1_500), 200, 32);
    assert.deepEqual([sizeAtTheEnd, rejected], [32, 0]);
  });
});
