import type { RowOf } from './catalogue.ts';
import { select } from './hasura.ts';
import type { Moment } from './rows.ts';
import { queuedStates } from './state-json.ts';
import { formatColumn, microsOf, type Micros } from './timestamps.ts';

/** `queued_runs_returned_limit` of the server's configuration; SQL fetches three times as many before labels count. */
const returnedLimit = 25;
const windowFactor = 3;

export interface QueueQuestion {
  readonly tenantId: string;
  /** Null: now. */
  readonly before: Micros | null;
  readonly labels: readonly string[];
}

/** May an agent with these labels take a run with those? Exact strings; an unlabelled run is for unlabelled agents. */
function labelsMatch(runLabels: readonly string[], agentLabels: readonly string[]): boolean {
  if (runLabels.length === 0) return agentLabels.length === 0;
  return runLabels.every((label) => agentLabels.includes(label));
}

/**
 * Ids of the runs that are due: at most 25, out of the first 75 in order of their start time, so that 75 foreign runs
 * hide all others; Running runs with a due task come last (PrefectHQ/server src/prefect_server/api/runs.py).
 */
export function dueRuns({ state, now }: Moment, question: QueueQuestion): string[] {
  const before = formatColumn(question.before ?? microsOf(now));
  const due = { state: { _in: queuedStates }, state_start_time: { _lte: before } };
  const rows = select({ state, table: 'flow_run' }, state.tables.flow_run.by('tenant_id', question.tenantId), {
    where: { _or: [due, { state: { _eq: 'Running' }, task_runs: due }] },
    order_by: { state_start_time: 'asc' },
    limit: returnedLimit * windowFactor,
  });
  return rows
    .map((row) => row as RowOf<'flow_run'>)
    .filter((run) => labelsMatch(run.labels as readonly string[], question.labels))
    .slice(0, returnedLimit)
    .map((run) => run.id);
}
