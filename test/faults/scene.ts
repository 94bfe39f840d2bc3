import assert from 'node:assert/strict';

import { functionLimitMs } from '../../functions/limits.ts';
import type { TickReport } from '../../functions/core/tick-report.ts';
import type { TickEvents } from '../../functions/ticks/ports.ts';
import { runIdLabel } from '../../infra/local/job-watch.ts';
import { deleteStored } from '../../infra/local/kubernetes-api/deletion.ts';
import type { Job } from '../../infra/local/kubernetes-api/objects.ts';
import { jobs as jobsResource } from '../../infra/local/kubernetes-api/resources.ts';
import { listJobs } from '../../infra/local/kubernetes-api/state.ts';
import { deleteFlowRun } from '../../infra/local/prefect-api/flow-runs.ts';
import { readFlowRun, type FlowRunView } from '../../infra/local/prefect-api/inspect.ts';
import {
  cancelFlowRun,
  seedFlow,
  seedFlowRun,
  setFlowRunState,
  type SeedFlow,
  type SeedFlowRun,
} from '../../infra/local/prefect-api/seed.ts';
import { Cast, type Part } from './cast.ts';
import { check } from './checker.ts';
import type { FunctionName, Functions, Grounds } from './grounds.ts';
import { keepErrors, keptErrors } from './made-errors.ts';
import { Onlooker } from './onlooker.ts';
import type { Match } from './wire-faults.ts';
import { defaultLimits, type Limits, type Witnessed, type WitnessedInvocation } from './witness.ts';

type Invocation = { -readonly [K in keyof WitnessedInvocation]: WitnessedInvocation[K] };

const minuteMs = 60_000;

interface RunWish extends SeedFlowRun {
  readonly part?: Part;
  /** Default: true. */
  readonly ours?: boolean;
}

interface TickWish {
  readonly by?: Functions;
  /** The invocation dies before, or right after the effect of, the n-th request that matches. */
  readonly dies?: { readonly match: Match; readonly nth?: number; readonly when: 'before' | 'after' };
}

const image = 'registry.example.com/flows:1.0';

/** A play of the two functions against everybody else, watched from outside; it ends before the checker. */
export class Scene {
  readonly grounds: Grounds;
  readonly cast: Cast;
  readonly outputs: string[] = [];
  readonly invocations: Invocation[] = [];
  readonly #onlooker: Onlooker;
  readonly #functions: Functions;
  readonly #flowId: string;
  #lastFaultAt: Date | null = null;

  private constructor(grounds: Grounds, functions: Functions, flow: SeedFlow) {
    this.grounds = grounds;
    this.#functions = functions;
    this.#onlooker = new Onlooker(grounds);
    this.cast = new Cast(grounds, () => this.#onlooker.look());
    this.#flowId = seedFlow(
      grounds.prefect,
      { name: 'etl', runConfig: { type: 'KubernetesRun', image }, ...flow },
      grounds.clock.now(),
    );
  }

  /** Opens a scene; `env` are variables of the functions. */
  static async open(
    grounds: Grounds,
    { env = {}, flow = {} }: { env?: Readonly<Record<string, string>>; flow?: SeedFlow } = {},
  ): Promise<Scene> {
    keepErrors();
    const scene = new Scene(grounds, await grounds.start(env), flow);
    grounds.relay.onApplied = () => scene.#onlooker.look();
    return scene;
  }

  get now(): Date {
    return this.grounds.clock.now();
  }

  get relay() {
    return this.grounds.relay;
  }

  /** Schedules a run that has been due for a minute, unless told otherwise. */
  aRun({ part = {}, ours = true, ...wish }: RunWish = {}): string {
    const { prefect } = this.grounds;
    const startTime = new Date(this.now.getTime() - minuteMs);
    const id = seedFlowRun(prefect, { flowId: this.#flowId, startTime, ...wish }, startTime);
    this.cast.direct(id, part);
    this.#onlooker.follow(id, ours);
    return id;
  }

  runs(count: number, wish: RunWish = {}): readonly string[] {
    return Array.from({ length: count }, () => this.aRun(wish));
  }

  async dispatch(wish: TickWish = {}): Promise<TickReport> {
    return this.#tick('dispatch', wish);
  }

  async reconcile(wish: TickWish = {}): Promise<TickReport> {
    return this.#tick('reconcile', wish);
  }

  /** Lets time pass for everybody but the functions. */
  play(ms: number): void {
    this.cast.play(ms);
  }

  /** Minutes with a tick of each function in each. */
  async minutes(count: number): Promise<void> {
    for (let minute = 0; minute < count; minute += 1) {
      await this.dispatch();
      this.play(minuteMs / 2);
      await this.reconcile();
      this.play(minuteMs / 2);
    }
  }

  /** A fault that no rule of the wire makes begins or ends now. */
  fault(): void {
    this.#lastFaultAt = this.now;
  }

  set(runId: string, type: string, message = ''): void {
    setFlowRunState(this.grounds.prefect, { runId, state: { type, message } }, this.now);
  }

  cancel(runId: string): void {
    cancelFlowRun(this.grounds.prefect, runId, this.now);
  }

  deleteRun(runId: string): void {
    this.#onlooker.lookAtRuns();
    deleteFlowRun({ state: this.grounds.prefect, now: this.now }, runId);
    this.#onlooker.lookAtRuns();
  }

  /** Somebody deletes the run's Jobs with kubectl. */
  deleteJobs(runId: string): void {
    const { cluster } = this.grounds;
    for (const object of this.jobsOf(runId)) {
      this.#onlooker.noteByHand(object.metadata.uid);
      deleteStored(
        cluster,
        { resource: jobsResource, object },
        { options: { dryRun: false, propagationPolicy: 'Background' }, now: this.now },
      );
    }
    this.#onlooker.look();
  }

  view(runId: string): FlowRunView {
    const view = readFlowRun(this.grounds.prefect, runId);
    assert.ok(view !== null, `no run ${runId}`);
    return view;
  }

  stateOf(runId: string): string {
    return this.view(runId).state;
  }

  history(runId: string): readonly string[] {
    return this.view(runId).states.map(({ state }) => state);
  }

  /** The Jobs that are there. */
  jobsOf(runId: string): readonly Job[] {
    return listJobs(this.grounds.cluster).filter(({ metadata }) => metadata.labels?.[runIdLabel] === runId);
  }

  /** How many Jobs the run has ever had. */
  jobsEver(runId: string): number {
    this.#onlooker.look();
    return this.#onlooker.jobs.filter((job) => job.runId === runId).length;
  }

  witnessed(): Witnessed {
    this.#onlooker.look();
    this.#onlooker.lookAtRuns();
    const { relay, stackId, canaries } = this.grounds;
    const faults = [this.#lastFaultAt, relay.lastStruckAt].filter((at) => at !== null);
    return {
      stackId,
      requests: relay.history,
      invocations: this.invocations,
      runs: this.#onlooker.runs,
      jobs: this.#onlooker.jobs,
      executions: this.cast.executions,
      lastFaultAt: faults.length === 0 ? null : new Date(Math.max(...faults.map((at) => at.getTime()))),
      endedAt: this.now,
      canaries,
      outputs: [...this.outputs, ...keptErrors()],
    };
  }

  /** The end of every scene: all faults are over, `minutes` more are played, and the checker finds nothing. */
  async end({ minutes = 7, limits = defaultLimits }: { minutes?: number; limits?: Limits } = {}): Promise<void> {
    this.relay.clear();
    await this.minutes(minutes);
    this.judge(limits);
  }

  /** What the checker says of the scene as it is now: nothing, or this throws. */
  judge(limits: Limits = defaultLimits): void {
    assert.deepEqual(check(this.witnessed(), limits), []);
  }

  /** Requests of the latest invocation. */
  requestsOfTheLast(): number {
    const actor = this.invocations.at(-1)?.actor;
    return this.relay.history.filter((request) => request.actor === actor).length;
  }

  async #tick(name: FunctionName, { by = this.#functions, dies }: TickWish): Promise<TickReport> {
    const actor = `${name}#${this.invocations.length + 1}`;
    const startedAt = this.now;
    const deadline = new Date(startedAt.getTime() + functionLimitMs);
    const invocation: Invocation = { actor, function: name, startedAt, endedAt: null, deadline, killed: false };
    this.invocations.push(invocation);
    Object.assign(by.actors, { [name]: actor, latest: actor });
    if (dies !== undefined) this.#dieAt(invocation, dies);
    const report = await by[name]({ endsAt: deadline, requestId: actor }, this.#events);
    this.outputs.push(JSON.stringify(report));
    if (!invocation.killed) invocation.endedAt = this.now;
    return report;
  }

  #dieAt(invocation: Invocation, { match, nth = 1, when }: NonNullable<TickWish['dies']>): void {
    const act = (): void => {
      invocation.killed = true;
      this.relay.silence(invocation.actor);
    };
    const kind = when === 'before' ? 'drop-before' : 'drop-answer';
    this.relay.rule({ actor: invocation.actor, ...match }, { kind, act }, { nth });
  }

  readonly #events: TickEvents = {
    tickStarted: () => undefined,
    decided: (decision) => this.outputs.push(JSON.stringify(decision.rule)),
    applied: (outcome) => this.outputs.push(JSON.stringify(outcome)),
    failed: (outcome) => this.outputs.push(JSON.stringify(outcome)),
    tickFinished: () => undefined,
  };
}
