import type { V1Job } from '@kubernetes/client-node';

import type { Clock } from '../../functions/clock.ts';
import type { JobDraft } from '../../functions/core/dispatch-plan.ts';
import type { FlowRun } from '../../functions/core/flow-run.ts';
import {
  claimAnnotation,
  identifierOf,
  jobNameOf,
  keyAnnotation,
  runIdLabel,
  stackLabel,
} from '../../functions/core/job-identity.ts';
import { runDispatchTick } from '../../functions/ticks/dispatch-tick.ts';
import type { Invocation as Invoked, TickEvents } from '../../functions/ticks/ports.ts';
import { runReconcileTick } from '../../functions/ticks/reconcile-tick.ts';
import { functionLimitMs, quietAgeMs } from '../../functions/limits.ts';
import { aReconcilePolicy, STACK } from '../support/builders.ts';
import { clientsOf, type Ask, type Clients } from './clients.ts';
import type { Answer, Reply, Request } from './requests.ts';
import { instant } from './world.ts';

export type Role = 'dispatch' | 'reconcile';

/** How long an invocation lives, in seconds. */
export const limitSeconds = functionLimitMs / 1000;

/** An invocation at work, or just begun. */
export interface Invocation {
  readonly role: Role;
  /** The how many-th of the world. */
  readonly n: number;
  readonly startedAt: number;
  readonly place: Place;
  /** Rows of the run at its last read of all of them. */
  readonly saw: number;
  /** Version that the server had read when the write arrived that now waits there; null: none waits. */
  readonly pinned: number | null;
}

/**
 * Where a tick is. A tick is a function of what it is answered, so the answers so far are its whole state, and what it
 * asks next is found by running it from its start.
 */
export interface Place {
  /** Equal for invocations that are at the same point, counted from their starts. */
  readonly id: number;
  /** What it waits for; null: it is done. */
  readonly next: Request | null;
  readonly answers: readonly Answer[];
  readonly root: Root;
  readonly children: Map<string, Place>;
}

interface Root {
  readonly role: Role;
  readonly n: number;
  readonly startedAt: number;
}

/** What a broken variant puts in the place of a part. */
export interface Parts {
  readonly nameOf: (run: FlowRun, identity: { readonly key: string; readonly claimId: string }) => string;
  /** Age under which reconcile deletes no Job. */
  readonly youngMs: number;
  readonly through: (clients: Clients, around: Around) => Clients;
}

/** Whose clients these are, and how the Job of an identity is made. */
export interface Around {
  readonly role: Role;
  readonly draft: Draft;
}

type Draft = (run: FlowRun, identity: { readonly key: string; readonly claimId: string }) => V1Job;

/** The parts of the product. */
export const realParts: Parts = {
  nameOf: (run, { key }) => jobNameOf(identifierOf(run.id, key)),
  youngMs: quietAgeMs,
  through: (clients) => clients,
};

const silent: TickEvents = {
  tickStarted: () => undefined,
  decided: () => undefined,
  applied: () => undefined,
  failed: () => undefined,
  tickFinished: () => undefined,
};

const unbroken = new AbortController().signal;
/** The continuations of one answer are a few dozen; beyond this a tick waits for something that is not of this world. */
const mostTurns = 5_000;

/** A tick at work on the answers it has had so far. */
class Replay {
  readonly #answers: readonly Answer[];
  #given = 0;
  #now: number;
  next: Request | null = null;
  isDone = false;

  constructor(startedAt: number, answers: readonly Answer[]) {
    this.#now = startedAt;
    this.#answers = answers;
  }

  readonly ask: Ask = (request) => {
    const answer = this.#answers[this.#given];
    if (answer === undefined) {
      this.next ??= request;
      return new Promise<Reply>(() => undefined);
    }
    this.#given += 1;
    this.#now = answer.at;
    return Promise.resolve(answer.reply);
  };

  /** Pauses take no time here: what time does is the world's choice. */
  readonly clock: Clock = {
    now: () => instant(this.#now),
    sleep: () => Promise.resolve(),
    limit: () => unbroken,
  };

  async settle(tick: Promise<unknown>): Promise<void> {
    let problem: unknown = null;
    tick.then(
      () => (this.isDone = true),
      (error: unknown) => (problem = error),
    );
    for (let turns = 0; this.next === null && !this.isDone; turns += 1) {
      if (problem !== null) throw problem;
      if (turns > mostTurns) throw new Error('a tick waits for something that is not of this world');
      await Promise.resolve();
    }
  }
}

/** Both ticks, whole and as they are deployed, on clients that ask the model. */
export class Ticks {
  readonly #parts: Parts;
  readonly #roots = new Map<string, Place>();
  readonly #ids = new Map<string, number>();
  /** Ticks run from their start. */
  replays = 0;

  constructor(parts: Parts = realParts) {
    this.#parts = parts;
  }

  async start(root: Root): Promise<Invocation> {
    const key = `${root.role} ${root.n} ${root.startedAt}`;
    const place = this.#roots.get(key) ?? (await this.#run({ root, answers: [] }, `${root.role} ${root.n}`));
    this.#roots.set(key, place);
    return { ...root, place, saw: 0, pinned: null };
  }

  /** The invocation after its answer; null: it has ended. */
  async answer(invocation: Invocation, answer: Answer): Promise<Place | null> {
    const { children, answers, root, id } = invocation.place;
    const known = children.get(answer.key);
    const place = known ?? (await this.#run({ root, answers: [...answers, answer] }, `${id} ${answer.key}`));
    children.set(answer.key, place);
    return place.next === null ? null : place;
  }

  async #run({ root, answers }: Pick<Place, 'root' | 'answers'>, path: string): Promise<Place> {
    this.replays += 1;
    const replay = new Replay(root.startedAt, answers);
    await replay.settle(this.#tick(root, replay));
    const id = this.#ids.get(path) ?? this.#ids.size;
    this.#ids.set(path, id);
    return { id, next: replay.next, answers, root, children: new Map() };
  }

  #tick({ role, n, startedAt }: Root, { ask, clock }: Replay): Promise<unknown> {
    const { prefect, cluster } = this.#parts.through(clientsOf(ask), { role, draft: this.#draft });
    const newId = (): string => `claim-${n}`;
    const deps = { prefect, cluster: async () => cluster, clock, newId, events: silent };
    const invocation: Invoked = { endsAt: instant(startedAt + limitSeconds), requestId: `${role} ${n}` };
    return role === 'dispatch' ? this.#dispatch(deps, invocation) : this.#reconcile(deps, invocation);
  }

  #dispatch(deps: Omit<Parameters<typeof runDispatchTick>[0], 'drafter'>, invocation: Invoked): Promise<unknown> {
    const limits = { maxInFlight: 10, maxPerTick: 10, labelLimits: new Map(), lateRunLimitMs: null };
    const policy = { stackId: STACK, ...limits, infraRetries: 0, paused: false };
    const settings = { policy, agentName: 'model', createConcurrency: 4, pendingGraceMs: 0 };
    const drafter = async () => (run: FlowRun, identity: { key: string; claimId: string }) =>
      ({ kind: 'job', job: this.#draft(run, identity), warnings: [] }) satisfies JobDraft;
    return runDispatchTick({ ...deps, drafter }, { ...settings, quietAgeMs }, invocation);
  }

  #reconcile(deps: Parameters<typeof runReconcileTick>[0], invocation: Invoked): Promise<unknown> {
    const policy = aReconcilePolicy({ quietAgeMs: this.#parts.youngMs });
    const settings = { policy, agentName: 'model', agentLabels: [], logTailLines: 0 };
    return runReconcileTick(deps, settings, invocation);
  }

  readonly #draft: Draft = (run, identity) => ({
    metadata: {
      name: this.#parts.nameOf(run, identity),
      labels: { [runIdLabel]: run.id, [stackLabel]: STACK },
      annotations: { [keyAnnotation]: identity.key, [claimAnnotation]: identity.claimId },
    },
  });
}
