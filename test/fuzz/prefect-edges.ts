import assert from 'node:assert/strict';

import fc from 'fast-check';

import { restoredState } from '../../functions/core/states.ts';
import { claimTokenOf, effectiveState } from '../../functions/core/history.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import { planReconcile } from '../../functions/core/reconcile-plan.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { connectPrefect } from '../../functions/prefect/client.ts';
import { parseRuns } from '../../functions/prefect/parse.ts';
import { microsOf } from '../../functions/prefect/timestamp.ts';
import { writeRequests } from '../../functions/prefect/writes.ts';
import { constant } from '../../functions/source.ts';
import { aReconcilePolicy, aRunId, STACK } from '../support/builders.ts';
import { aClock, patient } from '../support/clients.ts';
import { at, T0 } from '../support/time.ts';
import { edge, laterEdge, type Edge } from './edge.ts';
import { hostileJson, hostileText, textOfJson, twisted } from './hostile-json.ts';

const iso = T0.toISOString();
const claimed: JsonObject = {
  type: 'Submitted',
  message: 'claimed',
  context: { stack: STACK, claim: 'c-1', key: '1', until: at('-13m').toISOString() },
  state: { type: 'Scheduled', start_time: iso },
};

const aRowOfRun: JsonObject = {
  id: aRunId(1),
  name: 'quiet-otter',
  version: 2,
  state: 'Submitted',
  serialized_state: claimed,
  labels: ['gpu'],
  scheduled_start_time: iso,
  heartbeat: iso,
  times_resurrected: 0,
  run_config: { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' },
  flow: { id: aRunId(2), name: 'etl', core_version: '1.4.1', storage: { type: 'S3' }, flow_group: { settings: {} } },
  task_runs: [{ state_start_time: iso }],
  states: [
    { id: 's-1', version: 1, state: 'Scheduled', created: iso, message: null, serialized_state: { type: 'Scheduled' } },
    { id: 's-2', version: 2, state: 'Submitted', created: iso, message: 'claimed', serialized_state: claimed },
  ],
  logs: [{ info: { event: 'e-1' } }],
};

/** What was read is either a run whose parts are what they are called, or reported; and the plan can work with it. */
function holdsForRows(rows: readonly Json[]): void {
  const { runs, unreadable } = parseRuns(rows, T0);
  assert.equal(runs.length + unreadable.length, rows.length);
  for (const run of runs) {
    assert.match(run.id, /^[\da-fA-F-]{36}$/u);
    for (const instant of [run.scheduledStartTime, run.heartbeat])
      assert.ok(instant === null || !isNaN(Number(instant)));
    for (const row of run.history) {
      assert.ok(Number.isInteger(row.createdMicros));
      claimTokenOf(row.serializedState);
      JSON.stringify(restoredState(row, STACK));
    }
    effectiveState(run.history, STACK);
  }
  const byId = new Map(runs.map((run) => [run.id, run]));
  const world = {
    isComplete: true,
    gone: new Set<never>(),
    jobs: [],
    pods: [],
    events: [],
    policy: aReconcilePolicy(),
    now: T0,
  };
  for (const action of planReconcile({ ...world, runs: byId })) assert.ok(action.rule.length > 0);
}

/** A client whose server sends this and nothing else. */
function clientOf(status: number, body: string) {
  return connectPrefect({
    url: 'http://prefect.test/graphql',
    backend: 'server',
    token: constant(null),
    tenantId: aRunId(9),
    memory: { tenantId: aRunId(9), agentId: aRunId(8) },
    agentName: 'agent',
    labels: [],
    stackId: STACK,
    clock: aClock(),
    post: async () => ({ status, contentType: 'application/json', text: body }),
  });
}

const boundary = (error: unknown): null => {
  assert.ok(error instanceof BoundaryError, String(error));
  return null;
};

async function holdsForAnswer({ status, body }: { status: number; body: string }): Promise<void> {
  const client = clientOf(status, body);
  const instants = { dueBefore: T0, retryBefore: T0, quietBefore: T0, lateBefore: T0 };
  const query = { ...instants, withoutLabels: ['gpu'], signal: patient() };
  await client.listDueRuns(query).catch(boundary);
  await client.readRuns([aRunId(1)], patient()).catch(boundary);
  await client.listUnfinishedRuns(patient()).catch(boundary);
  const state = { runId: aRunId(1), version: 1, state: claimed };
  const { states } = await client.write({ states: [state], logs: [], heartbeats: [aRunId(1)], signal: patient() });
  assert.equal(states.length, 1);
  for (const answer of states) if (answer.kind !== 'applied') assert.equal(typeof answer.message, 'string');
}

const operation = fc.oneof(
  twisted({ data: { flow_run: [aRowOfRun] } }),
  twisted({ data: { set_flow_run_states: { states: [{ id: aRunId(1), status: 'SUCCESS', message: null }] } } }),
  twisted({ data: null, errors: [{ message: 'no', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] }),
);
const answers = fc.oneof(
  fc.array(operation, { minLength: 1, maxLength: 4 }).map(textOfJson),
  hostileJson.map(textOfJson),
  hostileText,
);
const statuses = fc.constantFrom(200, 200, 200, 201, 204, 301, 304, 400, 401, 403, 413, 422, 429, 500, 503);

const log = fc.record({ message: hostileText, name: hostileText });

/** A body that Postgres and the gateway take: no NUL, no half a pair, within its size. */
function holdsForLogs(logs: readonly { readonly message: string; readonly name: string }[]): void {
  const lines = logs.map(({ message, name }) => ({ runId: aRunId(1), level: 'INFO' as const, name, message }));
  const requests = writeRequests({ states: [], logs: lines, heartbeats: [], signal: patient() });
  for (const { variables } of requests.flat()) {
    const { logs: entries } = variables['input'] as { readonly logs: readonly { readonly message: string }[] };
    for (const { message } of entries) assert.ok(!message.includes('\0') && message.isWellFormed());
  }
}

const timestamps = fc.oneof(
  hostileText,
  fc.stringMatching(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d(?::?\d\d)?)?$/u),
);

/** Where runs, states and answers of the Prefect API are read, and where what goes back is written. */
export const prefectEdges: readonly Edge[] = [
  edge(
    { name: 'rows of flow_run', share: 12, files: ['functions/prefect/parse.ts'] },
    fc.array(fc.oneof(twisted(aRowOfRun), hostileJson), { maxLength: 3 }),
    holdsForRows,
  ),
  edge({ name: 'timestamps of Postgres', share: 15, files: ['functions/prefect/timestamp.ts'] }, timestamps, (text) => {
    const value = microsOf(text);
    assert.ok(Number.isNaN(value) || Number.isInteger(value));
  }),
  laterEdge(
    {
      name: 'answers of GraphQL',
      share: 6,
      files: ['functions/prefect/batch-answer.ts', 'functions/prefect/failures.ts'],
    },
    fc.record({ status: statuses, body: answers }),
    holdsForAnswer,
  ),
  edge(
    { name: 'texts on their way into a run log', share: 3, files: ['functions/prefect/writes.ts'] },
    fc.array(log, { maxLength: 3 }),
    holdsForLogs,
  ),
];
