import type { V1Job } from '@kubernetes/client-node';
import { STSClient } from '@aws-sdk/client-sts';

import { askCaller, type CallerAnswer } from '../aws/caller-identity.ts';
import { regionOf } from '../aws/region.ts';
import {
  clusterLogin,
  clusterOptions,
  connectTemplateSources,
  prefectOptions,
  share,
  type ClusterLogin,
  type Outside,
  type Shared,
} from '../composition.ts';
import type { Config, ConfigResult } from '../config.ts';
import type { DoctorWish } from '../doctor-event.ts';
import { prepareDrafts, type Drafted } from '../job-drafts.ts';
import { ClusterExam, type Login } from '../kubernetes/examine.ts';
import { connectKubernetes } from '../kubernetes/gateway.ts';
import type { KubernetesGateway } from '../kubernetes/contract.ts';
import type { ClusterAddress } from '../kubernetes/session.ts';
import type { HttpTransport } from '../prefect/http.ts';
import { examinePrefect, type PrefectExam } from '../prefect/examine.ts';
import type { Secret } from '../secret.ts';
import { exampleRun } from './example-run.ts';
import { clusterRegion } from './remedies.ts';
import type { Wire } from './wire.ts';

export interface Surroundings {
  readonly outside: Outside;
  readonly wire: Wire;
  /** When everything must be over. */
  readonly endsAt: Date;
}

/** Thing that is made once, when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

/**
 * One examination: the clients of the ticks, opened when a hop first needs them, and what the hops before have learned.
 * The configuration is read by the first hop; none of the others is reached without it.
 */
export class Visit {
  readonly parsed: ConfigResult;
  readonly wish: DoctorWish;
  readonly surroundings: Surroundings;
  /** Learned on the way, for the advice of later hops. */
  callerArn: string | null = null;
  login: Login | null = null;
  tenantId: string | null = null;

  constructor(parsed: ConfigResult, wish: DoctorWish, surroundings: Surroundings) {
    this.parsed = parsed;
    this.wish = wish;
    this.surroundings = surroundings;
  }

  /** A kubeconfig of the machine's user decides whom the cluster sees, and AWS has no say in it. */
  get hasOwnLogin(): boolean {
    return this.surroundings.outside.cluster !== undefined;
  }

  get region(): string | null {
    return clusterRegion(this.config.clusterAddress?.endpoint ?? null, regionOf(this.surroundings.outside.env));
  }

  /** Only dispatch has the right to templates in S3 (infra/iam.yml). */
  get mayReadTemplates(): boolean {
    const isReconcile = (this.surroundings.outside.env['AWS_LAMBDA_FUNCTION_NAME'] ?? '').endsWith('-reconcile');
    const { jobTemplate, profiles } = this.config;
    return !isReconcile || !`${jobTemplate ?? ''}${profiles ?? ''}`.includes('s3://');
  }

  get config(): Config {
    if (!this.parsed.ok) throw new Error('A hop was reached without a configuration.');
    return this.parsed.config;
  }

  readonly #shared: () => Shared = once(() => share(this.config, this.surroundings.outside));
  readonly #transport: () => HttpTransport = once(() => this.surroundings.outside.openHttp(this.config.prefectCa));
  readonly #opened: { close(): void }[] = [];

  readonly prefect: () => PrefectExam = once(() => {
    const transport = this.#kept(this.#transport());
    return examinePrefect(prefectOptions(this.#shared(), transport.post));
  });

  readonly #login: () => ClusterLogin = once(() => clusterLogin(this.#shared()));

  readonly address: () => Promise<ClusterAddress> = once(() => this.#login().address.current());

  readonly cluster: () => Promise<ClusterExam> = once(async () =>
    this.#kept(new ClusterExam(await clusterOptions(this.#shared()))),
  );

  readonly gateway: () => Promise<KubernetesGateway> = once(async () =>
    this.#kept(connectKubernetes(await clusterOptions(this.#shared()))),
  );

  /** The Job of an example run, as dispatch would create it. */
  readonly draft: () => Promise<Drafted> = once(async () => {
    const shared = this.#shared();
    const config = this.mayReadTemplates ? this.config : { ...this.config, jobTemplate: null, profiles: null };
    const templates = connectTemplateSources({ ...shared, config });
    const { token } = shared;
    const { clock } = this.surroundings.outside;
    const run = exampleRun(this.wish.image, this.config.agentLabels);
    const sources = { tenantId: () => this.tenantId, token, clock, ...templates };
    const drafter = await prepareDrafts(config, sources)([run], this.limit(10_000));
    return drafter(run, { key: '1', claimId: 'doctor' });
  });

  async runnerToken(): Promise<Secret | null> {
    return this.#shared().token.current();
  }

  /** Signs a token: what goes wrong without asking anybody goes wrong here. */
  async signLogin(): Promise<void> {
    await this.#login().token.current();
  }

  async caller(): Promise<CallerAnswer> {
    return askCaller(new STSClient({}), this.surroundings.outside.clock);
  }

  /** The drafted Job; only hops behind the one that drafts it ask. */
  async job(): Promise<V1Job> {
    const draft = await this.draft();
    if (draft.kind !== 'job') throw new Error('A hop was reached without a Job.');
    return draft.job;
  }

  limit(ms: number): AbortSignal {
    const { clock } = this.surroundings.outside;
    return clock.limit(Math.min(ms, this.remainingMs()));
  }

  remainingMs(): number {
    const { outside, endsAt } = this.surroundings;
    return endsAt.getTime() - outside.clock.now().getTime();
  }

  /** Nothing of the visit outlives it. */
  end(): void {
    for (const one of this.#opened) one.close();
  }

  #kept<T extends { close(): void }>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }
}
