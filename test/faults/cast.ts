import { FlowProcess, type FlowWork, type ProcessEnd } from '../../infra/local/flow-process.ts';
import { runIdLabel } from '../../infra/local/job-watch.ts';
import { hasEnded } from '../../infra/local/kubernetes-api/job-pods.ts';
import { playMoment } from '../../infra/local/kubernetes-api/moments.ts';
import type { Pod } from '../../infra/local/kubernetes-api/objects.ts';
import { playPods } from '../../infra/local/kubernetes-api/play-pods.ts';
import type { ContainerEnd, Moment, PodScriptName } from '../../infra/local/kubernetes-api/scripts.ts';
import { listPods, type ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';
import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import { runLazarus, runZombieKiller } from '../../infra/local/prefect-api/services.ts';
import type { PrefectState } from '../../infra/local/prefect-api/state.ts';
import type { WorldClock } from '../../infra/local/world-clock.ts';
import type { ExecutionOutcome, WitnessedExecution } from './witness.ts';

/** What the pods of a run do. */
export interface Part {
  /** Default: its container starts, and the flow process ends it. */
  readonly script?: PodScriptName;
  /** Default: works for half a minute and succeeds. */
  readonly work?: FlowWork;
  /** No flow process is there to begin anything; the script ends the container. */
  readonly idle?: boolean;
}

export interface Stage {
  readonly clock: WorldClock;
  readonly prefect: PrefectState;
  readonly cluster: ClusterState;
}

type Execution = { -readonly [K in keyof WitnessedExecution]: WitnessedExecution[K] } & { readonly podUid: string };

const usualWork: FlowWork = { workMs: 30_000, ends: 'success' };
const stepMs = 1_000;
/** Rounds of the server's services (PrefectHQ/server services/towel). */
const lazarusMs = 600_000;
const zombieKillerMs = 120_000;

const containerEnd = (end: ProcessEnd): ContainerEnd =>
  end.kind === 'out-of-memory' ? { exitCode: 137, reason: 'OOMKilled' } : { exitCode: end.exitCode };

const runIdOf = ({ metadata }: Pod): string => metadata.labels?.[runIdLabel] ?? '';

/** Everybody but the functions: controllers, kubelets, flow processes, and the services of the Prefect server. */
export class Cast {
  readonly executions: Execution[] = [];
  readonly #stage: Stage;
  readonly #onStep: () => void;
  readonly #parts = new Map<string, Part>();
  readonly #processes = new Map<string, FlowProcess>();
  #servedTo: number;

  constructor(stage: Stage, onStep: () => void) {
    this.#stage = stage;
    this.#onStep = onStep;
    this.#servedTo = stage.clock.now().getTime();
  }

  direct(runId: string, part: Part): void {
    this.#parts.set(runId, part);
  }

  /** Lets so much time pass, second by second, with everything that happens in it. */
  play(ms: number): void {
    const { clock } = this.#stage;
    const end = clock.now().getTime() + ms;
    while (clock.now().getTime() < end) {
      clock.advance(Math.min(stepMs, end - clock.now().getTime()));
      this.step();
    }
  }

  /** Everybody looks at the world as it is now. */
  step(): void {
    const { clock, cluster } = this.#stage;
    const now = clock.now();
    stepControllers(cluster, now, { rounds: 1 });
    playPods(
      cluster,
      {
        scriptFor: (pod) => this.#parts.get(runIdOf(pod))?.script ?? 'flow-process',
        process: (pod, signal, at) => this.#process(pod, signal, at),
      },
      now,
    );
    this.#bury(now);
    this.#serve(now);
    this.#onStep();
  }

  /** Something happens to every pod of a run that has not ended, at once. */
  happen(runId: string, moment: Moment): void {
    const { cluster, clock } = this.#stage;
    const at = clock.now();
    const pods = listPods(cluster).filter((pod) => runIdOf(pod) === runId && !hasEnded(pod));
    for (const pod of pods) {
      playMoment({ state: cluster, pod, at }, moment);
      if (moment.kind === 'started') this.#process(pod, 'start', at);
    }
  }

  #process(pod: Pod, signal: 'start' | 'step' | 'stop', at: Date): ContainerEnd | null {
    if (signal === 'stop' || this.#parts.get(runIdOf(pod))?.idle === true) return null;
    if (signal === 'start') return this.#start(pod, at);
    const end = this.#processes.get(pod.metadata.uid)?.step(at) ?? null;
    return end === null ? null : this.#ended(pod, end, at);
  }

  #start(pod: Pod, at: Date): ContainerEnd | null {
    const runId = runIdOf(pod);
    const process = new FlowProcess({ state: this.#stage.prefect, runId, work: this.#workOf(runId) });
    const jobUid = pod.metadata.ownerReferences?.[0]?.uid ?? '';
    const podUid = pod.metadata.uid;
    this.executions.push({ runId, jobUid, podUid, startedAt: at, endedAt: null, outcome: 'working' });
    this.#processes.set(podUid, process);
    const before = this.#rowsOf(runId);
    const end = process.start(at);
    if (end === null) return null;
    this.#close(podUid, at, this.#rowsOf(runId) === before ? 'nothing-to-do' : 'failed');
    return containerEnd(end);
  }

  #ended(pod: Pod, end: ProcessEnd, at: Date): ContainerEnd {
    this.#close(pod.metadata.uid, at, this.#outcomeOf(runIdOf(pod)));
    return containerEnd(end);
  }

  #workOf(runId: string): FlowWork {
    return this.#parts.get(runId)?.work ?? usualWork;
  }

  #rowsOf(runId: string): number {
    return readFlowRun(this.#stage.prefect, runId)?.states.length ?? 0;
  }

  #outcomeOf(runId: string): ExecutionOutcome {
    const { ends } = this.#workOf(runId);
    if (readFlowRun(this.#stage.prefect, runId)?.state === 'Cancelled') return 'cancelled';
    if (ends === 'success') return 'success';
    return ends === 'failed' || ends === 'load-error' ? 'failed' : 'crashed';
  }

  #close(podUid: string, at: Date, outcome: ExecutionOutcome): void {
    this.#processes.delete(podUid);
    const open = this.executions.find((each) => each.podUid === podUid && each.endedAt === null);
    if (open !== undefined) Object.assign(open, { endedAt: at, outcome });
  }

  /** Processes whose pod has ended without them, or is gone. */
  #bury(now: Date): void {
    const pods = new Map(listPods(this.#stage.cluster).map((pod) => [pod.metadata.uid, pod]));
    for (const uid of this.#processes.keys()) {
      const pod = pods.get(uid);
      if (pod === undefined || hasEnded(pod)) this.#close(uid, now, 'killed');
    }
  }

  #serve(now: Date): void {
    const isTime = (periodMs: number): boolean =>
      Math.floor(now.getTime() / periodMs) > Math.floor(this.#servedTo / periodMs);
    if (isTime(zombieKillerMs)) runZombieKiller(this.#stage.prefect, now);
    if (isTime(lazarusMs)) runLazarus(this.#stage.prefect, now);
    this.#servedTo = now.getTime();
  }
}
