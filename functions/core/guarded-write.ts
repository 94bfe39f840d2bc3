import type { FlowRun, StateRow } from './flow-run.ts';
import { contextOf, effectiveState, inOrder, isOurs, lastRow } from './history.ts';
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

/** States that a write of ours may lie over, when it is what it was meant to be. */
const rightfulGround: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  // Submitted of somebody else is theirs to go on with; the server's lock would refuse to have it back.
  ['Submitted', new Set(['Scheduled', 'Submitted'])],
  ['Failed', new Set(['Running', 'Failed'])],
  ['Cancelled', new Set(['Cancelled', 'Cancelling'])],
]);

/**
 * The foreign state that a standing write of ours lies over by mistake, or null: the write came late, and what was to be
 * written back after it was lost (protocol rules 7 and 12). The history shows it for as long as the run exists.
 */
export function coveredRow(run: FlowRun, stackId: string): StateRow | null {
  const rightful = contextOf(run.serializedState)['stack'] === stackId ? rightfulGround.get(run.state) : undefined;
  const effective = effectiveState(run.history, stackId);
  if (rightful === undefined || effective === null || rightful.has(effective.state)) return null;
  // A Failed of ours ends an attempt, which a claim began after its Scheduled row.
  const claimed = run.history.some(
    (row) => row.state === 'Submitted' && isOurs(row, stackId) && row.createdMicros > effective.createdMicros,
  );
  return run.state === 'Failed' && effective.state === 'Scheduled' && claimed ? null : effective;
}
