import type { JsonObject } from '../core/json.ts';
import type { DueQuery } from './contract.ts';
import { waitingStates } from './documents.ts';

/** Whose runs: a tenant, the agent's labels and name, and the stack whose token our claims carry. */
export interface Audience {
  readonly tenantId: string;
  readonly agentName: string;
  /** Null: of any labels, for a server that cannot compare them. */
  readonly labels: readonly string[] | null;
  readonly stackId: string;
}

/**
 * The server's label rule (PrefectHQ/server src/prefect_server/api/runs.py) as a filter: an agent with labels takes runs
 * whose labels are among its own, but never a run without any; an agent without labels takes only those.
 */
function labelRule(labels: Audience['labels'], without: readonly string[] = []): JsonObject {
  if (labels === null) return {};
  if (without.length > 0) return { ...labelRule(labels), _not: { _or: without.map(carries) } };
  if (labels.length === 0) return { _or: [{ labels: { _eq: [] } }, { labels: { _is_null: true } }] };
  return { labels: { _contained_in: labels, _neq: [] } };
}

const carries = (label: string): JsonObject => ({ labels: { _contains: [label] } });

const tokenOf = (stackId: string): JsonObject => ({ serialized_state: { _contains: { context: { stack: stackId } } } });

/** Scheduled, with a start time that compares so. */
const scheduledWith = ({ tenantId }: Audience, start: JsonObject): JsonObject => ({
  tenant_id: { _eq: tenantId },
  state: { _eq: 'Scheduled' },
  state_start_time: start,
});

/** Scheduled, and due; not too late, and of no label whose cap is reached: those would keep all others off the page. */
export function scheduledRuns(audience: Audience, query: DueQuery): JsonObject {
  const { dueBefore, lateBefore, withoutLabels } = query;
  const notLate = lateBefore === null ? {} : { _gte: lateBefore.toISOString() };
  const start = { _lte: dueBefore.toISOString(), ...notLate };
  return { ...scheduledWith(audience, start), ...labelRule(audience.labels, withoutLabels) };
}

/** Scheduled, and due for longer than is wanted. */
export function tooLateRuns(audience: Audience, lateBefore: Date): JsonObject {
  return { ...scheduledWith(audience, { _lt: lateBefore.toISOString() }), ...labelRule(audience.labels) };
}

/** Running, with a task run that waits and whose start time has come: its pod left it to an agent to be started again. */
export function retryRuns({ tenantId, labels }: Audience, { retryBefore, withoutLabels }: DueQuery): JsonObject {
  const due = { state: { _in: waitingStates }, state_start_time: { _lte: retryBefore.toISOString() } };
  return {
    tenant_id: { _eq: tenantId },
    state: { _eq: 'Running' },
    task_runs: due,
    ...labelRule(labels, withoutLabels),
  };
}

const quietSince = (instant: Date): JsonObject => ({
  _or: [{ heartbeat: { _is_null: true } }, { heartbeat: { _lte: instant.toISOString() } }],
});

/** Claimed by this stack and quiet since. Labels do not matter: a claim of ours is ours to finish. */
export function quietClaims({ tenantId, stackId }: Audience, { quietBefore }: DueQuery): JsonObject {
  return { tenant_id: { _eq: tenantId }, state: { _eq: 'Submitted' }, ...tokenOf(stackId), ...quietSince(quietBefore) };
}

/** The same for a server without `_contains`: by the agent's name; whose token it is, the reader must check. */
export function quietSubmittedRuns({ tenantId, agentName }: Audience, { quietBefore }: DueQuery): JsonObject {
  return {
    tenant_id: { _eq: tenantId },
    state: { _eq: 'Submitted' },
    agent: { name: { _eq: agentName } },
    ...quietSince(quietBefore),
  };
}

/** Agents that have asked for runs since. */
export function agentsSince({ tenantId }: Audience, instant: Date): JsonObject {
  return { tenant_id: { _eq: tenantId }, last_queried: { _gte: instant.toISOString() } };
}

/** Runs that were due by then and are Scheduled still. */
export function lateSince(audience: Audience, instant: Date): JsonObject {
  return { ...scheduledWith(audience, { _lte: instant.toISOString() }), ...labelRule(audience.labels) };
}

/** By id; a run that does not exist is absent from the answer. */
export function runsById(ids: readonly string[]): JsonObject {
  return { id: { _in: ids } };
}

/**
 * What is not finished and belongs to this stack: submitted under the agent's name, or carrying its token. The agent's
 * id changes with labels and version, and Running drops the token. `after` is the last id of the page before.
 */
export function unfinishedRuns({ tenantId, agentName, stackId }: Audience, after: string | null): JsonObject {
  return {
    tenant_id: { _eq: tenantId },
    state: { _in: ['Submitted', 'Running', 'Cancelling'] },
    _or: [{ agent: { name: { _eq: agentName } } }, tokenOf(stackId)],
    ...(after === null ? {} : { id: { _gt: after } }),
  };
}
