import type { StateRow } from './flow-run.ts';
import { isFinished } from './flow-run.ts';
import { isJsonObject, type JsonObject } from './json.ts';

/**
 * What we write into `context` of a Submitted state (protocol rule 2). Prefect Server ignores `version` and checks no
 * transition, so this token and the append-only history are all there is to tell whose state stands.
 */
export interface ClaimToken {
  readonly stack: string;
  /** Random per claim. */
  readonly claim: string;
  /** Version read with the Scheduled state; a re-claim copies it. */
  readonly key: string;
  /** When Lambda ends the invocation, plus 60 s for what the API server may still do. */
  readonly until: Date;
}

/** Allowance for clocks that differ: two functions compare `until` with their own (AWS) clocks. */
const clockSkewMs = 10_000;

/** Message of the server's Lazarus (PrefectHQ/server, services/towel/lazarus.py). */
const lazarusMessage = 'Rescheduled by a Lazarus process.';

/** `context` of a serialised state; empty when it has none. */
export function contextOf(state: JsonObject): JsonObject {
  const context = state['context'];
  return isJsonObject(context) ? context : {};
}

/** The claim token of a Submitted state, or null when it carries none that can be read. */
export function claimTokenOf(state: JsonObject): ClaimToken | null {
  if (state['type'] !== 'Submitted') return null;
  const { stack, claim, key, until } = contextOf(state);
  if (typeof stack !== 'string' || typeof claim !== 'string' || typeof key !== 'string') return null;
  const end = typeof until === 'string' ? new Date(until) : new Date(Number.NaN);
  return Number.isNaN(end.getTime()) ? null : { stack, claim, key, until: end };
}

/** True once no invocation that holds this claim can act any more, nor the API server for it. */
export function leaseIsOver(token: ClaimToken, now: Date): boolean {
  return now.getTime() >= token.until.getTime() + clockSkewMs;
}

const byTime = (a: StateRow, b: StateRow): number =>
  a.createdMicros - b.createdMicros || a.version - b.version || (a.id < b.id ? -1 : Number(a.id > b.id));

/**
 * Protocol rule 4: the database's clock, then version, then id. A lower version later in time still counts. Rows come
 * in this order from the API; they are sorted only when they did not.
 */
export function inOrder(history: readonly StateRow[]): readonly StateRow[] {
  const isSorted = history.every((row, n) => {
    const before = history[n - 1];
    return before === undefined || byTime(before, row) <= 0;
  });
  return isSorted ? history : history.toSorted(byTime);
}

/** Written by this stack. A Scheduled row never is, whatever its context holds: it starts an attempt. */
export function isOurs(row: StateRow, stackId: string): boolean {
  return row.state !== 'Scheduled' && contextOf(row.serializedState)['stack'] === stackId;
}

const isCancel = (row: StateRow): boolean => row.state === 'Cancelled' || row.state === 'Cancelling';
const isLazarus = (row: StateRow): boolean => (row.message ?? '').startsWith(lazarusMessage);

/** A cancel stays in force under this row: only a fresh Scheduled row or a finished state ends it. */
const leavesCancel = (row: StateRow): boolean =>
  isCancel(row) || isFinished(row.state) || (row.state === 'Scheduled' && !isLazarus(row));

const after = (effective: StateRow | null, row: StateRow): StateRow =>
  effective !== null && isCancel(effective) && !leavesCancel(row) ? effective : row;

/**
 * A claim of ours changes nothing of what others want. But when it stands again under its own id, the other stack whose
 * claim lay over it has written it back: then what was wanted beneath it is wanted again.
 */
function afterOurs(effective: StateRow | null, row: StateRow, beneath: Map<string, StateRow | null>) {
  const claim = claimTokenOf(row.serializedState)?.claim;
  if (claim === undefined) return effective;
  if (effective?.state === 'Submitted') return beneath.get(claim) ?? effective;
  beneath.set(claim, effective);
  return effective;
}

/**
 * What everybody else wants of the run: the last row that is not ours. A user's cancel sticks until somebody schedules
 * the run afresh (Lazarus does not count) or a finished state replaces it; a later Running does not clear it.
 *
 * @returns null for a history without any foreign row.
 */
export function effectiveState(history: readonly StateRow[], stackId: string): StateRow | null {
  let effective: StateRow | null = null;
  const beneath = new Map<string, StateRow | null>();
  for (const row of inOrder(history)) {
    effective = isOurs(row, stackId) ? afterOurs(effective, row, beneath) : after(effective, row);
  }
  return effective;
}

/** A user's cancel is in force, whatever a pod that had not heard of it wrote since. */
export function isCancelled({ history }: { readonly history: readonly StateRow[] }, stackId: string): boolean {
  const effective = effectiveState(history, stackId);
  return effective !== null && isCancel(effective);
}

/** The row whose state stands: the last one of the history. */
export function lastRow(history: readonly StateRow[]): StateRow | null {
  return inOrder(history).at(-1) ?? null;
}

/**
 * True while the run has never been anything but Scheduled, as it is created (PrefectHQ/server, api/runs.py:
 * create_flow_run). Then no Job was made for it: an agent's Submitted is a row of the history before its Job exists
 * (protocol rule 7; prefect 1.4.1, agent/agent.py). False for a history that was not read.
 */
export function isUntouched({ history }: { readonly history: readonly StateRow[] }): boolean {
  return history.length > 0 && history.every(({ state }) => state === 'Scheduled');
}

/** Claims of this stack, oldest first, each with its token and the time the database gave it. */
export function claimsOf(
  history: readonly StateRow[],
  stackId: string,
): readonly (ClaimToken & { readonly at: Date })[] {
  return inOrder(history).flatMap((row) => {
    const token = isOurs(row, stackId) ? claimTokenOf(row.serializedState) : null;
    return token === null ? [] : [{ ...token, at: new Date(row.createdMicros / 1000) }];
  });
}
