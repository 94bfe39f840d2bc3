import type { CreateAnswer } from '../kubernetes/contract.ts';

/** An API server takes 100 streams of a connection, and 49 requests of one user before it borrows (kubernetes 1.35). */
const mostInFlight = 64;

/** An answer that takes longer is slow: the objective of an API server is 99 of 100 writes within it. */
const slowMs = 1_000;

/** ... if it also took longer than so many times the quickest: a slow webhook is no sign of load. */
const slowFactor = 2;

/** For so long after a cut nobody tries again what was too much: each refusal makes everybody wait. */
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
  /** How many were refused by 429 of those that were in flight together at the last cut. */
  readonly refused: number;
  /** How many these were. */
  readonly together: number;
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
  /** How many were in flight when it was sent, itself included. */
  readonly inFlight: number;
}

/** As many as the operator allows, from 1 to 64. */
export function startingCreatePace(setting: number): CreatePace {
  const most = Math.max(1, Math.min(mostInFlight, Math.trunc(setting)));
  return { size: most, quick: 0, most, tooMuch: null, refused: 0, together: 0, cutAt: null, quickestMs: null };
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

/** What the server took of the last burst; null: nobody knows, as when it refused all and is busy with others. */
function takenOf({ refused, together }: CreatePace): number | null {
  return refused > 0 && refused < together ? together - refused : null;
}

/** Once for all that were in flight together: their other answers tell of the same time. */
function cut(pace: CreatePace, share: number, seen: CreateSeen): CreatePace {
  const size = Math.max(1, Math.floor(pace.size * share));
  const cutAt = seen.answeredAt;
  return learn({ ...pace, size, quick: 0, tooMuch: pace.size, refused: 0, together: 0, cutAt }, seen);
}

/** What another answer of the same burst adds: at most what the server has taken of it is left. */
function learn(pace: CreatePace, seen: CreateSeen): CreatePace {
  const together = Math.max(pace.together, seen.inFlight);
  if (!isThrottled(seen)) return { ...pace, together };
  const after = { ...pace, together, refused: pace.refused + 1 };
  const rest = (pace.tooMuch ?? pace.size) - after.refused;
  return { ...after, size: Math.max(1, Math.min(pace.size, rest, takenOf(after) ?? rest)) };
}

/** While a cut is remembered: what was taken then, or else one short of what was too much. */
function limitOf({ most, tooMuch }: CreatePace, taken: number | null): number {
  return tooMuch === null ? most : Math.min(most, taken ?? tooMuch - 1);
}

/** One more for each quick create up to what was taken; beyond, one for each round of as many as are in flight. */
function grow(before: CreatePace, at: number): CreatePace {
  const forgets = before.cutAt === null || at - before.cutAt >= memoryMs;
  const pace = { ...before, quick: before.quick + 1, tooMuch: forgets ? null : before.tooMuch };
  const taken = takenOf(pace);
  const round = taken !== null && pace.size < taken ? 1 : pace.size;
  return pace.size < limitOf(pace, taken) && pace.quick >= round ? { ...pace, size: pace.size + 1, quick: 0 } : pace;
}

/**
 * The pace after one more answer: halved by 429 and by silence, lowered by slow answers, each once for all the creates
 * that were in flight together, down to what was taken of these, and raised again by quick ones.
 */
export function nextCreatePace(pace: CreatePace, seen: CreateSeen): CreatePace {
  const sign = signOf(seen, pace.quickestMs);
  // What was sent before the last cut, or in its millisecond, tells of the time before it.
  const isStale = pace.cutAt !== null && seen.sentAt <= pace.cutAt;
  const known =
    seen.answer.kind === 'created'
      ? { ...pace, quickestMs: Math.min(pace.quickestMs ?? Infinity, seen.answeredAt - seen.sentAt) }
      : pace;
  if (isStale) return learn(known, seen);
  if (sign === null) return known;
  return sign === 'quick' ? grow(known, seen.answeredAt) : cut(known, shareLeft[sign], seen);
}
