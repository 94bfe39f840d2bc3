import type { FlowRun, StateRow } from './flow-run.ts';
import { claimTokenOf, effectiveState } from './history.ts';

/**
 * What a re-read after a claim says (protocol rule 7).
 *
 * - `held`: the run is Submitted with our claim id and everybody else still wants it to run: create the Job.
 * - `covered`: our claim stands over a foreign state that came in between (a cancel, Running, a finished state):
 *   write that state back and create nothing.
 * - `lost`: somebody else's state stands: stop.
 */
export type ClaimVerdict =
  | { readonly kind: 'held' }
  | { readonly kind: 'covered'; readonly by: StateRow }
  | { readonly kind: 'lost' };

/** Reads the verdict from a fresh read. Version and token alone detect nothing; the history does. */
export function judgeClaim(run: FlowRun, claimId: string, stackId: string): ClaimVerdict {
  const token = claimTokenOf(run.serializedState);
  if (run.state !== 'Submitted' || token?.claim !== claimId || token.stack !== stackId) return { kind: 'lost' };
  const effective = effectiveState(run.history, stackId);
  if (effective === null) return { kind: 'lost' };
  return effective.state === 'Scheduled' ? { kind: 'held' } : { kind: 'covered', by: effective };
}
