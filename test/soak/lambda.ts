import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

import { eksLogin, stsHost } from '../../functions/aws/eks-token.ts';
import { runnerToken } from '../../functions/aws/runner-token.ts';
import type { Clock } from '../../functions/clock.ts';
import { composeDispatch } from '../../functions/compose-dispatch.ts';
import { composeReconcile } from '../../functions/compose-reconcile.ts';
import type { Outside, Tick } from '../../functions/composition.ts';
import { parseConfig, type Config } from '../../functions/config.ts';
import type { TickReport } from '../../functions/core/tick-report.ts';
import { functionLimitMs } from '../../functions/limits.ts';
import type { Post } from '../../functions/prefect/contract.ts';
import { constant } from '../../functions/source.ts';
import type { TickEvents } from '../../functions/ticks/ports.ts';
import { postAnswer } from '../support/local-post.ts';
import { Actor, actorClock } from './scheduler.ts';
import { awsCredentials, type Wire } from './wire.ts';
import { clusterName, namespace, secretArn, type SoakWorld } from './world.ts';

type Role = 'dispatch' | 'reconcile';

const region = 'us-east-1';
const host = stsHost(region);
const address = { endpoint: 'https://kubernetes.soak.test', ca: null };

/** One warm process of a function: what it remembers outlives its invocations, and dies with it. */
interface Container {
  readonly role: Role;
  readonly version: number;
  readonly tick: Tick;
  /** Whose requests these are: the invocation in progress, or the last one. */
  actor: Actor;
  isBusy: boolean;
}

/** An invocation whose requests are counted and which Lambda ends at its time limit. */
interface Invocation {
  readonly container: Container;
  readonly place: number;
  readonly deadline: Date;
}

/**
 * Lambda as it treats the two functions: warm containers, one invocation in each at a time, SIGKILL at the time limit, and
 * new containers after a deployment. The functions are composed as they are deployed; only what surrounds them is ours.
 */
export class Lambda {
  readonly #world: SoakWorld;
  readonly #wire: Wire;
  readonly #open = new Map<Actor, Invocation>();
  #containers: Container[] = [];
  #version = 1;
  #count = 0;

  constructor(world: SoakWorld, wire: Wire) {
    this.#world = world;
    this.#wire = wire;
    world.onKilled = (actor) => this.#bury(actor, true);
    world.onOverrun = (actor) => this.#bury(actor, false);
  }

  get busy(): number {
    return this.#open.size;
  }

  /** Containers of the old version finish what they do and take nothing new. */
  deploy(): void {
    this.#version += 1;
  }

  invoke(role: Role): void {
    this.#count += 1;
    const actor = new Actor(`${role}#${this.#count}`, role);
    const container = this.#containerFor(role, actor);
    const startedAt = this.#world.now;
    const deadline = new Date(startedAt.getTime() + functionLimitMs);
    const place = this.#world.invocations.length;
    this.#world.invocations.push({
      actor: actor.name,
      function: role,
      startedAt,
      endedAt: null,
      deadline,
      killed: false,
    });
    this.#open.set(actor, { container, place, deadline });
    this.#world.scheduler.after(functionLimitMs, () => this.#timeOut(actor));
    this.#world.scheduler.after(0, () => this.#run(actor, container, deadline), actor);
  }

  #run(actor: Actor, { tick, role }: Container, deadline: Date): void {
    const skewMs = this.#world.scenario.settings.skewMs[role];
    const endsAt = new Date(deadline.getTime() + skewMs);
    tick({ endsAt, requestId: actor.name }, this.#events()).then(
      (report) => this.#end(actor, report),
      (error: unknown) => this.#crash(actor, error),
    );
  }

  #end(actor: Actor, report: TickReport): void {
    this.#world.fired(report.byRule);
    this.#world.outputs.push(JSON.stringify(report));
    this.#close(actor, { endedAt: this.#world.now });
  }

  /** A fault of the functions themselves: no answer of a server may do that. */
  #crash(actor: Actor, error: unknown): void {
    this.#world.crashes.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    this.#close(actor, { endedAt: this.#world.now });
  }

  #close(actor: Actor, wish: { readonly endedAt: Date | null }): void {
    const invocation = this.#open.get(actor);
    actor.done = true;
    if (invocation === undefined) return;
    this.#open.delete(actor);
    invocation.container.isBusy = false;
    // One that was stopped beyond its limit is none that Lambda would have let go on.
    if (this.#world.invocations[invocation.place]?.killed !== true) this.#note(invocation, wish);
  }

  #note({ place }: Invocation, wish: { readonly endedAt?: Date | null; readonly killed?: boolean }): void {
    const before = this.#world.invocations[place];
    if (before !== undefined) this.#world.invocations[place] = { ...before, ...wish };
  }

  /** At its limit Lambda ends whatever still runs; a process that is stopped just then is found when it goes on. */
  #timeOut(actor: Actor): void {
    const invocation = this.#open.get(actor);
    if (invocation === undefined || !actor.alive) return;
    if (actor.frozenUntil > this.#world.now.getTime()) this.#note(invocation, { killed: true });
    else this.#world.overran(actor);
  }

  #bury(actor: Actor, killed: boolean): void {
    const invocation = this.#open.get(actor);
    if (invocation === undefined) return;
    this.#open.delete(actor);
    this.#containers = this.#containers.filter((container) => container !== invocation.container);
    this.#note(invocation, { killed });
  }

  #containerFor(role: Role, actor: Actor): Container {
    const idle = this.#containers.find(
      (container) => container.role === role && container.version === this.#version && !container.isBusy,
    );
    const container = idle ?? this.#start(role, actor);
    container.actor = actor;
    container.isBusy = true;
    return container;
  }

  #start(role: Role, actor: Actor): Container {
    // The outside of a container is made before it, and asks it whose turn it is.
    const holder: { actor: () => Actor } = { actor: () => actor };
    const compose = role === 'dispatch' ? composeDispatch : composeReconcile;
    const tick = compose(
      this.#config(),
      this.#outside(role, () => holder.actor()),
    );
    const container: Container = { role, version: this.#version, tick, actor, isBusy: true };
    holder.actor = () => container.actor;
    this.#containers.push(container);
    return container;
  }

  #config(): Config {
    const { infraRetries, pendingGraceMs, imageGraceMs } = this.#world.scenario.settings;
    const parsed = parseConfig({
      PREFECT_API: 'http://prefect.soak.test',
      RUNNER_TOKEN_SECRET_ARN: secretArn,
      POD_TOKEN_SECRET: 'prefect/api-key',
      EKS_CLUSTER_NAME: clusterName,
      NAMESPACE: namespace,
      STACK_ID: this.#world.stackId,
      INFRA_RETRIES: String(infraRetries),
      PENDING_GRACE: `${pendingGraceMs / 1000}s`,
      IMAGE_GRACE: `${imageGraceMs / 1000}s`,
      TTL_FAILED: '10m',
      // What a new version changes besides itself.
      JOB_ENV: `RELEASE=${this.#version}`,
      AGENT_NAME: 'soak',
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.config;
  }

  #outside(role: Role, actor: () => Actor): Outside {
    const clock = actorClock(this.#world.scheduler, actor, this.#world.scenario.settings.skewMs[role]);
    return {
      clock,
      newId: () => this.#world.newId(),
      env: { AWS_REGION: region },
      openHttp: () => ({ post: this.#post(actor), close: () => undefined }),
      openSession: () => this.#session(actor),
      wire: {
        resolve: async () => ['169.254.169.254'],
        send: () => Promise.reject(new Error('a template was fetched from a forbidden place')),
      },
      cluster: {
        address: constant(address),
        token: eksLogin({ credentials: async () => awsCredentials, region, host, clusterId: clusterName, clock }),
      },
      token: this.#token(actor, clock),
    };
  }

  #post(actor: () => Actor): Post {
    return async ({ headers, body, signal }) => {
      const request = { method: 'POST', path: '/graphql', headers, body };
      return postAnswer(await this.#wire.send(actor(), 'prefect', { request, signal }));
    };
  }

  #session(actor: () => Actor): ReturnType<Outside['openSession']> {
    return {
      send: async ({ method, path, headers, body = '', signal }) => {
        const request = { method, path, headers, body };
        return this.#wire.send(actor(), 'kubernetes', { request, signal });
      },
      connections: () => 1,
      close: () => undefined,
    };
  }

  /** The SDK's own client over our wire: one try, because its pauses are of the machine's time. */
  #token(actor: () => Actor, clock: Clock): NonNullable<Outside['token']> {
    const requestHandler = {
      handle: async (): Promise<{
        response: { statusCode: number; headers: Record<string, string>; body: Uint8Array };
      }> => {
        const request = { method: 'POST', path: '/', headers: {}, body: '' };
        const { status, headers, body } = await this.#wire.send(actor(), 'aws', { request, signal: undefined });
        return { response: { statusCode: status, headers: { ...headers }, body: Buffer.from(body) } };
      },
    };
    const client = new SecretsManagerClient({ region, credentials: awsCredentials, requestHandler, maxAttempts: 1 });
    return runnerToken({ client, secretArn, key: 'token', memory: { token: null, readAt: null }, clock });
  }

  #events(): TickEvents {
    const say = (event: string, about: unknown): void =>
      void this.#world.outputs.push(`${event} ${JSON.stringify(about)}`);
    return {
      tickStarted: () => undefined,
      decided: ({ kind, rule, run }) => say('decided', { kind, rule, run: run.id }),
      applied: () => undefined,
      failed: (outcome) => say('failed', outcome),
      tickFinished: () => undefined,
    };
  }
}
