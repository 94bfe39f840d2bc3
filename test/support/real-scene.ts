import assert from 'node:assert/strict';

import { isJsonObject, type JsonObject } from '../../functions/core/json.ts';
import { deleteFlowRun } from '../../infra/local/prefect-api/flow-runs.ts';
import { prefectHandle } from '../../infra/local/prefect-api/edge.ts';
import {
  cancelFlowRun,
  seedFlow,
  seedFlowRun,
  seedTenant,
  setFlowRunState,
  setTaskRunState,
} from '../../infra/local/prefect-api/seed.ts';
import type { JsonRecord } from '../../infra/local/prefect-api/jsonb.ts';
import { createPrefectState } from '../../infra/local/prefect-api/state.ts';
import {
  itemsOf,
  jobsPath,
  podOf,
  textAt,
  writePodStatus,
  type ContractCluster,
} from '../contract/kubernetes.cluster.ts';
import { postTo } from './local-post.ts';
import type { EksLogin, RealCluster } from './real-cluster.ts';
import { openAgentNamespace } from './real-namespace.ts';
import { realFunctions, ShiftedClock, type RealFunctions } from './real-world.ts';
import type { Interceptor } from './simulated-world.ts';

const minute = 60_000;

/** What surrounds the flow run of a scenario. */
export interface Setting {
  /** Labels of the namespace. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Settings of the functions. */
  readonly env?: Readonly<Record<string, string>>;
  /** The operator's Job template: spec of the Job, spec of the pod. */
  readonly spec?: object;
  readonly pod?: object;
  readonly runConfig?: JsonRecord;
  /** Settings of the flow group. */
  readonly settings?: JsonRecord;
  /** What is in the namespace before the Job comes. */
  readonly before?: (at: ContractCluster) => Promise<void>;
}

/** One flow run that dispatch has made a Job for: both functions, the cluster, and the hands that play the rest. */
export interface Scene {
  readonly at: ContractCluster;
  readonly functions: RealFunctions;
  readonly runId: string;
  /** Name of the run's Job. */
  readonly job: string;
  state(): string;
  /** Name of the Job's newest pod, once there are that many. */
  pod(count?: number): Promise<string>;
  /** What a kubelet writes about the first pod. */
  write(status: object): Promise<void>;
  /** Changes a Job as an administrator may. */
  patchJob(patch: object): Promise<void>;
  /** Sets the state of the flow run as anybody could. */
  set(state: string): void;
  /** The claim of dispatch lands once more, a minute later: the server does not look at what is there. */
  claimAgain(): void;
  /** Another stack claims the run, a minute later. */
  claimElsewhere(): void;
  cancel(): void;
  deleteRun(): void;
  /** The first task of the flow waits for another try, in that many minutes. */
  retryTask(minutes: number): void;
  /** Lets that many minutes pass for the functions. */
  pass(minutes: number): void;
  /** From now on stands between the functions and the Prefect API. */
  onPrefect(interceptor: Interceptor): void;
}

function templateOf({ spec, pod }: Setting): Record<string, string> {
  if (spec === undefined && pod === undefined) return {};
  const template = { spec: { containers: [{ name: 'flow' }], ...pod } };
  return { JOB_TEMPLATE: JSON.stringify({ apiVersion: 'batch/v1', kind: 'Job', spec: { ...spec, template } }) };
}

/** The Prefect API of a scene, in this process. */
function playPrefect(clock: ShiftedClock, seed: string) {
  const prefect = createPrefectState({ seed });
  const answer = prefectHandle(prefect);
  let intercept: Interceptor = (_request, forward) => forward();
  return {
    prefect,
    post: postTo(async (request) => intercept(request, () => answer(request, clock.now()))),
    onPrefect: (interceptor: Interceptor): void => {
      intercept = interceptor;
    },
  };
}

/** A namespace of its own with our Role, as the setting wants it. */
async function openStage(cluster: RealCluster, setting: Setting): Promise<ContractCluster> {
  const at = await openAgentNamespace(cluster, 'rules', setting.labels);
  await setting.before?.(at);
  return at;
}

/** Dispatch makes a Job for one due run on the real control plane. */
export async function openScene(cluster: RealCluster, eks: EksLogin, setting: Setting): Promise<Scene> {
  const at = await openStage(cluster, setting);
  const { namespace } = at;
  const clock = new ShiftedClock();
  const { prefect, post, onPrefect } = playPrefect(clock, namespace);
  const due = new Date(clock.now().getTime() - minute);
  seedTenant(prefect, {}, due);
  const { settings = {}, runConfig = null } = setting;
  const flowId = seedFlow(prefect, { name: 'etl', tasks: [{ slug: 'load-1', maxRetries: 3 }], settings }, due);
  const runId = seedFlowRun(prefect, { flowId, startTime: due, runConfig }, due);
  const functions = realFunctions({
    cluster,
    eks,
    namespace,
    clock,
    prefectUrl: 'http://prefect.test/graphql',
    openHttp: () => ({ post, close: () => undefined }),
    env: { ...templateOf(setting), ...setting.env },
  });
  const report = await functions.dispatch();
  assert.deepEqual([report.problem, report.counts.created], [null, 1], JSON.stringify(report.outcomes));
  const [made] = itemsOf(await at.call(`GET ${jobsPath(at)}`));
  const job = textAt(made, 'metadata', 'name');
  const pod = async (count = 1): Promise<string> => podOf(at, job, count);
  const claim = (made: (state: JsonObject) => JsonObject): void => {
    const rows = prefect.tables.flow_run_state.by('flow_run_id', runId);
    const last = rows.findLast((row) => row.state === 'Submitted')?.serialized_state;
    assert.ok(isJsonObject(last));
    clock.advance(minute);
    setFlowRunState(prefect, { runId, state: made(last) }, clock.now());
  };
  return {
    at,
    functions,
    runId,
    job,
    pod,
    onPrefect,
    state: () => prefect.tables.flow_run.get(runId)?.state ?? 'gone',
    write: async (status) => writePodStatus(at, await pod(), status),
    patchJob: async (body) => {
      const contentType = 'application/merge-patch+json';
      const answer = await at.call(`PATCH ${jobsPath(at, `/${job}`)}`, { body, contentType });
      assert.equal(answer.status, 200, answer.text);
    },
    set: (type) => setFlowRunState(prefect, { runId, state: { type } }, clock.now()),
    claimAgain: () => claim((state) => state),
    claimElsewhere: () => claim((state) => ({ ...state, context: { stack: 'flows-elsewhere' } })),
    cancel: () => void cancelFlowRun(prefect, runId, clock.now()),
    deleteRun: () => void deleteFlowRun({ state: prefect, now: clock.now() }, runId),
    retryTask: (minutes) => {
      const [task] = prefect.tables.task_run.by('flow_run_id', runId);
      const startTime = new Date(clock.now().getTime() + minutes * minute).toISOString();
      const state = { type: 'Retrying', run_count: 1, start_time: startTime };
      setTaskRunState(prefect, { taskRunId: task?.id ?? '', state }, clock.now());
    },
    pass: (minutes) => clock.advance(minutes * minute),
  };
}
