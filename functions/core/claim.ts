import type { FlowRun, StateRow } from './flow-run.ts';
import { claimsOf, claimTokenOf, effectiveState, leaseIsOver, type ClaimToken } from './history.ts';

/**
 * What a re-read after a claim says (protocol rule 7).
 *
 * - `held`: the run is Submitted with our claim id and everybody else still wants it to run: create the Job.
 * - `covered`: our claim stands over a foreign state that came in between (a cancel, Running, a finished state):
 *   write that state back and create nothing.
 * - `lost`: somebody else's state stands, or another attempt of ours may still get its Job: stop.
 */
export type ClaimVerdict =
  | { readonly kind: 'held' }
  | { readonly kind: 'covered'; readonly by: StateRow }
  | { readonly kind: 'lost' };

interface Claimant {
  readonly claimId: string;
  readonly stackId: string;
  readonly now: Date;
}

/**
 * Another dispatcher has claimed another attempt, verified it perhaps, and may be about to create (protocol rule 5). Its
 * claim was not there when ours was planned; of two claims the later one sees the earlier, whatever the server's lock did.
 */
const isContested = ({ history }: FlowRun, { key }: ClaimToken, { stackId, now }: Claimant): boolean =>
  claimsOf(history, stackId).some((claim) => claim.key !== key && !leaseIsOver(claim, now));

/** Reads the verdict from a fresh read. Version and token alone detect nothing; the history does. */
export function judgeClaim(run: FlowRun, claimant: Claimant): ClaimVerdict {
  const { claimId, stackId } = claimant;
  const token = claimTokenOf(run.serializedState);
  if (run.state !== 'Submitted' || token?.claim !== claimId || token.stack !== stackId) return { kind: 'lost' };
  const effective = effectiveState(run.history, stackId);
  if (effective === null) return { kind: 'lost' };
  if (effective.state !== 'Scheduled') return { kind: 'covered', by: effective };
  return isContested(run, token, claimant) ? { kind: 'lost' } : { kind: 'held' };
}
