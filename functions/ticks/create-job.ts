import type { Submit } from '../core/dispatch-plan.ts';
import type { CreateAnswer, KubernetesGateway, Refusal, RefusalClass } from '../kubernetes/contract.ts';
import type { Budget } from './budget.ts';
import { nextCreatePace, startingCreatePace, type CreatePace } from './create-pace.ts';
import type { Limiter } from './limiter.ts';
import { createLimitMs } from './ports.ts';

export interface CreateDeps {
  readonly cluster: Pick<KubernetesGateway, 'createJob'>;
  readonly limiter: Limiter;
  readonly budget: Budget;
  readonly now: () => Date;
}

/** The create was not sent: too little time, or an earlier refusal ended the creating. The claim heals by itself. */
export interface NotSent {
  readonly kind: 'not-sent';
  readonly why: string;
}

/** Tries of one create within an invocation, like the peer's (prefect 1.4.1, agent/kubernetes/agent.py: 3). */
const attempts = 3;
const pauseMs = 1_000;

/** Refusals that another try of the same name can heal: the name makes a repeated create harmless. */
const worthAnotherTry: ReadonlySet<RefusalClass> = new Set(['throttled', 'server', 'unknown']);

/** Refusals that every other create of this tick would meet as well. */
const endsTheCreating: ReadonlySet<RefusalClass> = new Set(['quota', 'forbidden', 'login', 'namespace']);

/** Milliseconds of Retry-After, whatever the status; a server that is busy and does not say for how long gets a second. */
function pauseAfter({ class: kind, retryAfterSeconds }: Refusal): number {
  if (retryAfterSeconds !== null) return retryAfterSeconds * 1_000;
  return kind === 'throttled' ? pauseMs : 0;
}

/** Creates Jobs through the limiter, sets its pace, and remembers the refusal that ended the creating. */
export class JobCreator {
  readonly #deps: CreateDeps;
  #pace: CreatePace;
  #inFlight = 0;
  #end: Refusal | null = null;

  /** The limiter's size is the most that may ever be in flight. */
  constructor(deps: CreateDeps) {
    this.#deps = deps;
    this.#pace = startingCreatePace(deps.limiter.size);
    deps.limiter.resize(this.#pace.size);
  }

  /** The refusal after which nothing more is created or claimed; null while there is none. */
  get end(): Refusal | null {
    return this.#end;
  }

  /** Creates the Job of a verified claim, or says why it was not sent. Never throws for what the API server answers. */
  async create(submit: Submit): Promise<CreateAnswer | NotSent> {
    let answer = await this.#attempt(submit);
    for (let tries = 1; tries < attempts && this.#isWorthAnotherTry(answer); tries += 1) {
      if (answer.retryAfterSeconds === null) await this.#deps.budget.wait(this.#after(pauseMs));
      const again = await this.#attempt(submit);
      if (again.kind === 'not-sent') return answer;
      answer = again;
    }
    return answer;
  }

  /** Every try waits for its turn anew: after a refusal there may be fewer places. */
  async #attempt(submit: Submit): Promise<CreateAnswer | NotSent> {
    return this.#deps.limiter.run(async () => this.#mayCreate() ?? (await this.#send(submit)));
  }

  async #send(submit: Submit): Promise<CreateAnswer> {
    this.#inFlight += 1;
    const sent = { sentAt: this.#deps.now().getTime(), inFlight: this.#inFlight };
    const answer = await this.#deps.cluster.createJob(submit.job, this.#deps.budget.signal(createLimitMs));
    this.#inFlight -= 1;
    this.#pace = nextCreatePace(this.#pace, { ...sent, answer, answeredAt: this.#deps.now().getTime() });
    this.#deps.limiter.resize(this.#pace.size);
    if (answer.kind === 'refused') this.#heed(answer);
    return answer;
  }

  /** Whatever a refusal asks for, it asks of everybody: no other create begins before it is heeded. */
  #heed(refusal: Refusal): void {
    if (endsTheCreating.has(refusal.class)) this.#end ??= refusal;
    const pause = pauseAfter(refusal);
    // No create would begin in time after this pause: then the rest of the invocation is not slept away.
    if (pause > this.#deps.budget.leftMs() - createLimitMs) this.#end ??= refusal;
    else if (pause > 0) this.#deps.limiter.pauseUntil(this.#after(pause));
  }

  #after(ms: number): Date {
    return new Date(this.#deps.now().getTime() + ms);
  }

  #mayCreate(): NotSent | null {
    if (this.#end !== null) return { kind: 'not-sent', why: `the creating ended: ${this.#end.message}` };
    const left = this.#deps.budget.leftMs();
    return left > createLimitMs
      ? null
      : { kind: 'not-sent', why: `only ${Math.max(0, left)} ms of the invocation are left` };
  }

  #isWorthAnotherTry(answer: CreateAnswer | NotSent): answer is Refusal {
    return answer.kind === 'refused' && worthAnotherTry.has(answer.class);
  }
}
