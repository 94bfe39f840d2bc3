import { FaultPlan } from '../../infra/local/faults.ts';
import type { LocalResponse } from '../../infra/local/http.ts';
import {
  answerOf,
  matching,
  type Match,
  type ProxiedRequest,
  type Target,
  type WireFault,
  type WireFaults,
} from './wire-faults.ts';
import type { WitnessedRequest } from './witness.ts';

/** What the client's side of the wire is to do: hand an answer over somehow, or die. */
export type Delivery =
  | { readonly kind: 'answer'; readonly answer: LocalResponse; readonly closes: boolean }
  | { readonly kind: 'truncated'; readonly answer: LocalResponse; readonly bytes: number }
  | {
      readonly kind: 'dripped';
      readonly answer: LocalResponse;
      readonly bytes: number;
      readonly pause: () => Promise<void>;
    }
  | { readonly kind: 'dropped' | 'reset' | 'refused' };

/** What becomes of one request: what the client is handed, and where to note whether it got it. */
export interface Relayed {
  readonly delivery: Delivery;
  readonly answered: () => void;
}

export interface Circumstances {
  /** Sends the request to the real thing. Rejects when that cannot be reached: then the client's connection drops too. */
  readonly forward: () => Promise<LocalResponse>;
  /** Aborted when the client has gone away. */
  readonly gone: AbortSignal;
  /** The protocol has a GOAWAY. */
  readonly canRefuse: boolean;
}

export interface RelayOptions {
  readonly now: () => Date;
  /** Lets that much of the world's time pass, or less when the client goes away. */
  readonly pause: (ms: number, gone: AbortSignal) => Promise<void>;
}

type Entry = { -readonly [K in keyof WitnessedRequest]: WitnessedRequest[K] };

const dropped: Delivery = { kind: 'dropped' };

/** Decides what happens to requests by the rules it was given, and keeps the history of all of them. It knows no sockets. */
export class Relay {
  /** Every request so far, in the order in which they arrived. */
  readonly history: WitnessedRequest[] = [];
  /** Called with each request as it arrives, headers included. */
  onRequest: (request: ProxiedRequest) => void = () => undefined;
  /** Called after each request that reached its server. */
  onApplied: () => void = () => undefined;
  /** Awaited by each request before it goes on; no fault, and none is kept from striking by it. Until `clear`. */
  holdUp: (() => Promise<void>) | null = null;
  readonly #plan = new FaultPlan<WireFault, ProxiedRequest>();
  readonly #options: RelayOptions;
  readonly #silenced = new Set<string>();
  readonly #down = new Set<Target>();
  #struck: Date | null = null;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** The n-th request that matches (1 is the next one) and the `times - 1` after it meet the fault. */
  rule(match: Match, fault: WireFault, { nth = 1, times = 1 } = {}): void {
    const skip = nth - 1;
    this.#plan.add({ matches: matching(match), fault, skip, times });
  }

  clear(): void {
    this.holdUp = null;
    this.#plan.clear();
  }

  /** Whoever this is has died: nothing of it reaches anybody any more. */
  silence(actor: string): void {
    this.#silenced.add(actor);
  }

  /** Nobody listens there, until `comeBack`. */
  goDown(to: Target): void {
    this.#down.add(to);
    this.#struck = this.#options.now();
  }

  comeBack(to: Target): void {
    this.#down.delete(to);
    this.#struck = this.#options.now();
  }

  isDown(to: Target): boolean {
    return this.#down.has(to);
  }

  /** When a fault struck last. */
  get lastStruckAt(): Date | null {
    return this.#struck;
  }

  /** Sends one request on its way. The rules are asked at once, so that the n-th is the n-th to arrive. */
  async relay(request: ProxiedRequest, circumstances: Circumstances): Promise<Relayed> {
    const { to, actor, method, path, body } = request;
    if (this.#silenced.has(actor)) return { delivery: dropped, answered: () => undefined };
    this.onRequest(request);
    const at = this.#options.now();
    const entry: Entry = { at, to, actor, method, path, body, status: null, applied: false, answered: false };
    this.history.push(entry);
    const fault = this.#plan.strike(request);
    if (fault !== null) this.#struck = at;
    await this.holdUp?.();
    const journey = new Journey({
      request,
      entry,
      circumstances,
      options: this.#options,
      onApplied: () => this.onApplied(),
    });
    const delivery = await journey.under(fault);
    if (fault !== null) this.#struck = this.#options.now();
    if (this.#silenced.has(actor)) return { delivery: dropped, answered: () => undefined };
    return {
      delivery,
      answered: () => {
        entry.answered = true;
      },
    };
  }
}

interface JourneyOptions {
  readonly request: ProxiedRequest;
  readonly entry: Entry;
  readonly circumstances: Circumstances;
  readonly options: RelayOptions;
  readonly onApplied: () => void;
}

/** One request under one fault, or none. */
class Journey {
  readonly #o: JourneyOptions;

  constructor(options: JourneyOptions) {
    this.#o = options;
  }

  get request(): ProxiedRequest {
    return this.#o.request;
  }

  get canRefuse(): boolean {
    return this.#o.circumstances.canRefuse;
  }

  async under(fault: WireFault | null): Promise<Delivery> {
    const handling = fault === null ? {} : handlingOf(fault);
    const early = (await handling.before?.(this)) ?? null;
    if (early !== null) return early;
    const answer = await this.#forward();
    if (answer === null) return dropped;
    return (await handling.after?.(answer, this)) ?? this.whole(answer);
  }

  /** An answer that the client gets in one piece. */
  whole(answer: LocalResponse): Delivery {
    this.#o.entry.status = answer.status;
    return { kind: 'answer', answer, closes: false };
  }

  async pause(ms: number): Promise<void> {
    await this.#o.options.pause(ms, this.#o.circumstances.gone);
  }

  /** Null: the server could not be reached, or broke off. */
  async #forward(): Promise<LocalResponse | null> {
    const { circumstances, entry, onApplied } = this.#o;
    try {
      const answer = await circumstances.forward();
      entry.applied = true;
      entry.status = answer.status;
      onApplied();
      return answer;
    } catch {
      // What the server did is not known; the client sees its connection close, as through any proxy.
      return null;
    }
  }
}

interface Handling {
  /** Before it is forwarded; a delivery: it is not. */
  readonly before?: (journey: Journey) => Promise<Delivery | null>;
  /** After it took effect. */
  readonly after?: (answer: LocalResponse, journey: Journey) => Promise<Delivery>;
}

const handlings: { readonly [K in keyof WireFaults]: (fault: WireFaults[K]) => Handling } = {
  delay: ({ ms }) => ({
    before: async (journey) => {
      await journey.pause(ms);
      return null;
    },
  }),
  'drop-before': ({ act }) => ({
    before: async ({ request }) => {
      await act?.(request);
      return dropped;
    },
  }),
  'drop-answer': ({ act }) => ({
    after: async (_answer, { request }) => {
      await act?.(request);
      return dropped;
    },
  }),
  status: ({ act, ...wanted }) => ({
    before: async (journey) => {
      await act?.(journey.request);
      return journey.whole(answerOf(wanted));
    },
  }),
  truncate: ({ bytes }) => ({ after: async (answer) => ({ kind: 'truncated', answer, bytes }) }),
  drip: ({ bytes, everyMs }) => ({
    after: async (answer, journey) => ({ kind: 'dripped', answer, bytes, pause: () => journey.pause(everyMs) }),
  }),
  reset: () => ({ before: async () => ({ kind: 'reset' }) }),
  'go-away': () => ({
    before: async ({ canRefuse }) => (canRefuse ? { kind: 'refused' } : null),
    after: async (answer) => ({ kind: 'answer', answer, closes: true }),
  }),
  rewrite: ({ rewrite }) => ({ after: async (answer, journey) => journey.whole(rewrite(answer, journey.request)) }),
  meanwhile: ({ when, act }) => ({
    before: async ({ request }) => {
      if (when === 'before') await act(request);
      return null;
    },
    after: async (answer, journey) => {
      if (when === 'after') await act(journey.request);
      return journey.whole(answer);
    },
  }),
};

const handlingOf = <K extends keyof WireFaults>(fault: { readonly kind: K } & WireFaults[K]): Handling =>
  handlings[fault.kind](fault);
