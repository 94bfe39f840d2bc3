import type { FlowRunId } from '../../functions/core/flow-run.ts';
import { BoundaryError } from '../../functions/errors.ts';
import type { Refusal } from '../../functions/kubernetes/contract.ts';
import type { DueRuns, RunsRead, WriteAnswers } from '../../functions/prefect/contract.ts';
import type { runDispatchTick } from '../../functions/ticks/dispatch-tick.ts';
import type { ReconcileCluster, ReconcileDeps } from '../../functions/ticks/ports.ts';
import { keyAnnotation, claimAnnotation } from '../../functions/core/job-identity.ts';
import type { Found, Reply, Request } from './requests.ts';
import type { NewJob } from './world.ts';

type DispatchDeps = Parameters<typeof runDispatchTick>[0];

/** Both clients by their contracts, as the two ticks take them. */
export interface Clients {
  readonly prefect: DispatchDeps['prefect'] & ReconcileDeps['prefect'];
  readonly cluster: ReconcileCluster & Awaited<ReturnType<DispatchDeps['cluster']>>;
}

/** Sends a request of an invocation into the model, and comes back with the reply. */
export type Ask = (request: Request) => Promise<Reply>;

const noAnswer = 'there was no answer';
const refusal: Refusal = { kind: 'refused', class: 'unknown', status: 0, message: noAnswer, retryAfterSeconds: null };

/** A reply of the kind that was asked for; null: it was lost. */
async function askFor<K extends Reply['kind']>(
  ask: Ask,
  request: Request,
  kind: K,
): Promise<Extract<Reply, { kind: K }> | null> {
  const reply = await ask(request);
  if (reply.kind === 'lost') return null;
  if (reply.kind !== kind) throw new Error(`${request.kind} was answered with ${reply.kind}`);
  return reply as Extract<Reply, { kind: K }>;
}

function need<T>(reply: T | null, code: 'PREFECT_UNREACHABLE' | 'CLUSTER_UNREACHABLE'): T {
  if (reply === null) throw new BoundaryError(code, noAnswer);
  return reply;
}

const noRuns: RunsRead = { runs: [], unreadable: [] };

async function readRun(ask: Ask, request: Request): Promise<{ readonly read: RunsRead; readonly found: Found }> {
  const { run, found } = need(await askFor(ask, request, 'run'), 'PREFECT_UNREACHABLE');
  return { read: found === 'nothing' ? noRuns : { runs: [run], unreadable: [] }, found };
}

function dueRuns({ read, found }: Awaited<ReturnType<typeof readRun>>): DueRuns {
  const asked = (kind: Found): RunsRead => (found === kind ? read : noRuns);
  const kinds = { scheduled: asked('scheduled'), retries: asked('retry'), claims: asked('claim') };
  return { ...kinds, more: false, source: 'filter', inFront: [] };
}

type Batch = Parameters<Clients['prefect']['write']>[0];

/** Lines of the run log change nothing that anybody decides by: they take no step. */
async function write(ask: Ask, { states, heartbeats }: Batch): Promise<WriteAnswers> {
  const none = { states: [], lostLogs: 0, lostHeartbeats: 0, unlogged: new Set<FlowRunId>() };
  if (states.length + heartbeats.length === 0) return none;
  const request = { kind: 'write', states: states.map(({ state }) => state), beats: heartbeats.length > 0 } as const;
  const written = await askFor(ask, request, 'written');
  if (written !== null) return { ...none, states: written.states };
  return { ...none, states: states.map(() => ({ kind: 'unknown', message: noAnswer })) };
}

type Created = Parameters<Clients['cluster']['createJob']>[0];

export function newJobOf({ metadata }: Created): NewJob {
  const { name = '', annotations = {} } = metadata ?? {};
  return { name, key: annotations[keyAnnotation] ?? '', claimId: annotations[claimAnnotation] ?? '' };
}

/** The clients of one invocation. Requests past their limit are lost before they are sent, as Budget demands. */
export function clientsOf(ask: Ask): Clients {
  const send: (signal: AbortSignal) => Ask = (signal) => async (request) =>
    signal.aborted ? { kind: 'lost' } : ask(request);
  return {
    prefect: {
      listDueRuns: async ({ dueBefore, quietBefore, signal }) =>
        dueRuns(await readRun(send(signal), { kind: 'poll', dueBefore, quietBefore })),
      readRuns: async (ids: readonly FlowRunId[], signal) =>
        ids.length === 0 ? noRuns : (await readRun(send(signal), { kind: 'read' })).read,
      listUnfinishedRuns: async (signal) => {
        const { read } = await readRun(send(signal), { kind: 'unfinished' });
        return { ...read, agents: [], late: [], lateOfOurs: [] };
      },
      write: async (batch) => write(send(batch.signal), batch),
      traffic: () => ({ requests: 0, milliseconds: 0, throttled: 0 }),
    },
    cluster: clusterOf(send),
  };
}

const clusterOf = (send: (signal: AbortSignal) => Ask): Clients['cluster'] => ({
  listJobs: async (_selector, signal) =>
    need(await askFor(send(signal), { kind: 'jobs' }, 'jobs'), 'CLUSTER_UNREACHABLE').jobs,
  listPods: async (_selector, signal) =>
    need(await askFor(send(signal), { kind: 'pods' }, 'pods'), 'CLUSTER_UNREACHABLE').pods,
  // Words for people: nothing is decided by them.
  listEvents: async () => ({ events: [], isWhole: true }),
  readLogTail: async () => null,
  createJob: async (job, signal) =>
    (await askFor(send(signal), { kind: 'create', job: newJobOf(job) }, 'created'))?.answer ?? refusal,
  deleteJob: async ({ uid }, _propagation, signal) =>
    (await askFor(send(signal), { kind: 'delete', uid }, 'deleted'))?.answer ?? refusal,
  traffic: () => ({ requests: 0, connections: 0, milliseconds: 0, throttled: 0 }),
  unreadable: () => 0,
  close: () => undefined,
});
