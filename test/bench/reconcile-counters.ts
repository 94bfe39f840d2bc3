import { composeFunctions, type LocalFunctions } from '../../infra/local/functions.ts';
import type { LocalRequest } from '../../infra/local/http.ts';
import { listJobs, writeJob } from '../../infra/local/kubernetes-api/state.ts';
import { seedFlow, seedFlowRun, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import type { Exchange } from '../../infra/local/serve.ts';
import { startWorld, type World } from '../../infra/local/world.ts';
import type { Measurement } from './goal.ts';

/** Objects in one page, changes of one batch. */
const perPage = 500;
const perBatch = 100;

/** Jobs that have something to be done about them: more than one page of them, and more than one batch. */
const many = 750;

const kinds = ['jobs', 'pods', 'events'] as const;

const listsOf = (exchanges: readonly Exchange[], kind: string): number =>
  exchanges.filter(({ request: { method, path } }) => method === 'GET' && path.includes(`/${kind}?`)).length;

/** Lists of each kind that a tick over so many Jobs asked for; `again` of them are the Jobs of one batch each. */
export function listGoals(exchanges: readonly Exchange[], about: string, size: { jobs: number; again?: number }) {
  const { jobs, again = 0 } = size;
  return kinds.map((kind): Measurement => {
    const more = kind === 'jobs' ? again : 0;
    const because = `${perPage} in each${more === 0 ? '' : `, and ${more} right before the batches of writes`}`;
    const limit = Math.max(1, Math.ceil(jobs / perPage)) + more;
    return { goal: `lists of ${kind}, ${about}`, figure: listsOf(exchanges, kind), unit: 'requests', limit, because };
  });
}

/** A world in which that many runs were dispatched and have come to this state; their Jobs ended so long ago. */
async function ended(world: World, functions: LocalFunctions, how: { state: string; condition: string; ago: number }) {
  const { prefect, kubernetes, clock } = world;
  const flowId = seedFlow(prefect.state, { name: 'bench' }, clock.now());
  const runs = Array.from({ length: many }, () => seedFlowRun(prefect.state, { flowId }, clock.now()));
  await functions.dispatch();
  for (const runId of runs) setFlowRunState(prefect.state, { runId, state: { type: how.state } }, clock.now());
  const lastTransitionTime = clock.now().toISOString();
  const condition = { type: how.condition, status: 'True', reason: '', message: '', lastTransitionTime };
  for (const job of listJobs(kubernetes.state, world.namespace)) {
    writeJob(kubernetes.state, { ...job, status: { conditions: [condition] } });
  }
  clock.advance(how.ago);
}

interface Settled {
  readonly applied: number;
  readonly prefect: readonly LocalRequest[];
  readonly cluster: readonly Exchange[];
}

/** What one tick of reconcile asked for in such a world. */
async function settle(how: { state: string; condition: string; ago: number }): Promise<Settled> {
  await using world = await startWorld({ env: { MAX_IN_FLIGHT: '100000', MAX_PER_TICK: '100000' } });
  const functions = composeFunctions(world);
  await functions.reconcile();
  await ended(world, functions, how);
  const [prefect, cluster] = [world.prefect.exchanges.length, world.kubernetes.exchanges.length];
  const { counts } = await functions.reconcile();
  if (counts.applied < many) throw new Error(`Reconcile settled ${counts.applied} of ${many} Jobs.`);
  return {
    applied: counts.applied,
    prefect: world.prefect.exchanges.slice(prefect).map(({ request }) => request),
    cluster: world.kubernetes.exchanges.slice(cluster),
  };
}

const isRead = ({ body }: LocalRequest): boolean => body.includes('query(');
const isStateWrite = ({ body }: LocalRequest): boolean => body.includes('set_flow_run_states');

function readGoal(about: string, figure: number, reads: { observe: number; around: number }): Measurement {
  const because = `${reads.observe} to observe + ${reads.around} around batches of ${perBatch}`;
  return { goal: `GraphQL reads, ${about}`, figure, unit: 'requests', limit: reads.observe + reads.around, because };
}

/** Runs that died while Running: each is failed with its diagnosis. */
async function failures(): Promise<readonly Measurement[]> {
  const { prefect, cluster } = await settle({ state: 'Running', condition: 'Failed', ago: 60_000 });
  const batches = Math.ceil(many / perBatch);
  const about = `reconcile of ${many} runs that died`;
  const writes = prefect.filter(isStateWrite).length;
  const reads = prefect.filter(isRead).length;
  return [
    readGoal(about, reads, { observe: 1 + Math.ceil(many / perPage), around: 2 * batches }),
    {
      goal: `writes of states, ${about}`,
      figure: writes,
      unit: 'requests',
      limit: batches,
      because: `${perBatch} in each`,
    },
    ...listGoals(cluster, about, { jobs: many, again: batches }),
  ];
}

/** Jobs whose time to stay is over. */
async function deletions(): Promise<readonly Measurement[]> {
  const { prefect, cluster } = await settle({ state: 'Success', condition: 'Complete', ago: 11 * 60_000 });
  const about = `reconcile of ${many} Jobs to delete`;
  const observe = 1 + Math.ceil(many / perPage);
  const reads = prefect.filter(isRead).length;
  const deletes = cluster.filter(({ request }) => request.method === 'DELETE').length;
  return [
    readGoal(about, reads, { observe, around: Math.ceil(many / perBatch) }),
    { goal: `deletions, ${about}`, figure: deletes, unit: 'requests', limit: many, because: 'one for each Job' },
    ...listGoals(cluster, about, { jobs: many }),
  ];
}

/** What reconcile asks for where it has to change something. */
export const settlingGoals = async (): Promise<readonly Measurement[]> => [
  ...(await failures()),
  ...(await deletions()),
];
