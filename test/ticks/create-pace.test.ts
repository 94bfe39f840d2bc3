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

/** An answer to a create that was sent at `sentAt` as the last of 32 in flight, and took `ms`. */
const seen = (answer: CreateAnswer, sentAt: number, ms: number) => ({
  answer,
  sentAt,
  answeredAt: sentAt + ms,
  inFlight: 32,
});

/** A quick answer to the create that was the n-th in flight when it was sent. */
const nth = (inFlight: number, answer: CreateAnswer) => ({ ...seen(answer, 0, 10), inFlight });

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
  const cases: Record<
    string,
    { pace?: Partial<CreatePace>; answer: CreateAnswer; ms: number; inFlight?: number; want: number }
  > = {
    '429: half': { answer: refused('throttled'), ms: 1, want: 16 },
    'no answer: half': { answer: refused('unknown'), ms: 10_000, want: 16 },
    '429 with fewer in flight than half: one fewer than these': {
      answer: refused('throttled'),
      ms: 1,
      inFlight: 9,
      want: 8,
    },
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
  for (const [name, { pace, answer, ms, inFlight = 32, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(nextCreatePace(aPace(pace), { ...seen(answer, 0, ms), inFlight }).size, want));
  }
});

describe('a burst of refusals', () => {
  /** The pace after the last so many of 32 that were sent at once are refused. */
  const afterBurst = (count: number, kind: RefusalClass): CreatePace => {
    let pace = aPace();
    for (let n = 0; n < count; n += 1) pace = nextCreatePace(pace, nth(32 - n, refused(kind)));
    return pace;
  };
  const bursts: Record<string, { count: number; kind: RefusalClass; want: number }> = {
    'cuts once for all that was in flight together': { count: 16, kind: 'throttled', want: 16 },
    'leaves what the server took when that is less than half': { count: 24, kind: 'throttled', want: 8 },
    'leaves one when nothing was taken': { count: 32, kind: 'throttled', want: 1 },
    'without an answer says nothing of what was taken': { count: 32, kind: 'unknown', want: 16 },
  };
  for (const [name, { count, kind, want }] of Object.entries(bursts)) {
    it(name, () => assert.equal(afterBurst(count, kind).size, want));
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

describe('after a burst of refusals the size', () => {
  const cut = nextCreatePace(aPace({ size: 9 }), nth(9, refused('throttled')));

  it('grows by one for each quick create, up to what was taken', () => {
    assert.equal(cut.size, 4);
    assert.equal(afterCreates(cut, 3, 11).size, 7);
    assert.equal(afterCreates(cut, 4, 11).size, 8);
  });

  it('stays there while the burst is remembered', () => {
    assert.equal(afterCreates(cut, 200, 11).size, 8);
  });

  it('tries one more when the burst is ten seconds old, and not a moment before', () => {
    const full = { ...cut, size: 8, quick: 7 };
    const before = nextCreatePace(full, seen(created, 9_989, 20));
    const after = nextCreatePace(full, seen(created, 9_990, 20));
    assert.deepEqual([before.size, after.size], [8, 9]);
  });

  it('comes back to the setting and no further', () => {
    assert.equal(afterCreates({ ...cut, size: 8 }, 2_000, 20_000).size, 32);
  });

  it('counts what was taken, whichever of the burst was refused, and in any order of the other answers', () => {
    const isRefused = new Set([1, 2, 5]);
    for (const order of [
      [5, 1, 2, 3, 4, 6],
      [2, 6, 4, 3, 1, 5],
    ]) {
      let pace = aPace({ size: 9 });
      for (const n of order) pace = nextCreatePace(pace, nth(n, isRefused.has(n) ? refused('throttled') : created));
      assert.equal(afterCreates(pace, 200, 11).size, 3);
    }
  });
});

describe('where nobody knows how many the server takes the size', () => {
  const cases: Record<string, CreatePace> = {
    'when there was no answer': nextCreatePace(aPace({ size: 9 }), nth(9, refused('unknown'))),
    'when all were refused: the server is busy with others': {
      ...nextCreatePace(aPace({ size: 9 }), nth(1, refused('throttled'))),
      size: 4,
    },
    'when one was slow': nextCreatePace(aPace({ size: 6, quickestMs: 5 }), { ...seen(created, 0, 1_001), inFlight: 6 }),
  };
  for (const [name, cut] of Object.entries(cases)) {
    it(`grows by one for each round of as many as are in flight, ${name}`, () => {
      assert.equal(cut.size, 4);
      assert.equal(afterCreates(cut, 3, 1_002).size, 4);
      assert.equal(afterCreates(cut, 4, 1_002).size, 5);
      assert.equal(afterCreates(cut, 200, 1_002).size, (cut.tooMuch ?? 0) - 1);
    });
  }
});
