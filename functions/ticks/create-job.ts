import type { Submit } from '../core/dispatch-plan.ts';
import type { CreateAnswer, KubernetesGateway, Refusal, RefusalClass } from '../kubernetes/contract.ts';
import type { Budget } from './budget.ts';
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

/** Creates Jobs one by one through the limiter, and remembers the refusal that ended the creating. */
export class JobCreator {
  readonly #deps: CreateDeps;
  #end: Refusal | null = null;

  constructor(deps: CreateDeps) {
    this.#deps = deps;
  }

  /** The refusal after which nothing more is created or claimed; null while there is none. */
  get end(): Refusal | null {
    return this.#end;
  }

  /** Creates the Job of a verified claim, or says why it was not sent. Never throws for what the API server answers. */
  async create(submit: Submit): Promise<CreateAnswer | NotSent> {
    return this.#deps.limiter.run(async () => {
      const answer = await this.#tryUntilAnswered(submit);
      if (answer.kind === 'refused' && endsTheCreating.has(answer.class)) this.#end ??= answer;
      return answer;
    });
  }

  async #tryUntilAnswered(submit: Submit): Promise<CreateAnswer | NotSent> {
    let answer: CreateAnswer | NotSent = this.#mayCreate() ?? (await this.#send(submit));
    for (let tries = 1; tries < attempts && this.#isWorthAnotherTry(answer); tries += 1) {
      await this.#backOff(answer);
      if (this.#mayCreate() !== null) return answer;
      answer = await this.#send(submit);
    }
    return answer;
  }

  async #send(submit: Submit): Promise<CreateAnswer> {
    return this.#deps.cluster.createJob(submit.job, this.#deps.budget.signal(createLimitMs));
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

  /** A Retry-After holds back every create, not only this one. */
  async #backOff(refusal: Refusal): Promise<void> {
    const until = new Date(this.#deps.now().getTime() + (refusal.retryAfterSeconds ?? pauseMs / 1000) * 1000);
    if (refusal.class === 'throttled') this.#deps.limiter.pauseUntil(until);
    await this.#deps.budget.wait(until);
  }
}
