import { runIdLabel } from '../../functions/core/job-identity.ts';
import { FlowProcess, type FlowWork, type ProcessEnd } from '../../infra/local/flow-process.ts';
import { hasCondition, kubeTime, type Job, type Pod } from '../../infra/local/kubernetes-api/objects.ts';
import { playPods, type PodDirections } from '../../infra/local/kubernetes-api/play-pods.ts';
import { refOf, setPodStatus } from '../../infra/local/kubernetes-api/pod-player.ts';
import { jobs, pods } from '../../infra/local/kubernetes-api/resources.ts';
import {
  podScripts,
  type ContainerEnd,
  type Moment,
  type PodScript,
} from '../../infra/local/kubernetes-api/scripts.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';
import { setTaskRunState } from '../../infra/local/prefect-api/seed.ts';
import type { Play } from './scenario.ts';
import type { Execution, LiveRun, SoakWorld } from './world.ts';

const second = 1_000;
const endless = Number.MAX_SAFE_INTEGER;
/** A retry so far away that the process does not wait for it (prefect 1.4.1: ten minutes). */
const retryAfterMs = 660_000;

type WorkPlay = Extract<Play, { kind: 'works' }>;

/** A flow process in a pod, and what is known of it. */
interface Process {
  readonly flow: FlowProcess;
  readonly execution: Execution;
  readonly play: WorkPlay;
  readonly startedAt: number;
}

/** Rows of the matrix that a play stands for. */
const rowOfPlay: Readonly<Partial<Record<Play['kind'], number>>> = {
  'never-starts': 35,
  heals: 35,
  'preempted-early': 31,
  preempted: 32,
  evicted: 32,
  'node-lost': 33,
  'node-returns': 33,
};

const step = (afterMs: number, moment: Moment) => ({ afterSeconds: afterMs / second, moment });
const starts = (afterMs: number): PodScript => [
  step(Math.min(1_000, afterMs), { kind: 'scheduled' }),
  step(afterMs, { kind: 'started' }),
];

const pullError: Moment = { kind: 'waiting', reason: 'ImagePullBackOff', message: 'Back-off pulling image "{image}"' };
const noNode: Moment = { kind: 'unschedulable', message: '0/3 nodes are available: 3 Insufficient memory.' };

const neverStarts = {
  image: podScripts['image-never-pulls'],
  'image-name': podScripts['invalid-image-name'],
  config: podScripts['config-error'],
  'no-node': podScripts.unschedulable,
} as const;

const befallen: Readonly<Record<Exclude<Play['kind'], 'works' | 'never-starts' | 'heals'>, PodScript>> = {
  'preempted-early': [step(1_000, { kind: 'scheduled' }), step(4_000, { kind: 'preempted' })],
  preempted: [...starts(3_000), step(30_000, { kind: 'preempted' })],
  evicted: [...starts(3_000), step(30_000, { kind: 'evicted' })],
  'node-lost': podScripts['node-loss'],
  'node-returns': podScripts['node-returns'],
};

const troubleBefore = {
  image: [step(1_000, { kind: 'scheduled' }), step(3_000, pullError)],
  'no-node': [step(1_000, noNode)],
} as const;

function scriptOf(play: Play): PodScript {
  if (play.kind === 'works') return starts(play.startsAfterMs);
  if (play.kind === 'never-starts') return neverStarts[play.why];
  if (play.kind !== 'heals') return befallen[play.kind];
  const healed = [step(play.afterMs, { kind: 'scheduled' }), step(play.afterMs + second, { kind: 'started' })];
  return [...troubleBefore[play.why], ...healed];
}

const works: WorkPlay = { kind: 'works', ends: 'success', workMs: 20 * second, startsAfterMs: 3 * second };
/** What a process does in a pod that something else happens to. */
const worksLong: WorkPlay = { ...works, workMs: 15 * 60 * second };

function workIn(play: Play): WorkPlay {
  if (play.kind === 'works') return play;
  return play.kind === 'heals' ? { ...works, workMs: play.workMs ?? works.workMs } : worksLong;
}

const plainEnds: Readonly<Partial<Record<WorkPlay['ends'], FlowWork['ends']>>> = {
  success: 'success',
  failed: 'failed',
  'exit-1': 'exit-1',
  'load-error': 'load-error',
  'out-of-memory': 'out-of-memory',
};

const containerEnd = (end: ProcessEnd): ContainerEnd =>
  end.kind === 'out-of-memory' ? { exitCode: 137, reason: 'OOMKilled' } : { exitCode: end.exitCode };

/** Nodes, controllers, and the flow processes in the pods of this world. */
export class Pods {
  readonly #world: SoakWorld;
  readonly #processes = new Map<string, Process>();
  /** Which play of its run a pod got, by pod uid. */
  readonly #plays = new Map<string, Play>();
  readonly #given = new Map<string, number>();
  readonly #directions: PodDirections;

  constructor(world: SoakWorld) {
    this.#world = world;
    this.#directions = {
      scriptFor: (pod) => scriptOf(this.#playOf(pod)),
      process: (pod, signal, at) => this.#process(pod, signal, at),
    };
  }

  /** Nothing moves by itself: every Job is over and stays. */
  get isIdle(): boolean {
    return [...this.#world.cluster.all(jobs)].every((job) => isSettled(job as Job));
  }

  /** Controllers and kubelets have a look at the world as it is now. */
  step(): void {
    const { cluster, now, jobs: record } = this.#world;
    stepControllers(cluster, now, { rounds: 1 });
    playPods(cluster, this.#directions, now);
    this.#missLost(now);
    record.look(now);
  }

  #runOf({ metadata }: Pod): LiveRun | null {
    return this.#world.runOf(metadata.labels?.[runIdLabel]);
  }

  #playOf(pod: Pod): Play {
    const { uid } = pod.metadata;
    const known = this.#plays.get(uid);
    if (known !== undefined) return known;
    const run = this.#runOf(pod);
    const given = run === null ? 0 : (this.#given.get(run.id) ?? 0);
    const play = run?.script.plays[given] ?? works;
    if (run !== null) this.#given.set(run.id, given + 1);
    this.#plays.set(uid, play);
    const row = rowOfPlay[play.kind];
    if (row !== undefined) this.#world.struck(row);
    return play;
  }

  #process(pod: Pod, signal: 'start' | 'step' | 'stop', at: Date): ContainerEnd | null {
    if (signal === 'start') return this.#start(pod, at);
    if (signal === 'stop') {
      this.#endOf(pod, 'killed', at);
      return null;
    }
    const process = this.#processes.get(pod.metadata.uid);
    const end = process === undefined ? null : this.#work(process, at);
    return end === null ? null : this.#exit(pod, end, at);
  }

  #start(pod: Pod, at: Date): ContainerEnd | null {
    const run = this.#runOf(pod);
    if (run === null) return { exitCode: 1 };
    const play = workIn(this.#playOf(pod));
    const startedAt = this.#world.now;
    const jobUid = pod.metadata.ownerReferences?.[0]?.uid ?? '';
    const execution: Execution = { runId: run.id, jobUid, startedAt, endedAt: null, outcome: 'working' };
    this.#world.executions.push(execution);
    return this.#turnedAway(execution, play) ?? this.#begin(pod, { execution, play, startedAt: at.getTime() });
  }

  /** It cannot read its run: the Prefect client gives up, or the process ends without a word. Null: it goes on. */
  #turnedAway(execution: Execution, { ends }: WorkPlay): ContainerEnd | null {
    const { modes, now } = this.#world;
    const isCutOff = modes.has('prefect-down') || modes.has('prefect-errors');
    if (!isCutOff && ends !== 'early') return null;
    this.#world.struck(34);
    Object.assign(execution, { endedAt: now, outcome: 'nothing-to-do' });
    return { exitCode: isCutOff ? 1 : 0 };
  }

  #begin(pod: Pod, process: Omit<Process, 'flow'>): ContainerEnd | null {
    const { execution, play, startedAt } = process;
    const flow = new FlowProcess({ state: this.#world.prefect, runId: execution.runId, work: workOf(play) });
    const end = flow.start(this.#world.prefectNow);
    this.#processes.set(pod.metadata.uid, { flow, ...process });
    if (end === null) return null;
    const hasFailed = play.ends === 'load-error' && end.kind === 'exited' && end.exitCode === 1;
    this.#endOf(pod, hasFailed ? 'failed' : 'nothing-to-do', new Date(startedAt));
    return containerEnd(end);
  }

  #work({ flow, play, execution, startedAt }: Process, at: Date): ContainerEnd | null {
    // What it writes meanwhile it writes again and again, until the server is back.
    if (this.#world.modes.has('prefect-down')) return null;
    if (this.#world.prefect.tables.flow_run.get(execution.runId) === null) return { exitCode: 1 };
    const end = flow.step(this.#world.prefectNow);
    if (end !== null) {
      execution.outcome = outcomeOf(play.ends, end);
      return containerEnd(end);
    }
    if (plainEnds[play.ends] !== undefined || at.getTime() - startedAt < play.workMs) return null;
    execution.outcome = 'crashed';
    if (play.ends === 'leave-retry') this.#leaveRetry(execution.runId);
    this.#world.struck(play.ends === 'leave-retry' ? 39 : 34);
    return { exitCode: 0 };
  }

  #leaveRetry(runId: string): void {
    const { tables } = this.#world.prefect;
    const now = this.#world.prefectNow;
    const task = tables.task_run.by('flow_run_id', runId).find(({ state }) => state === 'Running');
    const start = new Date(now.getTime() + retryAfterMs).toISOString();
    if (task === undefined) return;
    const state = { type: 'Retrying', message: 'Retrying Task', run_count: 1, start_time: start };
    setTaskRunState(this.#world.prefect, { taskRunId: task.id, state }, now);
  }

  /** The flow container has ended. With a sidecar the pod goes on. */
  #exit(pod: Pod, end: ContainerEnd, at: Date): ContainerEnd | null {
    const outcome = this.#processes.get(pod.metadata.uid)?.execution.outcome ?? 'crashed';
    if (end.exitCode !== 0 || end.reason !== undefined) this.#world.struck(34);
    this.#endOf(pod, outcome === 'working' ? 'crashed' : outcome, at);
    if (pod.spec.containers.length < 2) return end;
    this.#endFlowContainer(pod, end, at);
    return null;
  }

  #endFlowContainer(pod: Pod, { exitCode, reason = 'Completed' }: ContainerEnd, at: Date): void {
    const terminated = { startedAt: null, exitCode, reason, finishedAt: kubeTime(at) };
    const containerStatuses = (pod.status.containerStatuses ?? []).map((status, place) =>
      place === 0 ? { ...status, ready: false, state: { terminated } } : status,
    );
    setPodStatus(this.#world.cluster, refOf(pod), { containerStatuses });
  }

  #endOf({ metadata }: Pod, outcome: Execution['outcome'], at: Date): void {
    const process = this.#processes.get(metadata.uid);
    this.#processes.delete(metadata.uid);
    if (process === undefined || process.execution.endedAt !== null) return;
    Object.assign(process.execution, { endedAt: at > this.#world.now ? this.#world.now : at, outcome });
  }

  /** Processes whose pod is gone, or has ended without asking them. */
  #missLost(now: Date): void {
    const here = new Map([...this.#world.cluster.all(pods)].map((pod) => [pod.metadata.uid, pod as Pod]));
    for (const [uid, { execution }] of this.#processes) {
      if (here.get(uid)?.status.phase === 'Running') continue;
      this.#processes.delete(uid);
      Object.assign(execution, { endedAt: now, outcome: 'killed' });
    }
  }
}

const workOf = ({ ends, workMs }: WorkPlay): FlowWork => {
  const plain = plainEnds[ends];
  return plain === undefined ? { ends: 'success', workMs: endless } : { ends: plain, workMs };
};

function outcomeOf(ends: WorkPlay['ends'], end: ProcessEnd): Execution['outcome'] {
  if (end.kind === 'out-of-memory') return 'crashed';
  if (end.exitCode !== 0) return ends === 'load-error' ? 'failed' : 'crashed';
  return ends === 'failed' ? 'failed' : 'success';
}

const isSettled = ({ metadata, status }: Job): boolean =>
  metadata.deletionTimestamp === undefined &&
  (hasCondition(status.conditions, 'Complete') || hasCondition(status.conditions, 'Failed'));
