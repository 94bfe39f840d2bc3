import assert from 'node:assert/strict';

import type { Clock } from '../../functions/clock.ts';
import type { ApiAnswer, ApiSession } from '../../functions/kubernetes/session.ts';
import { connectHttp } from '../../functions/prefect/http.ts';
import { readFlowRun, type FlowRunView } from '../../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun, seedTenant, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import { startPrefectApi } from '../../infra/local/prefect-api/server.ts';
import { createPrefectState } from '../../infra/local/prefect-api/state.ts';
import { itemsOf, jobsPath, textAt, type ContractCluster } from '../contract/kubernetes.cluster.ts';
import type { EksLogin, RealCluster } from './real-cluster.ts';
import { realFunctions, ShiftedClock, type RealFunctions } from './real-world.ts';

const minute = 60_000;

export interface Stage extends AsyncDisposable {
  readonly at: ContractCluster;
  readonly clock: ShiftedClock;
  readonly functions: RealFunctions;
  /** Due runs. */
  readonly runs: readonly string[];
  run(id: string | undefined): FlowRunView;
  /** Names of the run's states, oldest first. */
  history(id: string | undefined): readonly string[];
  set(id: string, state: string): void;
}

export interface StageWish {
  /** How many runs are due; default: one. */
  readonly runs?: number;
  /** Settings of the functions. */
  readonly env?: Readonly<Record<string, string>>;
  /** Stands between the functions and their connection to the API server. */
  readonly around?: (session: ApiSession) => ApiSession;
  /** Dates the logins; default: the machine's. */
  readonly loginClock?: Clock;
}

interface StageOptions extends StageWish {
  readonly cluster: RealCluster;
  readonly eks: EksLogin;
  /** The namespace, with our Role in force. */
  readonly at: ContractCluster;
}

/** A Prefect API with due runs, a namespace of a real control plane, and both functions between them. */
export async function setStage({ at, runs = 1, ...options }: StageOptions): Promise<Stage> {
  const clock = new ShiftedClock();
  const state = createPrefectState({ seed: at.namespace });
  const due = new Date(clock.now().getTime() - minute);
  seedTenant(state, {}, due);
  const flowId = seedFlow(state, { name: 'etl' }, due);
  const ids = Array.from({ length: runs }, () => seedFlowRun(state, { flowId, startTime: due }, due));
  const api = await startPrefectApi({ state, now: () => clock.now() });
  const functions = realFunctions({
    ...options,
    namespace: at.namespace,
    clock,
    prefectUrl: api.url,
    openHttp: (ca) => connectHttp({ ca }),
  });
  const run = (id = ''): FlowRunView => readFlowRun(state, id) ?? assert.fail(`there is no run ${id}`);
  return {
    at,
    clock,
    functions,
    runs: ids,
    run,
    history: (id) => run(id).states.map((each) => each.state),
    set: (id, type) => setFlowRunState(state, { runId: id, state: { type } }, clock.now()),
    [Symbol.asyncDispose]: async () => {
      await api.close();
      await at.call(`DELETE /api/v1/namespaces/${at.namespace}`);
    },
  };
}

/** Names of the run's Jobs. */
export async function jobsOf({ at }: Stage, runId: string | undefined): Promise<readonly string[]> {
  const selector = encodeURIComponent(`prefect.io/flow_run_id=${runId}`);
  const jobs = itemsOf(await at.call(`GET ${jobsPath(at, `?labelSelector=${selector}`)}`));
  return jobs.map((job) => textAt(job, 'metadata', 'name'));
}

/** Keeps the answers that were no success. */
export function listening(refusals: ApiAnswer[]): (session: ApiSession) => ApiSession {
  return (session) => ({
    ...session,
    send: async (request) => {
      const answer = await session.send(request);
      if (answer.status >= 400) refusals.push(answer);
      return answer;
    },
  });
}
