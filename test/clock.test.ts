import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { sharedLimits } from '../functions/clock.ts';

interface Timer {
  readonly ms: number;
  readonly controller: AbortController;
}

/** Limits at an instant that the test sets, by timers that it lets fire. */
function limitsByHand() {
  const timers: Timer[] = [];
  let now = 0;
  const limit = sharedLimits(
    () => now,
    (ms) => {
      const controller = new AbortController();
      timers.push({ ms, controller });
      return controller.signal;
    },
  );
  return { timers, limit, pass: (ms: number) => (now += ms) };
}

describe('sharedLimits', () => {
  it('shares a timer among those who ask within 50 ms for the same limit', () => {
    const { timers, limit, pass } = limitsByHand();

    const first = limit(10_000);
    pass(49);

    assert.equal(limit(10_000), first);
    assert.deepEqual(
      timers.map(({ ms }) => ms),
      [10_000],
    );
  });

  it('starts another one for who comes later, or wants another limit', () => {
    const { limit, pass } = limitsByHand();
    const first = limit(10_000);

    assert.notEqual(limit(9_999), first);
    pass(50);
    assert.notEqual(limit(10_000), first);
  });

  it('hands out no limit that is over', () => {
    const { timers, limit } = limitsByHand();
    limit(5);
    timers[0]?.controller.abort();

    assert.equal(limit(5).aborted, false);
  });

  it('keeps nothing of what is past', () => {
    const { timers, limit, pass } = limitsByHand();
    limit(1);
    limit(2);
    pass(1_000);
    limit(1);
    pass(10);
    limit(2);

    assert.equal(timers.length, 4);
  });
});
