import type { CreateAnswer } from '../kubernetes/contract.ts';

/** An API server takes 100 streams of a connection, and 49 requests of one user before it borrows (kubernetes 1.35). */
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
  /** The size that was too much lately, when it was cut last; null: none. */
  readonly tooMuch: number | null;
  /** How many were refused of those that were in flight at the last cut. */
  readonly refused: number;
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
  return { size: most, quick: 0, most, tooMuch: null, refused: 0, cutAt: null, quickestMs: null };
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

const isThrottled = ({ answer }: CreateSeen): boolean => answer.kind === 'refused' && answer.class === 'throttled';

function cut(pace: CreatePace, share: number, seen: CreateSeen): CreatePace {
  const size = Math.max(1, Math.floor(pace.size * share));
  return { ...pace, size, quick: 0, tooMuch: pace.size, refused: Number(isThrottled(seen)), cutAt: seen.answeredAt };
}

/** Another 429 of the same burst: what is left is at most what the server has taken of it. */
function cutFurther(pace: CreatePace): CreatePace {
  const refused = pace.refused + 1;
  return { ...pace, refused, size: Math.max(1, Math.min(pace.size, (pace.tooMuch ?? pace.size) - refused)) };
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
 * that were in flight together, down to what was taken of these, and raised again one by one.
 */
export function nextCreatePace(pace: CreatePace, seen: CreateSeen): CreatePace {
  const sign = signOf(seen, pace.quickestMs);
  // What was sent before the last cut, or in its millisecond, tells of the time before it.
  const isStale = pace.cutAt !== null && seen.sentAt <= pace.cutAt;
  const known =
    seen.answer.kind === 'created'
      ? { ...pace, quickestMs: Math.min(pace.quickestMs ?? Infinity, seen.answeredAt - seen.sentAt) }
      : pace;
  if (isStale) return isThrottled(seen) ? cutFurther(known) : known;
  if (sign === null) return known;
  return sign === 'quick' ? grow(known, seen.answeredAt) : cut(known, shareLeft[sign], seen);
}
