import { agentGroup, rbacOf } from '../rbac.ts';
import { startAwsApi, type AwsApi } from './aws-api/server.ts';
import { createAwsState } from './aws-api/state.ts';
import { applyManifests, createClusterState } from './kubernetes-api/cluster.ts';
import { startKubernetesApi, type KubernetesApi } from './kubernetes-api/start.ts';
import type { Authenticate } from './kubernetes-api/state.ts';
import { seedTenant } from './prefect-api/seed.ts';
import { startPrefectApi, type PrefectApi } from './prefect-api/server.ts';
import { createPrefectState } from './prefect-api/state.ts';
import { WorldClock } from './world-clock.ts';

/** When a world begins that nobody gave a clock. */
const worldStart = new Date('2026-03-01T02:00:00.000Z');

export interface WorldOptions {
  /** A clock that stands still at `worldStart` without. */
  readonly clock?: WorldClock;
  /** The same seed gives the same ids in the same order. */
  readonly seed?: number;
  /** Added to every answer of every server, in milliseconds. */
  readonly latencyMs?: number;
  /** What one GraphQL round takes behind the gateway, in milliseconds. */
  readonly costPerOperationMs?: number;
  /** The Prefect API asks nobody for a token; without this it asks for the runner's. */
  readonly open?: boolean;
  readonly namespace?: string;
  readonly stackId?: string;
  /** More variables for the functions, or others: as `MAX_IN_FLIGHT`. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Prefect Server, a Kubernetes cluster and an AWS account on loopback, set up as after a deployment: the namespace with
 * the RBAC that we print, the functions' role mapped to its group, the runner token in its secret. Pods, flows and users
 * do nothing by themselves (player.ts plays them). State and faults are those of the three servers.
 */
export interface World extends AsyncDisposable {
  readonly clock: WorldClock;
  readonly prefect: PrefectApi;
  readonly kubernetes: KubernetesApi;
  readonly aws: AwsApi;
  readonly namespace: string;
  readonly stackId: string;
  /** Environment of both functions, as Lambda would set it. */
  readonly env: Readonly<Record<string, string>>;
}

const clusterName = 'local';
const runnerToken = 'local-runner-token';
const accessKey = { id: 'AKIALOCALLOCALLOCAL0', secret: 'local-secret-access-key' };

const defaults = {
  seed: 1,
  latencyMs: 0,
  costPerOperationMs: 0,
  open: false,
  namespace: 'flows',
  stackId: 'local',
  env: {},
};

type Wanted = Required<Omit<WorldOptions, 'clock'>> & { readonly now: () => Date };

async function startPrefect({ seed, open, latencyMs, costPerOperationMs, now }: Wanted): Promise<PrefectApi> {
  const state = createPrefectState({ seed });
  seedTenant(state);
  const token = open ? {} : { token: runnerToken };
  return startPrefectApi({ state, now, latencyMs, costPerOperationMs, ...token });
}

/** The account: the functions' role, whose keys STS knows, and the secret with the runner token. */
async function startAccount({ latencyMs, now }: Wanted): Promise<AwsApi & { readonly secretArn: string }> {
  const state = createAwsState();
  const arn = `arn:aws:sts::${state.account}:assumed-role/prefect-serverless-agent/local`;
  state.keys.set(accessKey.id, { secretAccessKey: accessKey.secret, sessionToken: null, arn });
  const secretArn = `arn:aws:secretsmanager:${state.region}:${state.account}:secret:runner-token-AbCdEf`;
  state.secrets.set(secretArn, runnerToken);
  return { ...(await startAwsApi({ state, now, latencyMs })), secretArn };
}

/** The cluster as an administrator leaves it: namespace and RBAC are there, and AWS roles may log in. */
async function startCluster({ seed, namespace, latencyMs, now }: Wanted, aws: AwsApi): Promise<KubernetesApi> {
  const authenticate: Authenticate = (token, at) => {
    const verdict = aws.verify(token, clusterName, at);
    return verdict.kind === 'granted' ? { user: verdict.arn, groups: [agentGroup] } : null;
  };
  const state = createClusterState({ seed, now: now(), authenticate, namespaces: [namespace] });
  const manifests = rbacOf(namespace).map((manifest) => ({ ...manifest }));
  applyManifests(state, manifests, now());
  const cluster = await startKubernetesApi({ state, now, latencyMs });
  const address = { name: clusterName, endpoint: cluster.url, ca: cluster.caPem, status: 'ACTIVE' } as const;
  aws.state.clusters.set(clusterName, address);
  return cluster;
}

/** Starts the servers and sets the world up. Dispose of it, or its servers keep the process alive. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { clock = new WorldClock(worldStart), ...rest } = options;
  const wanted = { ...defaults, ...rest, now: () => clock.now() };
  await using started = new AsyncDisposableStack();
  const prefect = started.use(await startPrefect(wanted));
  const aws = started.use(await startAccount(wanted));
  const kubernetes = started.use(await startCluster(wanted, aws));
  const env = {
    PREFECT_API: prefect.url,
    ...(wanted.open ? {} : { RUNNER_TOKEN_SECRET_ARN: aws.secretArn, POD_TOKEN_SECRET: 'prefect-api-key/token' }),
    EKS_CLUSTER_NAME: clusterName,
    NAMESPACE: wanted.namespace,
    STACK_ID: wanted.stackId,
    AWS_REGION: aws.state.region,
    AWS_ENDPOINT_URL_EKS: aws.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: aws.url,
    AWS_ENDPOINT_URL_STS: aws.url,
    AWS_ACCESS_KEY_ID: accessKey.id,
    AWS_SECRET_ACCESS_KEY: accessKey.secret,
    ...wanted.env,
  };
  const servers = started.move();
  const dispose = async (): Promise<void> => servers.disposeAsync();
  const { namespace, stackId } = wanted;
  return { clock, prefect, kubernetes, aws, namespace, stackId, env, [Symbol.asyncDispose]: dispose };
}
