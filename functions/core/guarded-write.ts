import type { FlowRun, StateRow } from './flow-run.ts';
import { claimsOf, contextOf, effectiveState, inOrder, isOurs, lastRow } from './history.ts';
import type { JsonObject } from './json.ts';

/** State, version, and the rows behind them: what a write was decided on (protocol rule 11). */
export function sameTruth(basis: FlowRun, fresh: FlowRun): boolean {
  return (
    basis.state === fresh.state &&
    basis.version === fresh.version &&
    basis.history.length === fresh.history.length &&
    lastRow(basis.history)?.id === lastRow(fresh.history)?.id
  );
}

/**
 * What the history says after a write of ours (protocol rule 12).
 *
 * - `stands`: our row is there, and nothing foreign came since the basis.
 * - `covers`: a foreign row slipped in between and ours lies over it: write that one back.
 * - `superseded`: a foreign row lies over ours; theirs stands.
 * - `absent`: our row is not there.
 */
export type WriteVerdict =
  | { readonly kind: 'stands' | 'superseded' | 'absent' }
  | { readonly kind: 'covers'; readonly row: StateRow };

/**
 * Judges a write from the read it was decided on and the read after it. Another row of ours, as of a dispatcher at work
 * at the same time, is not this write: it has the type and the mark of the state that was sent.
 */
export function judgeWrite(
  basis: FlowRun,
  after: FlowRun,
  { state, stackId }: { readonly state: JsonObject; readonly stackId: string },
): WriteVerdict {
  const known = new Set(basis.history.map((row) => row.id));
  const news = inOrder(after.history).filter((row) => !known.has(row.id));
  const isWritten = (row: StateRow): boolean =>
    row.state === state['type'] && contextOf(row.serializedState)['stack'] === contextOf(state)['stack'];
  if (!news.some(isWritten)) return { kind: 'absent' };
  const slipped = news.findLast((row) => !isOurs(row, stackId) && !isWritten(row));
  if (slipped === undefined) return { kind: 'stands' };
  return news.at(-1) === slipped ? { kind: 'superseded' } : { kind: 'covers', row: slipped };
}

/** What a write of ours lies over. */
interface Ground {
  /** The state of the last row that is not ours. */
  readonly state: string;
  /** A claim of ours came after it. */
  readonly isClaimed: boolean;
  /** The write names the key of a claim: it was decided over that. The key of a task retry is no claim's. */
  readonly namesClaim: boolean;
}

/** Whether a write of ours may lie there, when it is what it was meant to be. */
const isRightful: ReadonlyMap<string, (over: Ground) => boolean> = new Map([
  // Submitted of somebody else is theirs to go on with; the server's lock would refuse to have it back.
  ['Submitted', ({ state }: Ground) => state === 'Scheduled' || state === 'Submitted'],
  ['Failed', endsAnAttempt],
  ['Cancelled', ({ state }: Ground) => state === 'Cancelled' || state === 'Cancelling'],
]);

/**
 * A Failed of ours ends an attempt, which a claim began after its Scheduled row. With the key of a claim it was decided
 * while the claim stood: over a Running it came late, and the pod that was given up has started after all.
 */
function endsAnAttempt({ state, isClaimed, namesClaim }: Ground): boolean {
  if (state === 'Running') return isClaimed || !namesClaim;
  return state === 'Failed' || (state === 'Scheduled' && isClaimed);
}

/**
 * The foreign state that a standing write of ours lies over by mistake, or null: the write came late, and what was to be
 * written back after it was lost (protocol rules 7 and 12). The history shows it for as long as the run exists.
 */
export function coveredRow(run: FlowRun, stackId: string): StateRow | null {
  const context = contextOf(run.serializedState);
  const mayLieOver = context['stack'] === stackId ? isRightful.get(run.state) : undefined;
  const effective = effectiveState(run.history, stackId);
  if (mayLieOver === undefined || effective === null) return null;
  const isClaimed = run.history.some(
    (row) => row.state === 'Submitted' && isOurs(row, stackId) && row.createdMicros > effective.createdMicros,
  );
  const namesClaim = claimsOf(run.history, stackId).some(({ key }) => key === context['key']);
  const ground = { state: effective.state, isClaimed, namesClaim };
  return mayLieOver(ground) ? null : effective;
}
