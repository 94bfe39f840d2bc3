import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { CreateAnswer, RefusalClass } from '../../functions/kubernetes/contract.ts';
import { nextCreatePace, startingCreatePace, type CreatePace } from '../../functions/ticks/create-pace.ts';

const created: CreateAnswer = { kind: 'created', uid: 'u', warnings: [] };
const refused = (kind: RefusalClass): CreateAnswer => ({
  kind: 'refused',
  class: kind,
  status: 0,
  message: 'no',
  retryAfterSeconds: null,
});

const aPace = (wish: Partial<CreatePace> = {}): CreatePace => ({ ...startingCreatePace(32), ...wish });

/** An answer to a create that was sent at `sentAt` and took `ms`. */
const seen = (answer: CreateAnswer, sentAt: number, ms: number) => ({ answer, sentAt, answeredAt: sentAt + ms });

/** The pace after answers that took 20 ms each, sent one after another from `from` on. */
function afterCreates(pace: CreatePace, count: number, from: number): CreatePace {
  let next = pace;
  for (let n = 0; n < count; n += 1) next = nextCreatePace(next, seen(created, from + 20 * n, 20));
  return next;
}

describe('the pace of the creates begins', () => {
  const cases: Record<string, { setting: number; want: number }> = {
    'where the operator put it': { setting: 32, want: 32 },
    'at sixty-four when more was asked for': { setting: 65, want: 64 },
    'at one when nothing was asked for': { setting: 0, want: 1 },
  };
  for (const [name, { setting, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(startingCreatePace(setting).size, want));
  }
});

describe('the size after one answer', () => {
  const cases: Record<string, { pace?: Partial<CreatePace>; answer: CreateAnswer; ms: number; want: number }> = {
    '429: half': { answer: refused('throttled'), ms: 1, want: 16 },
    'no answer: half': { answer: refused('unknown'), ms: 10_000, want: 16 },
    '429 at one: one': { pace: { size: 1 }, answer: refused('throttled'), ms: 1, want: 1 },
    'slow, and quicker ones were seen: three quarters': {
      pace: { quickestMs: 400 },
      answer: created,
      ms: 1_001,
      want: 24,
    },
    'a second exactly is not slow': { pace: { quickestMs: 400 }, answer: created, ms: 1_000, want: 32 },
    'slow, and so was the quickest: it is not the load': {
      pace: { quickestMs: 800 },
      answer: created,
      ms: 1_600,
      want: 32,
    },
    'slow, and nothing else was seen yet: who knows': { answer: created, ms: 9_000, want: 32 },
    'refused by a quota: no sign of load': { answer: refused('quota'), ms: 5, want: 32 },
    'refused by validation, slowly: no sign of load': {
      pace: { quickestMs: 5 },
      answer: refused('invalid'),
      ms: 3_000,
      want: 32,
    },
    'a failing webhook does not make room': { pace: { size: 8 }, answer: refused('server'), ms: 5, want: 8 },
    'the last of a round of quick creates: one more': { pace: { size: 8, quick: 7 }, answer: created, ms: 20, want: 9 },
    'the last but one: not yet': { pace: { size: 8, quick: 6 }, answer: created, ms: 20, want: 8 },
    'created at the setting: not beyond it': { pace: { quick: 99 }, answer: created, ms: 20, want: 32 },
  };
  for (const [name, { pace, answer, ms, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(nextCreatePace(aPace(pace), seen(answer, 0, ms)).size, want));
  }
});

describe('a burst of refusals', () => {
  /** So many of 32 in flight are refused. */
  const afterBurst = (count: number, kind: RefusalClass): number => {
    let pace = aPace();
    for (let n = 0; n < count; n += 1) pace = nextCreatePace(pace, seen(refused(kind), 0, 10 + n));
    return pace.size;
  };
  const bursts: Record<string, { count: number; kind: RefusalClass; want: number }> = {
    'cuts once for all that was in flight together': { count: 16, kind: 'throttled', want: 16 },
    'leaves what the server took when that is less than half': { count: 24, kind: 'throttled', want: 8 },
    'leaves one when nothing was taken': { count: 32, kind: 'throttled', want: 1 },
    'without an answer says nothing of what was taken': { count: 32, kind: 'unknown', want: 16 },
  };
  for (const [name, { count, kind, want }] of Object.entries(bursts)) {
    it(name, () => assert.equal(afterBurst(count, kind), want));
  }

  it('cuts again for what was sent after the cut', () => {
    const once = nextCreatePace(aPace(), seen(refused('throttled'), 0, 10));
    const inItsMillisecond = nextCreatePace(once, seen(refused('throttled'), 10, 5));
    const after = nextCreatePace(inItsMillisecond, seen(refused('throttled'), 11, 5));
    assert.deepEqual([once.size, inItsMillisecond.size, after.size], [16, 16, 8]);
  });

  it('lets a success of before the cut raise nothing', () => {
    const cut = nextCreatePace(aPace(), seen(refused('throttled'), 0, 10));
    const almost = { ...cut, quick: 15 };
    assert.equal(nextCreatePace(almost, seen(created, 9, 20)).size, 16);
    assert.equal(nextCreatePace(almost, seen(created, 11, 20)).size, 17);
  });
});

describe('after a cut the size', () => {
  const cut = nextCreatePace(aPace({ size: 9 }), seen(refused('throttled'), 0, 10));

  it('grows by one for each round of as many creates as are in flight', () => {
    assert.equal(cut.size, 4);
    assert.equal(afterCreates(cut, 4, 11).size, 5);
    assert.equal(afterCreates(cut, 4 + 5, 11).size, 6);
  });

  it('stays one short of what was too much while that is remembered', () => {
    assert.equal(afterCreates(cut, 200, 11).size, 8);
  });

  it('tries it again when it is ten seconds old, and not a moment before', () => {
    const full = { ...cut, size: 8, quick: 7 };
    const before = nextCreatePace(full, seen(created, 9_989, 20));
    const after = nextCreatePace(full, seen(created, 9_990, 20));
    assert.deepEqual([before.size, after.size], [8, 9]);
  });

  it('comes back to the setting and no further', () => {
    assert.equal(afterCreates({ ...cut, size: 8 }, 2_000, 20_000).size, 32);
  });
});
