import { composeFunctions, type LocalFunctions } from '../../infra/local/functions.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import type { Exchange } from '../../infra/local/serve.ts';
import { startWorld, type World } from '../../infra/local/world.ts';
import type { GoalGroup, Measurement } from './goal.ts';
import { listGoals, settlingGoals } from './reconcile-counters.ts';

/** Due runs: none, one claim batch, several, and more than one read of due runs holds. */
const sizes = [0, 20, 200, 2_000];

/** Runs in one read of due runs, runs in the smallest claim batch of a quick server, changes in one write. */
const perRead = 500;
const perClaimBatch = 25;
const perWrite = 100;

/** What one tick cost at the local servers. */
interface Cost {
  readonly requests: number;
  readonly claimBatches: number;
  readonly connections: number;
  readonly cluster: readonly Exchange[];
  /** Jobs created, or waited for. */
  readonly runs: number;
}

const isClaimBatch = ({ request }: Exchange): boolean => request.body.includes('set_flow_run_states');

async function costOf(world: World, tick: () => Promise<number>): Promise<Cost> {
  const { prefect, kubernetes } = world;
  const exchangesBefore = prefect.exchanges.length;
  const connectionsBefore = kubernetes.connections();
  const clusterBefore = kubernetes.exchanges.length;
  const runs = await tick();
  const exchanges = prefect.exchanges.slice(exchangesBefore);
  return {
    requests: exchanges.length,
    claimBatches: exchanges.filter(isClaimBatch).length,
    connections: kubernetes.connections() - connectionsBefore,
    cluster: kubernetes.exchanges.slice(clusterBefore),
    runs,
  };
}

function seedDueRuns({ prefect, clock }: World, count: number): void {
  const now = clock.now();
  const runConfig = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' };
  const flowId = seedFlow(prefect.state, { name: 'bench', runConfig }, now);
  for (let run = 0; run < count; run += 1) seedFlowRun(prefect.state, { flowId, runConfig }, now);
}

const dispatched = async (functions: LocalFunctions): Promise<number> => (await functions.dispatch()).counts.created;
const awaited = async (functions: LocalFunctions): Promise<number> => (await functions.reconcile()).counts.waiting;

/** A tick that did not do its work costs little: then its figures mean nothing. */
function assertWorked(due: number, { runs }: Cost): void {
  const least = Math.min(due, perRead);
  if (runs < least) throw new Error(`A tick over ${due} due runs dealt with ${runs} of them: ${least} were expected.`);
}

function dispatchGoals(due: number, cost: Cost): readonly Measurement[] {
  const reads = Math.max(1, Math.ceil(cost.runs / perRead));
  const logs = Math.min(1, cost.claimBatches);
  return [
    {
      goal: `GraphQL requests, dispatch of ${due} due runs`,
      figure: cost.requests,
      unit: 'requests',
      limit: reads + 2 * cost.claimBatches + logs,
      // A read older than 2 s would be one more; the time of this world stands still.
      because: `${reads} for due runs + 2 × ${cost.claimBatches} claim batches + ${logs} for run logs; ${cost.runs} Jobs made`,
    },
    {
      goal: `claim batches, dispatch of ${due} due runs`,
      figure: cost.claimBatches,
      unit: 'batches',
      limit: Math.ceil(cost.runs / perClaimBatch),
      because: `${perClaimBatch} runs or more in each`,
    },
    {
      goal: `API-server connections, dispatch of ${due} due runs`,
      figure: cost.connections,
      unit: 'connections',
      limit: Math.min(1, due),
      because: due === 0 ? 'an idle tick leaves the cluster alone' : 'one per invocation',
    },
  ];
}

function reconcileGoals(cost: Cost): readonly Measurement[] {
  const reads = 1 + Math.ceil(cost.runs / perRead);
  const writes = Math.ceil(cost.runs / perWrite);
  return [
    {
      goal: `GraphQL requests, reconcile of ${cost.runs} waiting Jobs`,
      figure: cost.requests,
      unit: 'requests',
      limit: reads + writes,
      because: `at most ${reads} to read + ${writes} for heartbeats`,
    },
    {
      goal: `API-server connections, reconcile of ${cost.runs} waiting Jobs`,
      figure: cost.connections,
      unit: 'connections',
      limit: 1,
      because: 'one per invocation',
    },
    ...listGoals(cost.cluster, `reconcile of ${cost.runs} waiting Jobs`, { jobs: cost.runs }),
  ];
}

/** A warm tick of each function over that many due runs, and what the cold one before cost. */
async function measureSize(due: number): Promise<readonly Measurement[]> {
  await using world = await startWorld({ env: { MAX_IN_FLIGHT: '100000', MAX_PER_TICK: '100000' } });
  const functions = composeFunctions(world);
  const cold = await costOf(world, () => dispatched(functions));
  await awaited(functions);
  seedDueRuns(world, due);
  const dispatch = await costOf(world, () => dispatched(functions));
  const reconcile = await costOf(world, () => awaited(functions));
  assertWorked(due, dispatch);
  assertWorked(due, reconcile);
  const coldGoal: Measurement = {
    goal: 'GraphQL requests, cold idle tick of dispatch',
    figure: cold.requests,
    unit: 'requests',
    limit: 3,
    because: 'tenant, registration, due runs',
  };
  return [...(due === 0 ? [coldGoal] : []), ...dispatchGoals(due, dispatch), ...reconcileGoals(reconcile)];
}

export const counters: GoalGroup = {
  name: 'counters',
  about: 'round trips and connections of one tick, counted at the local servers',
  kind: 'count',
  measure: async () => {
    const measurements: Measurement[] = [];
    // One world at a time: the AWS settings of a world are those of the process.
    for (const size of sizes) measurements.push(...(await measureSize(size)));
    measurements.push(...(await settlingGoals()));
    return measurements;
  },
};
