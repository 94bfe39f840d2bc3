import type { ClaimToken } from './history.ts';
import { contextOf } from './history.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { plainText } from './plain-text.ts';
import type { FlowRun, StateRow } from './flow-run.ts';

/** Exactly the peer's message, without a full stop (prefect 1.4.1, agent/agent.py). */
const submittedMessage = 'Submitted for execution';

/**
 * The state that a claim writes: Submitted around the Scheduled state as read, or, on a re-claim, around the inner
 * state of the claim it replaces. Without an inner state the flow process counts the run as Pending.
 */
export function submittedState(run: FlowRun, token: ClaimToken): JsonObject {
  const inner = run.state === 'Submitted' ? run.serializedState['state'] : run.serializedState;
  return {
    type: 'Submitted',
    message: submittedMessage,
    state: isJsonObject(inner) ? inner : null,
    context: { stack: token.stack, claim: token.claim, key: token.key, until: token.until.toISOString() },
  };
}

/**
 * Failed, marked as ours (protocol rule 2), with the key of the attempt that failed where there is one. The message may
 * quote the cluster or an author, and is read in terminals.
 */
export function failedState(message: string, stackId: string, key: string | null): JsonObject {
  return { type: 'Failed', message: plainText(message), context: { stack: stackId, ...(key === null ? {} : { key }) } };
}

/** Cancelled, marked as ours. The server cascades it to the unfinished task runs. */
export function cancelledState(stackId: string): JsonObject {
  return { type: 'Cancelled', message: 'Flow run is cancelled', context: { stack: stackId } };
}

/**
 * A foreign state that a write of ours covered, written back as it was and marked as ours. But for a claim: under our mark
 * it would be a stranger's to its owner, and nobody's. It goes back as its owner wrote it, and is its owner's again.
 */
export function restoredState(row: StateRow, stackId: string): JsonObject {
  if (row.state === 'Submitted') return row.serializedState;
  return { ...row.serializedState, context: { ...contextOf(row.serializedState), stack: stackId } };
}
