import type { CreateAnswer } from '../kubernetes/contract.ts';

/** An API server takes 100 streams of a connection (kubernetes 1.35, apiserver), and 49 of one user's requests to begin with. */
const mostInFlight = 64;

/** An answer that takes longer is slow: the objective of an API server is 99 of 100 writes within it. */
const slowMs = 1_000;

/** ... if it also took longer than so many times the quickest: a slow webhook is no sign of load. */
const slowFactor = 2;

/** For so long after a cut nobody tries the size again that was too much. */
const memoryMs = 10_000;

/** How many creates may be in flight, and what has been learnt of the server that takes them. */
export interface CreatePace {
  /** In flight at a time, at least 1. */
  readonly size: number;
  /** Quick creates since the size has been what it is. */
  readonly quick: number;
  /** The operator's setting: the size never exceeds it. */
  readonly most: number;
  /** The smallest size that was too much lately; null: none. */
  readonly tooMuch: number | null;
  /** When the size was cut last, in milliseconds; null: never. */
  readonly cutAt: number | null;
  /** The quickest create so far; null: none was answered yet. */
  readonly quickestMs: number | null;
}

/** One create, when it was sent and when its answer came (milliseconds). */
export interface CreateSeen {
  readonly answer: CreateAnswer;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** As many as the operator allows, from 1 to 64. */
export function startingCreatePace(setting: number): CreatePace {
  const most = Math.max(1, Math.min(mostInFlight, Math.trunc(setting)));
  return { size: most, quick: 0, most, tooMuch: null, cutAt: null, quickestMs: null };
}

/** What an answer says of the server's load; null: nothing. */
type Sign = 'too-much' | 'slow' | 'quick' | null;

function signOf({ answer, sentAt, answeredAt }: CreateSeen, quickestMs: number | null): Sign {
  // 429, or no answer within our limit. Another refusal may be quick because it was refused: it says nothing.
  if (answer.kind === 'refused') return ['throttled', 'unknown'].includes(answer.class) ? 'too-much' : null;
  const ms = answeredAt - sentAt;
  return ms > slowMs && ms > slowFactor * (quickestMs ?? ms) ? 'slow' : 'quick';
}

/** Half of it after a refusal, three quarters after a slow answer. */
const shareLeft: Readonly<Record<'too-much' | 'slow', number>> = { 'too-much': 0.5, slow: 0.75 };

function cut(pace: CreatePace, share: number, at: number): CreatePace {
  return { ...pace, size: Math.max(1, Math.floor(pace.size * share)), quick: 0, tooMuch: pace.size, cutAt: at };
}

/** One more for each round of as many creates as are in flight, but short of what was too much. */
function grow(pace: CreatePace, at: number): CreatePace {
  const remembers = pace.cutAt !== null && at - pace.cutAt < memoryMs;
  const tooMuch = remembers ? pace.tooMuch : null;
  const limit = tooMuch === null ? pace.most : Math.min(pace.most, tooMuch - 1);
  const quick = pace.quick + 1;
  return pace.size < limit && quick >= pace.size
    ? { ...pace, tooMuch, size: pace.size + 1, quick: 0 }
    : { ...pace, tooMuch, quick };
}

/**
 * The pace after one more answer: halved by 429 and by silence, lowered by slow answers, each once for all the creates
 * that were in flight together, and raised again one by one.
 */
export function nextCreatePace(pace: CreatePace, seen: CreateSeen): CreatePace {
  const sign = signOf(seen, pace.quickestMs);
  // What was sent before the last cut, or in its millisecond, tells of the time before it.
  const isStale = pace.cutAt !== null && seen.sentAt <= pace.cutAt;
  const known =
    seen.answer.kind === 'created'
      ? { ...pace, quickestMs: Math.min(pace.quickestMs ?? Infinity, seen.answeredAt - seen.sentAt) }
      : pace;
  if (sign === null || isStale) return known;
  return sign === 'quick' ? grow(known, seen.answeredAt) : cut(known, shareLeft[sign], seen.answeredAt);
}
