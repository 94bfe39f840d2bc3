import type { OperationAnswer } from './batch-answer.ts';
import { Row } from './row.ts';

/** One GraphQL document, and how its `data` is read. */
export interface Document<T> {
  readonly text: string;
  readonly read: (data: Row) => T;
}

const document = <T>(text: string, read: (data: Row) => T): Document<T> => ({ text, read });

/** Null for data that is not what the document asks for. */
export function dataOf<T>({ read }: Document<T>, answer: OperationAnswer | undefined): T | null {
  const row = Row.of(answer?.data);
  const data = read(row);
  return row.problem === null ? data : null;
}

const labelsOf = (row: Row) => ({ labels: row.textsOrNull('labels') ?? [] });

/** States in which something waits for its start time (prefect 1.4.1, engine/state.py; PrefectHQ/server api/runs.py). */
export const waitingStates = ['Scheduled', 'Paused', 'Resume', 'Retrying', 'Queued'] as const;

/**
 * Runs of the query engine, each with its flow, its history and up to 20 task runs that wait, those due first. Items
 * are parsed one by one elsewhere: one that cannot be read must not take the others with it. The nested lists stay
 * within the gateway's depth limit of 7 (PrefectHQ/server, services/apollo).
 *
 * With `$spec` also what a Job is made from, which can be large; with `$marks` also what the run's log holds of the
 * cluster, so that no event is told twice.
 *
 * The history is ordered as the protocol counts it; the server's own triggers order by version alone.
 */
export const flowRuns = document(
  `query($where: flow_run_bool_exp!, $order: [flow_run_order_by!]!, $limit: Int!, $spec: Boolean!, $marks: Boolean!) {
  flow_run(where: $where, order_by: $order, limit: $limit) {
    id name version state serialized_state labels scheduled_start_time heartbeat times_resurrected
    run_config @include(if: $spec)
    flow { id name core_version storage @include(if: $spec) flow_group { settings } }
    task_runs(where: { state: { _in: [${waitingStates.map((state) => `"${state}"`).join(', ')}] } },
              order_by: [{ state_start_time: asc }], limit: 20) { state_start_time }
    states(order_by: [{ created: asc }, { version: asc }, { id: asc }]) {
      id version state created message serialized_state
    }
    logs(where: { name: { _eq: "k8s-infra" } }, order_by: [{ timestamp: desc }], limit: 200) @include(if: $marks) { info }
  }
}`,
  (data) => data.list('flow_run'),
);

/** Who asks for runs (PrefectHQ/server: get_runs_in_queue sets `last_queried`), and what waits for somebody to ask. */
export const surroundings = document(
  `query($agents: agent_bool_exp!, $late: flow_run_bool_exp!) {
  agent(where: $agents, limit: 200) { name labels }
  flow_run(where: $late, order_by: [{ scheduled_start_time: asc }], limit: 200) { labels }
}`,
  (data) => ({
    agents: data.rows('agent', (agent) => ({ name: agent.textOrNull('name'), ...labelsOf(agent) })),
    late: data.rows('flow_run', labelsOf),
  }),
);

/** The late runs that an agent with our labels may take. */
export const lateRuns = document(
  `query($late: flow_run_bool_exp!) {
  flow_run(where: $late, order_by: [{ scheduled_start_time: asc }], limit: 200) { labels }
}`,
  (data) => data.rows('flow_run', labelsOf),
);

/** Despite its kind it dequeues nothing (PrefectHQ/server src/prefect_server/api/runs.py); it touches `agent.last_queried`. */
export const runsInQueue = document(
  'mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }',
  (data) => data.row('get_runs_in_queue').answered('flow_run_ids').textsOrNull('flow_run_ids') ?? [],
);

/** Idempotent: the same tenant, name, type, version and labels give the same id (PrefectHQ/server api/agents.py). */
export const registerAgent = document(
  'mutation($input: register_agent_input!) { register_agent(input: $input) { id } }',
  (data) => data.row('register_agent').uuid('id'),
);

/** The tenant of a Prefect Server: its first row (prefect 1.4.1, client/client.py). */
export const tenants = document('query { tenant { id } }', (data) =>
  data.rows('tenant', (tenant) => tenant.uuid('id')),
);

/** The tenant of a Cloud key; Server has no such field (prefect 1.4.1, client/client.py). */
export const authInfo = document('query { auth_info { tenant_id } }', (data) => ({
  tenantId: data.row('auth_info').answered('tenant_id').uuidOrNull('tenant_id'),
}));

/** One state per operation: with a list, one failure hides the fate of all (PrefectHQ/server graphql/states.py). */
export const setStates = document(
  'mutation($input: set_flow_run_states_input!) { set_flow_run_states(input: $input) { states { id status message } } }',
  (data) =>
    data.row('set_flow_run_states').rows('states', (state) => ({
      status: state.answered('status').textOrNull('status'),
      message: state.textOrNull('message'),
    })),
);

/** All or nothing: one bad entry rejects the whole call (PrefectHQ/server api/logs.py), hence one run per operation. */
export const writeLogs = document(
  'mutation($input: write_run_logs_input!) { write_run_logs(input: $input) { success } }',
  (data) => data.row('write_run_logs').success(),
);

/** Answers success even for a run that does not exist (PrefectHQ/server api/runs.py). */
export const heartbeat = document(
  'mutation($input: update_flow_run_heartbeat_input!) { update_flow_run_heartbeat(input: $input) { success } }',
  (data) => data.row('update_flow_run_heartbeat').success(),
);
