import type { LocalRequest, LocalResponse } from '../../infra/local/http.ts';
import { handle as kubernetesHandle } from '../../infra/local/kubernetes-api/handle.ts';
import { prefectHandle } from '../../infra/local/prefect-api/edge.ts';
import type { WitnessedRequest } from '../faults/witness.ts';
import { actOnRun } from './people.ts';
import { Random, seedOf } from './random.ts';
import { idsIn, kindOf, type Party, type RequestKind } from './request-kinds.ts';
import type { Effect, Spoil, Strike } from './scenario.ts';
import type { Actor } from './scheduler.ts';
import { misheard, spoiled } from './spoil.ts';
import { accessKey, secretArn, type Mode, type SoakWorld } from './world.ts';

/** The connection died. */
export class ConnectionDied extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

interface Passage {
  readonly actor: Actor;
  readonly to: Party;
  readonly kind: RequestKind;
  readonly request: LocalRequest;
  readonly witnessed: Mutable<WitnessedRequest>;
  readonly strike: Strike | null;
  readonly upMs: number;
  readonly downMs: number;
  readonly answer: (response: LocalResponse) => void;
  readonly fail: (error: Error) => void;
}

interface Armed {
  readonly strike: Strike;
  passes: number;
  times: number;
}

type Death = Extract<Effect, { kind: 'kill-before' | 'kill-in-flight' | 'kill-after' }>;
type Cut = Extract<Effect, { kind: 'drop-before' | 'drop-after' | 'late' }>;

const isDeath = (effect: Effect): effect is Death => effect.kind.startsWith('kill-');
const isCut = (effect: Effect): effect is Cut => effect.kind === 'late' || effect.kind.startsWith('drop-');

/** A Status with 400 is the API server's word that nothing was done, whatever else it holds. */
const isRefusal = ({ to }: Passage, how: Spoil): boolean => to === 'kubernetes' && how === 'echo';

const page = (status: number, body = '<html><body>Bad Gateway</body></html>'): LocalResponse => ({
  status,
  headers: { 'content-type': 'text/html' },
  body,
});

const absence: Readonly<Record<Party, { readonly mode: Mode; readonly code: string }>> = {
  prefect: { mode: 'prefect-down', code: 'ECONNREFUSED' },
  kubernetes: { mode: 'kubernetes-down', code: 'ECONNREFUSED' },
  aws: { mode: 'aws-down', code: 'ETIMEDOUT' },
};

/** How long a request is on its way, in milliseconds: least and most. */
const distance: Readonly<Record<Party, readonly [number, number]>> = {
  prefect: [15, 90],
  kubernetes: [2, 15],
  aws: [5, 20],
};

/**
 * The way between the functions and their servers. Each request is two events, its arrival and its answer, and may be
 * struck by a fault in between.
 */
export class Wire {
  readonly #world: SoakWorld;
  readonly #armed: readonly Armed[];

  constructor(world: SoakWorld) {
    this.#world = world;
    this.#armed = world.scenario.strikes.map((strike) => ({ strike, passes: strike.passes, times: strike.times }));
  }

  async send(
    actor: Actor,
    to: Party,
    { request, signal }: { readonly request: LocalRequest; readonly signal: AbortSignal | undefined },
  ): Promise<LocalResponse> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<LocalResponse>();
    const kind = kindOf(to, request);
    const strike = this.#strike(actor, kind);
    if (strike?.effect.kind === 'kill-before') {
      this.#kill(actor);
      return promise;
    }
    const witnessed = this.#witness(actor, to, request);
    const finish = this.#once(actor, signal, reject);
    const passage: Passage = {
      actor,
      to,
      kind,
      request,
      witnessed,
      strike,
      ...this.#times(actor, to, strike),
      answer: (response) =>
        finish(() => {
          witnessed.status = response.status;
          witnessed.answered = true;
          resolve(response);
        }),
      fail: (error) => finish(() => reject(error)),
    };
    this.#world.scheduler.after(passage.upMs, () => this.#arrive(passage));
    if (strike?.effect.kind === 'kill-in-flight') this.#kill(actor);
    return promise;
  }

  #witness(actor: Actor, to: Party, request: LocalRequest): Mutable<WitnessedRequest> {
    const { method, path, body } = request;
    const { now } = this.#world;
    const seen = { at: now, actor: actor.name, to, method, path, body, status: null, applied: false, answered: false };
    this.#world.requests.push(seen);
    return seen;
  }

  /** Ends a request once: by its answer, its failure, or the limit of whoever sent it. */
  #once(actor: Actor, signal: AbortSignal | undefined, reject: (error: Error) => void) {
    let isOver = false;
    const finish = (end: () => void): void => {
      if (isOver) return;
      isOver = true;
      actor.waiting -= 1;
      end();
    };
    actor.waiting += 1;
    const abort = (): void => finish(() => reject(signal?.reason as Error));
    signal?.addEventListener('abort', abort, { once: true });
    return finish;
  }

  #times(actor: Actor, to: Party, strike: Strike | null): { readonly upMs: number; readonly downMs: number } {
    actor.requests += 1;
    const random = new Random(seedOf(`${this.#world.scenario.seed}/${actor.name}/${actor.requests}`));
    const [least, most] = distance[to];
    const isSlow = to === 'kubernetes' && this.#world.modes.has('kubernetes-slow');
    const extraMs =
      (strike?.effect.kind === 'slow' ? strike.effect.ms : 0) + (isSlow ? random.whole(5, 60) * 1_000 : 0);
    return { upMs: random.whole(least, most) + extraMs, downMs: random.whole(least, most) };
  }

  #strike(actor: Actor, kind: RequestKind): Strike | null {
    const sinceStart = this.#world.now.getTime() - this.#world.startedAt.getTime();
    for (const armed of this.#armed) {
      const { strike } = armed;
      const isMeant = strike.on === kind && (strike.by ?? actor.function) === actor.function;
      if (!isMeant || armed.times === 0 || sinceStart < strike.notBeforeMs) continue;
      if (armed.passes > 0) {
        armed.passes -= 1;
        continue;
      }
      armed.times -= 1;
      this.#world.struck(strike.row, lengthOf(strike.effect));
      return strike;
    }
    return null;
  }

  #kill(actor: Actor): void {
    this.#world.killed(actor);
  }

  #arrive(passage: Passage): void {
    const away = this.#away(passage);
    if (away !== null) {
      this.#deliver(passage, away);
      return;
    }
    const effect = passage.strike?.effect ?? null;
    if (effect === null) this.#deliver(passage, this.#handle(passage));
    else this.#suffer(passage, effect);
  }

  /** What a server answers that is away; null: it is there. */
  #away({ to, kind }: Passage): LocalResponse | ConnectionDied | null {
    const { modes } = this.#world;
    if (modes.has(absence[to].mode)) return new ConnectionDied(absence[to].code);
    const isBroken = to === 'prefect' && modes.has('prefect-errors') && kind !== 'enrol';
    return isBroken ? page(502) : null;
  }

  #suffer(passage: Passage, effect: Effect): void {
    if (isDeath(effect)) this.#outlive(passage, effect);
    else if (isCut(effect)) this.#cut(passage, effect);
    else this.#deliver(passage, this.#answer(passage, effect));
  }

  /** What the request of a process that dies has done. */
  #outlive(passage: Passage, { kind }: Death): void {
    if (kind === 'kill-before') return;
    this.#handle(passage);
    if (kind === 'kill-after') this.#kill(passage.actor);
  }

  #cut(passage: Passage, effect: Cut): void {
    if (effect.kind === 'drop-after') this.#handle(passage);
    if (effect.kind === 'late') this.#world.scheduler.after(effect.ms, () => this.#handle(passage));
    this.#deliver(passage, new ConnectionDied('ECONNRESET'));
  }

  #answer(passage: Passage, effect: Exclude<Effect, Death | Cut>): LocalResponse {
    switch (effect.kind) {
      case 'answer':
        return given(effect);
      case 'spoil':
        return this.#spoil(passage, effect.how);
      case 'meanwhile': {
        if (effect.when === 'before') this.#meanwhile(passage, effect);
        const response = this.#handle(passage);
        if (effect.when === 'after') this.#meanwhile(passage, effect);
        return response;
      }
      case 'freeze':
        passage.actor.frozenUntil = this.#world.now.getTime() + effect.ms;
        return this.#handle(passage);
      case 'slow':
        return this.#handle(passage);
    }
  }

  #spoil(passage: Passage, how: Spoil): LocalResponse {
    const { request } = passage;
    const heard = { ...passage, request: misheard(how, request) };
    return spoiled(how, request, isRefusal(passage, how) ? page(400) : this.#handle(heard));
  }

  #meanwhile({ request }: Passage, { act }: Extract<Effect, { kind: 'meanwhile' }>): void {
    const run = idsIn(request)
      .map((id) => this.#world.runOf(id))
      .find((found) => found !== null);
    if (run !== null && run !== undefined) actOnRun(this.#world, run, act);
  }

  #handle({ to, request, witnessed }: Passage): LocalResponse {
    witnessed.applied = true;
    const world = this.#world;
    if (to === 'aws') return secretAnswer(world);
    if (to === 'prefect') return prefectHandle(world.prefect, { token: world.token })(request, world.prefectNow);
    const response = kubernetesHandle(world.cluster, request, world.now);
    if (request.method !== 'GET') world.jobs.look(world.now);
    return response;
  }

  #deliver({ actor, downMs, answer, fail }: Passage, outcome: LocalResponse | ConnectionDied): void {
    const end = (): void => (outcome instanceof ConnectionDied ? fail(outcome) : answer(outcome));
    this.#world.scheduler.after(downMs, end, actor);
  }
}

/** How long a fault goes on by itself. */
const lengthOf = (effect: Effect): number =>
  effect.kind === 'late' || effect.kind === 'slow' || effect.kind === 'freeze' ? effect.ms : 0;

function given({ status, body, retryAfter }: Extract<Effect, { kind: 'answer' }>): LocalResponse {
  const type = body.startsWith('{') ? 'application/json' : 'text/html';
  const retry = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  return { status, headers: { 'content-type': type, ...retry }, body };
}

const secretAnswer = (world: SoakWorld): LocalResponse => ({
  status: 200,
  headers: { 'content-type': 'application/x-amz-json-1.1' },
  body: JSON.stringify({ ARN: secretArn, Name: 'runner-token', SecretString: world.aws.secrets.get(secretArn) }),
});

export const awsCredentials = { accessKeyId: accessKey.id, secretAccessKey: accessKey.secret };
