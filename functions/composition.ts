import { randomUUID } from 'node:crypto';

import { EKSClient } from '@aws-sdk/client-eks';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { defaultProvider } from '@aws-sdk/credential-provider-node';

import { clientSettings } from './aws/client-settings.ts';
import { describedCluster, type EksMemory } from './aws/eks-cluster.ts';
import { eksLogin, stsHost } from './aws/eks-token.ts';
import { regionOf } from './aws/region.ts';
import { runnerToken, type TokenMemory } from './aws/runner-token.ts';
import { systemClock, type Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { TickReport } from './core/tick-report.ts';
import { BoundaryError } from './errors.ts';
import { KnownSecrets } from './known-secrets.ts';
import { connectKubernetes } from './kubernetes/gateway.ts';
import type { KubernetesGateway, KubernetesOptions } from './kubernetes/contract.ts';
import { openSession, type ApiSession, type ClusterAddress } from './kubernetes/session.ts';
import { watchedSession } from './kubernetes/watched-session.ts';
import { connectPrefect } from './prefect/client.ts';
import type { PrefectClient, PrefectMemory, PrefectOptions } from './prefect/contract.ts';
import { connectHttp, type HttpTransport } from './prefect/http.ts';
import type { Secret } from './secret.ts';
import { constant, type Source } from './source.ts';
import { systemWire, type Wire } from './templates/guarded-get.ts';
import { operatorTemplates, type OperatorTemplatesSource } from './templates/operator-templates.ts';
import { connectTemplates, type TemplateReader } from './templates/template-reader.ts';
import type { Invocation, TickEvents } from './ticks/ports.ts';

/** Where the API server is and how to be let in. */
export interface ClusterLogin {
  readonly address: Source<ClusterAddress>;
  readonly token: Source<Secret | null>;
}

/** What surrounds the functions. Lambda's is `machineOutside`; a simulation brings its own clock, ids and transports. */
export interface Outside {
  readonly clock: Clock;
  /** Dates logins to AWS, where the hour of the world is not that of AWS; default: `clock`. */
  readonly loginClock?: Clock;
  readonly newId: () => string;
  /** Region and endpoint switches of AWS. The SDK reads its own variables itself. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly openHttp: (ca: string | null) => HttpTransport;
  readonly openSession: (address: ClusterAddress) => ApiSession;
  /** Names and sockets for templates from elsewhere; default: the machine's. */
  readonly wire?: Wire;
  /** A login of the machine's user, by a kubeconfig; default: the EKS cluster of the configuration. */
  readonly cluster?: ClusterLogin;
  /** The runner token; default: the configured one, or Secrets Manager by a client with sockets and timers of its own. */
  readonly token?: Source<Secret | null>;
}

export type Tick = (invocation: Invocation, events: TickEvents) => Promise<TickReport>;

/** The machine this runs on: its clock, its randomness, its sockets. */
export function machineOutside(env: Readonly<Record<string, string | undefined>>): Outside {
  return { clock: systemClock, newId: randomUUID, env, openHttp: (ca) => connectHttp({ ca }), openSession };
}

/** What one container remembers between its invocations: nothing that decides, only what would be asked again. */
interface Memory {
  readonly prefect: PrefectMemory;
  readonly token: TokenMemory;
  readonly eks: EksMemory;
}

/** What both functions are made of: one per container. */
export interface Shared {
  readonly config: Config;
  readonly outside: Outside;
  readonly memory: Memory;
  readonly token: Source<Secret | null>;
  /** What Jobs of ours may carry, and nobody may repeat in texts of ours. */
  readonly known: KnownSecrets;
}

function tokenSource(config: Config, outside: Outside, memory: TokenMemory): Source<Secret | null> {
  const { runnerToken: wanted } = config;
  if (outside.token !== undefined) return outside.token;
  if (wanted.kind === 'none') return constant(null);
  if (wanted.kind === 'given') return constant(wanted.token);
  const client = new SecretsManagerClient(clientSettings(outside.env, 'SECRETS_MANAGER'));
  return runnerToken({ client, secretArn: wanted.arn, key: wanted.key, memory, clock: outside.clock });
}

export function share(config: Config, outside: Outside): Shared {
  const memory: Memory = {
    prefect: { tenantId: null, agentId: null },
    token: { token: null, readAt: null },
    eks: { cluster: null },
  };
  const known = new KnownSecrets(config.jobEnv);
  return { config, outside, memory, known, token: known.learnedFrom(tokenSource(config, outside, memory.token)) };
}

function clusterSource({ config, outside, memory }: Shared): Source<ClusterAddress> {
  if (config.clusterAddress !== null) return constant(config.clusterAddress);
  const client = new EKSClient(clientSettings(outside.env, 'EKS'));
  return describedCluster({ client, name: config.clusterName, memory: memory.eks, clock: outside.clock });
}

function login({ config, outside }: Shared): Source<Secret> {
  const region = regionOf(outside.env);
  if (region === null) {
    throw new BoundaryError(
      'CONFIG_INVALID',
      'AWS_REGION is not set, or names no region: the login to the cluster is signed for a region.',
      { retry: 'never', command: 'export AWS_REGION=<region of the cluster>' },
    );
  }
  const host = stsHost(region, {
    fips: outside.env['AWS_USE_FIPS_ENDPOINT'] === 'true',
    dualStack: outside.env['AWS_USE_DUALSTACK_ENDPOINT'] === 'true',
  });
  return eksLogin({
    credentials: defaultProvider(),
    region,
    host,
    clusterId: config.clusterName,
    clock: outside.loginClock ?? outside.clock,
  });
}

/** The cluster of these functions: the given login, or EKS with the credentials of the function. */
export function clusterLogin(shared: Shared): ClusterLogin {
  return shared.outside.cluster ?? { address: clusterSource(shared), token: login(shared) };
}

/** Where templates come from; the operator's own are remembered. */
export interface Templates {
  readonly reader: TemplateReader;
  readonly operator: OperatorTemplatesSource;
}

/** The root of what is deployed: Lambda names it, npm scripts run in it. */
const deployed = (env: Outside['env']): string => `${env['LAMBDA_TASK_ROOT'] ?? '.'}/infra/templates`;

/** Templates of the bundle, of S3 with the functions' role, and of the web: for operator and authors, once per container. */
export function connectTemplateSources({ config, outside }: Shared): Templates {
  const { env, clock, wire = systemWire } = outside;
  const reader = connectTemplates({
    sources: config.templateSources,
    folder: deployed(env),
    region: regionOf(env),
    s3Endpoint: env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'] ?? null,
    credentials: defaultProvider(),
    wire,
    clock,
  });
  const { jobTemplate, profiles } = config;
  return { reader, operator: operatorTemplates({ jobTemplate, profiles, reader, clock }) };
}

/** The token in Jobs has to be known before anybody is heard who may quote it. That it cannot be read, Prefect's client says. */
async function knowWhatJobsCarry({ config, token }: Shared): Promise<void> {
  if (config.podToken.kind === 'plain') await token.current().catch(() => null);
}

/** What one invocation talks to the cluster with: a token of its own, a session of its own. */
export async function clusterOptions(shared: Shared): Promise<KubernetesOptions> {
  const { config, outside, memory, known } = shared;
  const cluster = clusterLogin(shared);
  await knowWhatJobsCarry(shared);
  const address = await cluster.address.current();
  // A cluster that was made anew has another address and another CA: the next tick of this container asks for them.
  const forget = (): void => {
    memory.eks.cluster = null;
  };
  return {
    address,
    token: cluster.token,
    namespace: config.namespace,
    stackId: config.stackId,
    clock: outside.clock,
    hide: (text) => known.hiddenIn(text),
    session: watchedSession(outside.openSession(address), forget),
  };
}

/** Opens the cluster for one invocation. */
export async function openCluster(shared: Shared): Promise<KubernetesGateway> {
  return connectKubernetes(await clusterOptions(shared));
}

/** What one invocation talks to the Prefect API with. */
export function prefectOptions(
  { config, outside, memory, token }: Shared,
  post: HttpTransport['post'],
): PrefectOptions {
  return {
    url: config.prefectApi,
    backend: config.backend,
    token,
    tenantId: config.tenantId,
    memory: memory.prefect,
    agentName: config.agentName,
    labels: config.agentLabels,
    stackId: config.stackId,
    clock: outside.clock,
    post,
  };
}

/** Runs one tick with a Prefect client whose connections end with it. */
export async function withPrefect<T>(shared: Shared, work: (prefect: PrefectClient) => Promise<T>): Promise<T> {
  const transport = shared.outside.openHttp(shared.config.prefectCa);
  try {
    return await work(connectPrefect(prefectOptions(shared, transport.post)));
  } finally {
    transport.close();
  }
}
