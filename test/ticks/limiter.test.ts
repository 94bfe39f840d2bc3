import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Limiter } from '../../functions/ticks/limiter.ts';
import { nextPace, startingPace } from '../../functions/ticks/pace.ts';
import { aClock } from '../support/clients.ts';
import { at } from '../support/time.ts';

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

/** Work that is done when told so, and a count of how much of it has begun. */
function work() {
  const finishers: (() => void)[] = [];
  const begin = (): Promise<void> => new Promise((resolve) => finishers.push(resolve));
  return { begin, begun: () => finishers.length, finish: (nth: number) => finishers[nth]?.() };
}

describe('the limiter', () => {
  it('lets so many run at once and no more, in the order of their coming', async () => {
    const limiter = new Limiter(aClock(), 2);
    const { begin, begun, finish } = work();
    const all = [0, 1, 2, 3].map(async () => limiter.run(begin));
    await settle();
    assert.equal(begun(), 2);
    finish(0);
    await settle();
    assert.equal(begun(), 3);
    finish(1);
    finish(2);
    await settle();
    assert.equal(begun(), 4);
    finish(3);
    await Promise.all(all);
  });

  it('lets more begin at once when it grows, and fewer after it shrank', async () => {
    const limiter = new Limiter(aClock(), 1);
    const { begin, begun, finish } = work();
    const all = [0, 1, 2, 3, 4].map(async () => limiter.run(begin));
    await settle();
    limiter.resize(3);
    await settle();
    assert.equal(begun(), 3);
    limiter.resize(1);
    finish(0);
    finish(1);
    await settle();
    assert.equal(begun(), 3);
    finish(2);
    await settle();
    assert.equal(begun(), 4);
    finish(3);
    await settle();
    finish(4);
    await Promise.all(all);
  });

  it('never falls to nothing', () => {
    const limiter = new Limiter(aClock(), 4);
    limiter.resize(0);
    assert.equal(limiter.size, 1);
  });

  it('gives the place back after a failure', async () => {
    const limiter = new Limiter(aClock(), 1);
    await assert.rejects(
      limiter.run(async () => Promise.reject(new Error('broken'))),
      /broken/u,
    );
    assert.equal(await limiter.run(async () => 'next'), 'next');
  });

  it('holds everybody back until a pause is over, the later of two', async () => {
    const clock = aClock();
    const limiter = new Limiter(clock, 2);
    limiter.pauseUntil(at('+30s'));
    limiter.pauseUntil(at('+10s'));
    await limiter.run(async () => undefined);
    assert.deepEqual(clock.slept, [30_000]);
    await limiter.run(async () => undefined);
    assert.deepEqual(clock.slept, [30_000]);
  });

  it('sleeps once for all who wait, and lets as many begin as there are places when the pause is over', async () => {
    const clock = aClock();
    const over = Promise.withResolvers<void>();
    let sleepers = 0;
    const sleep = async (): Promise<void> => {
      sleepers += 1;
      await over.promise;
      clock.set(at('+30s'));
    };
    const limiter = new Limiter({ ...clock, sleep }, 4);
    const { begin, begun, finish } = work();
    limiter.pauseUntil(at('+30s'));
    const all = [0, 1, 2, 3].map(async () => limiter.run(begin));
    limiter.resize(2);
    await settle();
    assert.deepEqual([sleepers, begun()], [1, 0]);
    over.resolve();
    await settle();
    assert.deepEqual([sleepers, begun()], [1, 2]);
    for (const nth of [0, 1]) finish(nth);
    await settle();
    for (const nth of [2, 3]) finish(nth);
    await Promise.all(all);
  });

  it('sleeps on when the pause became longer meanwhile', async () => {
    const slept: number[] = [];
    const clock = aClock();
    const limiter = new Limiter(
      {
        ...clock,
        sleep: async (ms) => {
          slept.push(ms);
          if (slept.length === 1) limiter.pauseUntil(at('+40s'));
          await clock.sleep(ms);
        },
      },
      1,
    );
    limiter.pauseUntil(at('+30s'));
    await limiter.run(async () => undefined);
    assert.deepEqual(slept, [30_000, 10_000]);
  });
});

describe('the pace of the waves', () => {
  const cases: Record<string, { size: number; milliseconds: number; readable: boolean; want: number }> = {
    'doubles while the server is quick': { size: 25, milliseconds: 1_999, readable: true, want: 50 },
    'stays where it is in between': { size: 25, milliseconds: 2_000, readable: true, want: 25 },
    'halves when the server is slow': { size: 25, milliseconds: 5_001, readable: true, want: 12 },
    'halves when no answer could be read': { size: 50, milliseconds: 10, readable: false, want: 25 },
    'grows to two hundred at the most': { size: 200, milliseconds: 1, readable: true, want: 200 },
    'shrinks to five at the least': { size: 6, milliseconds: 9_000, readable: true, want: 5 },
  };
  for (const [name, { size, want, ...last }] of Object.entries(cases)) {
    it(name, () => assert.equal(nextPace({ size }, last).size, want));
  }

  it('begins with twenty-five', () => assert.equal(startingPace.size, 25));
});
