import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { bundleFunctions } from '../../../infra/bundle.cjs';
import { JobWatch } from '../../../infra/local/job-watch.ts';
import { applyManifests } from '../../../infra/local/kubernetes-api/cluster.ts';
import { listJobs } from '../../../infra/local/kubernetes-api/state.ts';
import { Player } from '../../../infra/local/player.ts';
import { readFlowRun, type FlowRunView, type StateView } from '../../../infra/local/prefect-api/inspect.ts';
import type { ScenarioRun } from '../../../infra/local/scenario.ts';
import { seedScenario } from '../../../infra/local/seed-scenario.ts';
import { WorldClock } from '../../../infra/local/world-clock.ts';
import { startWorld, type World } from '../../../infra/local/world.ts';
import { rbacOf } from '../../../infra/rbac.ts';
import { ExecutionEnvironment, type LambdaService } from '../../lambda/execution-environment.ts';
import { ensureRuntimeClient } from '../../lambda/runtime-client.ts';

export type FunctionName = 'dispatch' | 'reconcile';

/** Both functions as they lie in /var/task after Lambda has unpacked their packages. */
export async function unpackedFunctions(): Promise<AsyncDisposable & { readonly taskRoot: string }> {
  const taskRoot = await mkdtemp(path.join(tmpdir(), 'task-root-'));
  await bundleFunctions(['dispatch', 'reconcile'], path.join(taskRoot, 'dist'));
  // Not in the packages: whatever says CommonJS or ESM there must be Node's own rule.
  await rm(path.join(taskRoot, 'dist/package.json'));
  return { taskRoot, [Symbol.asyncDispose]: async () => rm(taskRoot, { recursive: true }) };
}

const second = 1_000;

const aRun = (dueAtMs: number, index: number): ScenarioRun => ({
  name: `run-${index + 1}`,
  flow: 'nightly',
  labels: [],
  runConfig: { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' },
  dueAtMs,
  isRetry: false,
  cancelAtMs: null,
  pod: { kind: 'runs', ends: 'success', workMs: 20 * second },
  expect: { state: 'Success', job: 'complete', afterTicks: 10 },
});

/** Start times of that many runs that are due. */
export const dueRuns = (count: number): readonly number[] => Array.from({ length: count }, () => -30 * second);

/** A Running of a flow process that begins; one that we had covered and wrote back carries our mark. */
const isStart = ({ state, serializedState: { context } }: StateView): boolean =>
  state === 'Running' && !(typeof context === 'object' && context !== null && 'stack' in context);

/** A local world that starts at the machine's present, with due runs in it, and execution environments to work on it. */
export class LambdaWorld implements AsyncDisposable {
  readonly world: World;
  readonly #taskRoot: string;
  readonly #runIds: readonly string[];
  readonly #player: Player;
  readonly #jobs: JobWatch;
  readonly #environments = new AsyncDisposableStack();

  private constructor(world: World, taskRoot: string, dueAtMs: readonly number[]) {
    this.world = world;
    this.#taskRoot = taskRoot;
    const seeded = seedScenario(world, dueAtMs.map(aRun));
    this.#runIds = seeded.map(({ id }) => id);
    this.#player = new Player(world, seeded);
    this.#jobs = new JobWatch(world.kubernetes.state);
  }

  /** A run for each start time, in milliseconds from the beginning of the world. */
  static async start(taskRoot: string, dueAtMs: readonly number[]): Promise<LambdaWorld> {
    const world = await startWorld({ clock: new WorldClock(new Date(), { flows: true }) });
    return new LambdaWorld(world, taskRoot, dueAtMs);
  }

  /** A cold execution environment of a function; `env` comes on top of the world's. */
  async start(
    name: FunctionName,
    env: Readonly<Record<string, string>> = {},
    service: Partial<LambdaService> = {},
  ): Promise<ExecutionEnvironment> {
    const settings = {
      name,
      handler: `dist/${name}/index.handler`,
      taskRoot: this.#taskRoot,
      runtimeClient: await ensureRuntimeClient(),
      env: { ...this.world.env, ...env },
    };
    const environment = await ExecutionEnvironment.start(settings, { now: () => this.world.clock.now(), ...service });
    return this.#environments.use(environment);
  }

  /** A namespace beside the world's own, with the RBAC that we print. */
  addNamespace(name: string): void {
    const now = this.world.clock.now();
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    const manifests = rbacOf(name).map((manifest) => ({ ...manifest }));
    applyManifests(this.world.kubernetes.state, [namespace, ...manifests], now);
  }

  /** Lets the world go on: controllers, pods, flow processes and the server's services do what they do. */
  pass(ms: number): void {
    const { clock } = this.world;
    // In steps that no Job's life fits into.
    for (const end = clock.now().getTime() + ms; clock.now().getTime() < end;) {
      this.#player.playUntil(new Date(Math.min(end, clock.now().getTime() + 30 * second)));
      this.#jobs.look();
    }
  }

  /** Waits for what the servers are about to do by themselves. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await nextTurn();
  }

  /** Of each run its state, and how often a flow process has begun it. */
  get fates(): readonly (readonly [state: string, executions: number])[] {
    return this.#runs.map(({ state, states }) => [state, states.filter(isStart).length]);
  }

  get #runs(): readonly FlowRunView[] {
    return this.#runIds.map((id) => {
      const run = readFlowRun(this.world.prefect.state, id);
      if (run === null) throw new Error(`the flow run ${id} is gone`);
      return run;
    });
  }

  /** Jobs that are there now, in any namespace. */
  get jobs() {
    return listJobs(this.world.kubernetes.state);
  }

  /** Jobs that ever were, in any namespace. */
  get everyJob(): { readonly created: number; readonly duplicates: number } {
    this.#jobs.look();
    const { created, duplicates } = this.#jobs;
    return { created, duplicates };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#environments.disposeAsync();
    await this.world[Symbol.asyncDispose]();
  }
}
