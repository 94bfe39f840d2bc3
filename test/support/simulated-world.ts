import { systemClock, type Clock } from '../../functions/clock.ts';
import type { Config } from '../../functions/config.ts';
import { parseConfig } from '../../functions/config.ts';
import type { FlowRunId } from '../../functions/core/flow-run.ts';
import type { TickReport } from '../../functions/core/tick-report.ts';
import { prepareDrafts, type DraftSources } from '../../functions/job-drafts.ts';
import { connectTemplates } from '../../functions/templates/template-reader.ts';
import { connectKubernetes } from '../../functions/kubernetes/gateway.ts';
import type { ApiSession } from '../../functions/kubernetes/session.ts';
import { quietAgeMs } from '../../functions/limits.ts';
import { connectPrefect } from '../../functions/prefect/client.ts';
import type { Post, PrefectMemory } from '../../functions/prefect/contract.ts';
import { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import { runDispatchTick } from '../../functions/ticks/dispatch-tick.ts';
import type { TickEvents } from '../../functions/ticks/ports.ts';
import { runReconcileTick } from '../../functions/ticks/reconcile-tick.ts';
import type { LocalRequest, LocalResponse } from '../../infra/local/http.ts';
import { applyManifests, createClusterState } from '../../infra/local/kubernetes-api/cluster.ts';
import { handle as kubernetesHandle } from '../../infra/local/kubernetes-api/handle.ts';
import { listJobs, type ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import { prefectHandle } from '../../infra/local/prefect-api/edge.ts';
import { seedTenant } from '../../infra/local/prefect-api/seed.ts';
import { createPrefectState, type PrefectState } from '../../infra/local/prefect-api/state.ts';
import { agentGroup, rbacOf } from '../../infra/rbac.ts';
import { STACK } from './builders.ts';
import { postTo } from './local-post.ts';
import { T0 } from './time.ts';

const NAMESPACE = 'flows';

/** Lets a request through, holds it up, changes its answer, or throws to lose it. */
export type Interceptor = (
  request: LocalRequest,
  forward: () => LocalResponse,
) => LocalResponse | Promise<LocalResponse>;

/** Thrown by an interceptor: the connection died. Whether the request took effect is the interceptor's choice. */
export class ConnectionLost extends Error {
  readonly code = 'ECONNRESET';
}

class VirtualClock implements Clock {
  #now = T0.getTime();

  now(): Date {
    return new Date(this.#now);
  }

  async sleep(ms: number): Promise<void> {
    this.#now += Math.max(0, ms);
  }

  limit(): AbortSignal {
    return new AbortController().signal;
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}

const silent: TickEvents = {
  tickStarted: () => undefined,
  decided: () => undefined,
  applied: () => undefined,
  failed: () => undefined,
  tickFinished: () => undefined,
};

/** A world without templates: none of the operator's, and nothing to read an author's from. */
const noTemplates: Pick<DraftSources, 'operator' | 'reader'> = {
  operator: async () => ({ jobTemplate: null, profiles: [], caps: new Map() }),
  reader: connectTemplates({
    sources: [],
    folder: 'infra/templates',
    region: null,
    s3Endpoint: null,
    credentials: () => Promise.reject(new Error('no credentials')),
    wire: { resolve: async () => [], send: () => Promise.reject(new Error('no network')) },
    clock: systemClock,
  }),
};

const environment = {
  PREFECT_API: 'http://prefect.test/graphql',
  EKS_CLUSTER_NAME: 'test',
  STACK_ID: STACK,
  NAMESPACE,
};

function configOf(env: Readonly<Record<string, string>>): Config {
  const parsed = parseConfig({ ...environment, ...env });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

/** One container of the functions: what it remembers outlives its ticks, as in Lambda. */
export class Container {
  readonly #world: SimulatedWorld;
  readonly #config: Config;
  readonly #events: TickEvents;
  readonly #memory: PrefectMemory = { tenantId: null, agentId: null };

  constructor(world: SimulatedWorld, env: Readonly<Record<string, string>>, events: TickEvents) {
    this.#world = world;
    this.#config = configOf(env);
    this.#events = events;
  }

  /** One tick of dispatch, `limitMs` long at the most. */
  async dispatch(limitMs = 50_000): Promise<TickReport> {
    const { clock } = this.#world;
    const config = this.#config;
    const prefect = this.#prefect();
    const { stackId, maxInFlight, maxPerTick, labelLimits, lateRunLimitMs, infraRetries } = config;
    const limits = { maxInFlight, maxPerTick, labelLimits, lateRunLimitMs };
    const policy = { stackId, ...limits, infraRetries, paused: config.dispatchPaused };
    const { agentName, createConcurrency, pendingGraceMs } = config;
    const drafter = prepareDrafts(config, {
      tenantId: () => prefect.tenantId(),
      token: constant(null),
      clock,
      ...noTemplates,
    });
    return runDispatchTick(
      {
        prefect,
        cluster: async () => this.#kubernetes(),
        clock,
        newId: () => this.#world.newId(),
        events: this.#events,
        drafter,
      },
      { policy, agentName, createConcurrency, pendingGraceMs, quietAgeMs },
      { endsAt: new Date(clock.now().getTime() + limitMs), requestId: 'request' },
    );
  }

  /** One tick of reconcile. */
  async reconcile(limitMs = 50_000): Promise<TickReport> {
    const { clock } = this.#world;
    const { agentName, agentLabels, logTailLines } = this.#config;
    return runReconcileTick(
      {
        prefect: this.#prefect(),
        cluster: async () => this.#kubernetes(),
        clock,
        newId: () => this.#world.newId(),
        events: this.#events,
      },
      { policy: { ...this.#config, quietAgeMs }, agentName, agentLabels, logTailLines },
      { endsAt: new Date(clock.now().getTime() + limitMs), requestId: 'request' },
    );
  }

  #prefect() {
    const { prefectApi, backend, agentName, agentLabels, stackId } = this.#config;
    const { clock, post } = this.#world;
    const token = constant(null);
    return connectPrefect({
      url: prefectApi,
      backend,
      token,
      tenantId: null,
      memory: this.#memory,
      agentName,
      labels: agentLabels,
      stackId,
      clock,
      post,
    });
  }

  #kubernetes() {
    const address = { endpoint: 'https://kubernetes.test', ca: null };
    const { clock } = this.#world;
    return connectKubernetes({
      address,
      token: constant(new Secret('agent')),
      namespace: NAMESPACE,
      stackId: this.#config.stackId,
      clock,
      session: this.#world.openSession(),
    });
  }
}

/**
 * Both local servers and the real clients without a socket, a timer or the wall clock. Requests pass an interceptor, so
 * that a test can say what happens before, after and instead of each.
 */
export class SimulatedWorld {
  readonly clock = new VirtualClock();
  readonly prefect: PrefectState = createPrefectState({ seed: 'simulated' });
  readonly cluster: ClusterState;
  readonly post: Post;
  onPrefect: Interceptor = (_request, forward) => forward();
  onKubernetes: Interceptor = (_request, forward) => forward();
  /** Requests so far, by server. */
  readonly requests = { prefect: [] as LocalRequest[], kubernetes: [] as LocalRequest[] };
  #ids = 0;

  constructor() {
    seedTenant(this.prefect, {}, T0);
    const agent = { user: 'agent', groups: [agentGroup] };
    this.cluster = createClusterState({
      seed: 1,
      now: T0,
      namespaces: [NAMESPACE],
      authenticate: (token) => (token === 'agent' ? agent : null),
    });
    applyManifests(
      this.cluster,
      rbacOf(NAMESPACE).map((manifest) => ({ ...manifest })),
      T0,
    );
    const answer = prefectHandle(this.prefect);
    this.post = postTo(async (request) => {
      this.requests.prefect.push(request);
      return this.onPrefect(request, () => answer(request, this.clock.now()));
    });
  }

  newId(): string {
    this.#ids += 1;
    return `00000000-0000-4000-9000-${String(this.#ids).padStart(12, '0')}`;
  }

  container(env: Readonly<Record<string, string>> = {}, events: TickEvents = silent): Container {
    return new Container(this, env, events);
  }

  /** All Jobs in the namespace. */
  jobs() {
    return listJobs(this.cluster, NAMESPACE);
  }

  jobsOf(runId: FlowRunId | string) {
    return this.jobs().filter((job) => job.metadata.labels?.['prefect.io/flow_run_id'] === runId);
  }

  openSession(): ApiSession {
    const send = async (wire: Parameters<ApiSession['send']>[0]) => {
      wire.signal.throwIfAborted();
      const request = { method: wire.method, path: wire.path, headers: wire.headers, body: wire.body ?? '' };
      this.requests.kubernetes.push(request);
      const { status, headers, body } = await this.onKubernetes(request, () =>
        kubernetesHandle(this.cluster, request, this.clock.now()),
      );
      return { status, headers, body };
    };
    return { send, connections: () => 1, close: () => undefined };
  }
}
