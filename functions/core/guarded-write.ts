import type { FlowRun, StateRow } from './flow-run.ts';
import { inOrder, isOurs, lastRow } from './history.ts';

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

/** Judges a write from the read it was decided on and the read after it. */
export function judgeWrite(basis: FlowRun, after: FlowRun, stackId: string): WriteVerdict {
  const known = new Set(basis.history.map((row) => row.id));
  const news = inOrder(after.history).filter((row) => !known.has(row.id));
  const foreign = news.filter((row) => !isOurs(row, stackId));
  if (foreign.length === news.length) return { kind: 'absent' };
  const slipped = foreign.at(-1);
  if (slipped === undefined) return { kind: 'stands' };
  return news.at(-1) === slipped ? { kind: 'superseded' } : { kind: 'covers', row: slipped };
}
