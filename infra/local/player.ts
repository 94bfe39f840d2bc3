import { FlowProcess, type ProcessEnd } from './flow-process.ts';
import { runIdLabel } from './job-watch.ts';
import { stepControllers } from './kubernetes-api/step-controllers.ts';
import type { Pod } from './kubernetes-api/objects.ts';
import { playPods, type PodDirections } from './kubernetes-api/play-pods.ts';
import { refOf, setPodLog } from './kubernetes-api/pod-player.ts';
import type { ContainerEnd, PodScriptName } from './kubernetes-api/scripts.ts';
import type { SeededRun } from './ledger.ts';
import { cancelFlowRun } from './prefect-api/seed.ts';
import { runLazarus, runZombieKiller } from './prefect-api/services.ts';
import type { World } from './world.ts';

/** Controllers and kubelets look this often. */
const stepMs = 1_000;
/** Rounds of the server's services (PrefectHQ/server services/towel). */
const lazarusMs = 600_000;
const zombieKillerMs = 120_000;

const crashLog =
  'Traceback (most recent call last):\n  File "/usr/local/bin/prefect", line 8, in <module>\nSystemError: lost the connection to the data base\n';

const endOfContainer = (end: ProcessEnd): ContainerEnd =>
  end.kind === 'out-of-memory' ? { exitCode: 137, reason: 'OOMKilled' } : { exitCode: end.exitCode };

/**
 * Everybody in a world but the functions: controllers, scheduler, kubelets, the flow processes in the pods, users who
 * click on Cancel, and the services of the Prefect server. Nothing happens unless the world is played.
 */
export class Player {
  readonly #world: World;
  readonly #runs: ReadonlyMap<string, SeededRun>;
  readonly #startedAt: number;
  /** By pod uid. */
  readonly #processes = new Map<string, FlowProcess>();
  readonly #directions: PodDirections;
  #cancels: readonly { readonly runId: string; readonly atMs: number }[];
  #playedTo: number;

  constructor(world: World, seeded: readonly SeededRun[]) {
    this.#world = world;
    this.#runs = new Map(seeded.map((one) => [one.id, one]));
    this.#startedAt = world.clock.now().getTime();
    this.#playedTo = this.#startedAt;
    this.#cancels = seeded.flatMap(({ id, run }) =>
      run.cancelAtMs === null ? [] : [{ runId: id, atMs: this.#startedAt + run.cancelAtMs }],
    );
    this.#directions = {
      scriptFor: (pod) => this.#scriptFor(pod),
      process: (pod, signal, at) => this.#process(pod, signal, at),
    };
  }

  /** Moves the world's clock to an instant, and lets everything happen that happens by then, second by second. */
  playUntil(end: Date): void {
    const { clock } = this.#world;
    while (clock.now() < end) {
      clock.advance(Math.min(stepMs, end.getTime() - clock.now().getTime()));
      this.step();
    }
  }

  /** Everybody but the functions has a look at the world as it is now. */
  step(): void {
    const now = this.#world.clock.now();
    this.#click(now);
    stepControllers(this.#world.kubernetes.state, now, { rounds: 1 });
    playPods(this.#world.kubernetes.state, this.#directions, now);
    this.#serve(now);
    this.#playedTo = now.getTime();
  }

  #click(now: Date): void {
    const due = this.#cancels.filter(({ atMs }) => atMs <= now.getTime());
    if (due.length === 0) return;
    this.#cancels = this.#cancels.filter(({ atMs }) => atMs > now.getTime());
    for (const { runId } of due) cancelFlowRun(this.#world.prefect.state, runId, now);
  }

  /** The services of the Prefect server, at the round hours that have passed since the last look. */
  #serve(now: Date): void {
    const isTime = (periodMs: number): boolean =>
      Math.floor((now.getTime() - this.#startedAt) / periodMs) >
      Math.floor((this.#playedTo - this.#startedAt) / periodMs);
    if (isTime(zombieKillerMs)) runZombieKiller(this.#world.prefect.state, now);
    if (isTime(lazarusMs)) runLazarus(this.#world.prefect.state, now);
  }

  #runOf({ metadata }: Pod): SeededRun | null {
    return this.#runs.get(metadata.labels?.[runIdLabel] ?? '') ?? null;
  }

  #scriptFor(pod: Pod): PodScriptName {
    const play = this.#runOf(pod)?.run.pod;
    // A pod that no script knows was made by hand; it ends well after a minute.
    if (play === undefined) return 'success';
    return play.kind === 'runs' ? 'flow-process' : play.kind;
  }

  #process(pod: Pod, signal: 'start' | 'step' | 'stop', at: Date): ContainerEnd | null {
    const { uid } = pod.metadata;
    if (signal === 'stop') this.#processes.delete(uid);
    if (signal === 'start') return this.#start(pod, at);
    const end = this.#processes.get(uid)?.step(at) ?? null;
    if (end === null) return null;
    this.#processes.delete(uid);
    if (end.kind === 'exited' && end.exitCode !== 0) {
      setPodLog(this.#world.kubernetes.state, refOf(pod), { text: crashLog });
    }
    return endOfContainer(end);
  }

  #start(pod: Pod, at: Date): ContainerEnd | null {
    const seeded = this.#runOf(pod);
    if (seeded?.run.pod.kind !== 'runs') return null;
    const process = new FlowProcess({ state: this.#world.prefect.state, runId: seeded.id, work: seeded.run.pod });
    const end = process.start(at);
    if (end !== null) return endOfContainer(end);
    this.#processes.set(pod.metadata.uid, process);
    return null;
  }
}
