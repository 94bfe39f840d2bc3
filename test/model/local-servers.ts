import { setImmediate as nextTurn } from 'node:timers/promises';

import type { LocalRequest, LocalResponse } from '../../infra/local/http.ts';
import { collectGarbage } from '../../infra/local/kubernetes-api/garbage-collector.ts';
import { hasCondition, type ContainerStatus, type Job } from '../../infra/local/kubernetes-api/objects.ts';
import { pods } from '../../infra/local/kubernetes-api/resources.ts';
import { writeJob, writePod } from '../../infra/local/kubernetes-api/state.ts';
import { cancelFlowRun, heartbeatFlowRun, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import { kindOf, type Party, type RequestKind } from '../soak/request-kinds.ts';
import { aWorld } from '../support/protocol-world.ts';
import { ConnectionLost, type SimulatedWorld } from '../support/simulated-world.ts';
import type { Role } from './tick.ts';

/** A request that waits on the wire for what the model says about it. */
interface Waiting {
  readonly kind: RequestKind;
  readonly serve: () => LocalResponse;
  readonly answer: (response: LocalResponse) => void;
  readonly lose: () => void;
}

/** An invocation of the real functions, as far as it has come. */
interface Invoked {
  waiting: Waiting | null;
  isDone: boolean;
}

/** Requests that the model does not know: nothing is decided by their answers. */
const unknown: ReadonlySet<RequestKind> = new Set(['enrol', 'list-events', 'get-job', 'log-tail']);
const isUnknown = (kind: RequestKind, { body }: LocalRequest): boolean =>
  unknown.has(kind) || (kind === 'words' && !body.includes('update_flow_run_heartbeat'));

/** Turns of the event loop after which a tick that waits for nothing else has asked its next question. */
const turnsToSettle = 12;

type ContainerState = NonNullable<ContainerStatus['state']>;

/**
 * The local servers, the real clients and the real ticks under the model's hand: each request waits until a step says what
 * becomes of it.
 */
export class LocalServers {
  readonly #world: SimulatedWorld;
  readonly #runId: string;
  readonly #invoked = new Map<number, Invoked>();
  readonly #late: (() => LocalResponse)[] = [];
  #current: Invoked | null = null;

  constructor() {
    const { world, runId } = aWorld();
    this.#world = world;
    this.#runId = runId;
    world.onPrefect = (request, forward) => this.#arrive('prefect', request, forward);
    world.onKubernetes = (request, forward) => this.#arrive('kubernetes', request, forward);
  }

  #arrive(to: Party, request: LocalRequest, serve: () => LocalResponse): LocalResponse | Promise<LocalResponse> {
    const kind = kindOf(to, request);
    const invoked = this.#current;
    if (isUnknown(kind, request) || invoked === null) return serve();
    const { promise, resolve, reject } = Promise.withResolvers<LocalResponse>();
    invoked.waiting = { kind, serve, answer: resolve, lose: () => reject(new ConnectionLost('gone')) };
    return promise;
  }

  async #settle(invoked: Invoked): Promise<void> {
    for (let turns = 0; turns < turnsToSettle; turns += 1) await nextTurn();
    if (!invoked.isDone && invoked.waiting === null) throw new Error('a tick neither ends nor asks');
    this.#current = null;
  }

  async begin(role: Role, n: number): Promise<void> {
    const invoked: Invoked = { waiting: null, isDone: false };
    this.#invoked.set(n, invoked);
    this.#current = invoked;
    const container = this.#world.container();
    const tick = role === 'dispatch' ? container.dispatch() : container.reconcile();
    void tick.then(() => (invoked.isDone = true));
    await this.#settle(invoked);
  }

  #take(n: number): { readonly invoked: Invoked; readonly waiting: Waiting } {
    const invoked = this.#invoked.get(n);
    const waiting = invoked?.waiting ?? null;
    if (invoked === undefined || waiting === null) throw new Error(`invocation ${n} waits for nothing`);
    invoked.waiting = null;
    return { invoked, waiting };
  }

  /** What becomes of the request of an invocation, and whether its answer arrives. */
  async step(n: number, how: { readonly done: boolean; readonly answered: boolean }): Promise<void> {
    const { invoked, waiting } = this.#take(n);
    const response = how.done ? waiting.serve() : null;
    this.#current = invoked;
    if (response !== null && how.answered) waiting.answer(response);
    else waiting.lose();
    await this.#settle(invoked);
    if (invoked.isDone) this.#invoked.delete(n);
  }

  /** The request takes effect, and nobody is there any more to hear the answer. */
  dieAfter(n: number): void {
    this.#take(n).waiting.serve();
    this.end(n);
  }

  /** The request of an invocation takes effect later, whatever its sender is told now. */
  delay(n: number): void {
    const waiting = this.#invoked.get(n)?.waiting;
    if (waiting !== null && waiting !== undefined) this.#late.push(waiting.serve);
  }

  /** The late create takes effect: the oldest first, as there is seldom another. */
  landCreate(): void {
    const serve = this.#late.shift();
    if (serve === undefined) throw new Error('no create is late');
    serve();
  }

  /** What every invocation waits for, by its number. */
  get waiting(): Readonly<Record<number, RequestKind | undefined>> {
    return Object.fromEntries([...this.#invoked].map(([n, { waiting }]) => [n, waiting?.kind]));
  }

  end(n: number): void {
    this.#invoked.delete(n);
  }

  /** Pauses of the ticks take no time in the model: the clock is set to its hour. */
  setClock(now: Date): void {
    this.#world.clock.advance(now.getTime() - this.#world.clock.now().getTime());
  }

  write(type: string, message = ''): void {
    const now = this.#world.clock.now();
    const start = type === 'Scheduled' ? { start_time: now.toISOString() } : {};
    setFlowRunState(this.#world.prefect, { runId: this.#runId, state: { type, message, ...start } }, now);
  }

  cancel(): void {
    cancelFlowRun(this.#world.prefect, this.#runId, this.#world.clock.now());
  }

  beat(): void {
    heartbeatFlowRun(this.#world.prefect, this.#runId, this.#world.clock.now());
  }

  /** Shows the pod of the active Job in this state of its container. */
  showPod(phase: string, state: ContainerState): void {
    const job = this.#active();
    const { name, namespace = '', uid, labels = {} } = job.metadata;
    const container = { name: 'flow', ready: false, restartCount: 0, image: '', imageID: '', state };
    const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true, blockOwnerDeletion: true };
    const creationTimestamp = this.#world.clock.now().toISOString();
    writePod(this.#world.cluster, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-x`,
        namespace,
        uid: `pod-of-${uid}`,
        resourceVersion: '1',
        labels,
        creationTimestamp,
        ownerReferences: [owner],
      },
      spec: job.spec.template.spec,
      status: { phase, containerStatuses: [container] },
    });
  }

  /** The active Job is over, as the Job controller writes it. */
  endJob(type: 'Complete' | 'Failed'): void {
    const job = this.#active();
    const reason = type === 'Failed' ? 'BackoffLimitExceeded' : 'CompletionsReached';
    const lastTransitionTime = this.#world.clock.now().toISOString();
    const condition = { type, status: 'True', reason, message: '', lastTransitionTime };
    writeJob(this.#world.cluster, { ...job, status: { ...job.status, conditions: [condition] } });
  }

  /** Jobs that are being deleted are gone, with their pods. */
  finishDeletions(): void {
    const { cluster, clock } = this.#world;
    for (const pod of cluster.list(pods, '')) cluster.remove(pods, pod);
    collectGarbage(cluster, clock.now());
  }

  #active(): Job {
    const job = this.#world.jobs().find((one) => !isOver(one));
    if (job === undefined) throw new Error('no Job is active');
    return job;
  }

  /** History, standing state and Jobs, in words that the model has too. */
  get truth(): readonly string[] {
    const { tables } = this.#world.prefect;
    const rows = tables.flow_run_state.by('flow_run_id', this.#runId).toSorted((a, b) => a.created - b.created);
    const run = tables.flow_run.get(this.#runId);
    return [
      ...rows.map(({ state, version }) => `${state} v${version}`),
      `stands: ${run?.state} v${run?.version}`,
      ...this.#world.jobs().map(wordsOf).toSorted(),
    ];
  }
}

const isOver = ({ status }: Job): boolean =>
  hasCondition(status.conditions, 'Complete') || hasCondition(status.conditions, 'Failed');

const wordsOf = (job: Job): string => {
  const { annotations = {}, deletionTimestamp } = job.metadata;
  const phase = isOver(job) ? (hasCondition(job.status.conditions, 'Failed') ? 'failed' : 'complete') : 'active';
  return `Job ${annotations['prefect-serverless-agent/key']} ${phase}${deletionTimestamp === undefined ? '' : ', deleting'}`;
};
