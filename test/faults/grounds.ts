import type { Clock } from '../../functions/clock.ts';
import { composeDispatch } from '../../functions/compose-dispatch.ts';
import { composeReconcile } from '../../functions/compose-reconcile.ts';
import { machineOutside, type Outside, type Tick } from '../../functions/composition.ts';
import { describeProblems, parseConfig, type Config } from '../../functions/config.ts';
import { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import { createAwsState, type AwsState } from '../../infra/local/aws-api/state.ts';
import { verifyEksToken } from '../../infra/local/aws-api/eks-token-verifier.ts';
import { applyManifests, createClusterState } from '../../infra/local/kubernetes-api/cluster.ts';
import { handle as kubernetesHandle } from '../../infra/local/kubernetes-api/handle.ts';
import type { ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import { prefectHandle } from '../../infra/local/prefect-api/edge.ts';
import { seedTenant } from '../../infra/local/prefect-api/seed.ts';
import { createPrefectState, type PrefectState } from '../../infra/local/prefect-api/state.ts';
import { agentGroup, rbacOf } from '../../infra/rbac.ts';
import { T0 } from '../support/time.ts';
import { FaultClock } from './fault-clock.ts';
import { memoryHttp, memorySession } from './memory-wire.ts';
import { Relay } from './relay.ts';
import type { Target } from './wire-faults.ts';

export type FunctionName = 'dispatch' | 'reconcile';

/** Both functions in a warm container each. */
export interface Functions {
  /** Who is at work now, for the history: of each function, and whoever began last. */
  readonly actors: Record<FunctionName | 'latest', string>;
  readonly dispatch: Tick;
  readonly reconcile: Tick;
}

/** What a scene stands on: the three APIs, a relay before them, and functions that know nothing of it. */
export interface Grounds extends AsyncDisposable {
  readonly clock: FaultClock;
  readonly prefect: PrefectState;
  readonly cluster: ClusterState;
  readonly aws: AwsState;
  readonly relay: Relay;
  readonly namespace: string;
  readonly stackId: string;
  /** Values that may be in no output. */
  readonly canaries: readonly string[];
  /** Fresh containers, with these variables over those of the world, on a machine whose clock may be its own. */
  start(env?: Readonly<Record<string, string>>, clock?: Clock): Promise<Functions>;
  goDown(to: Target): Promise<void>;
  comeBack(to: Target): Promise<void>;
}

const namespace = 'flows';
const stackId = 'local';
const clusterName = 'local';
const accessKey = { id: 'AKIALOCALLOCALLOCAL0', secret: 'local-secret-access-key' };
const runnerToken = 'canary-runner-token/Kp31';

export function configOf(env: Readonly<Record<string, string>>): Config {
  const parsed = parseConfig(env);
  if (!parsed.ok) throw new Error(describeProblems(parsed.problems));
  return parsed.config;
}

/** Ids of claims that are the same in every run. */
function counter(): () => string {
  let ids = 0;
  return () => {
    ids += 1;
    return `00000000-0000-4000-9000-${String(ids).padStart(12, '0')}`;
  };
}

/** Composes both functions for an environment; `outsideOf` gives each its own way out. */
export function composeBoth(
  env: Readonly<Record<FunctionName, Readonly<Record<string, string>>>>,
  outsideOf: (name: FunctionName, actor: () => string) => Partial<Outside>,
): Functions {
  const actors = { dispatch: 'dispatch#0', reconcile: 'reconcile#0', latest: 'dispatch#0' };
  const outside = (name: FunctionName): Outside => ({
    ...machineOutside(env[name]),
    ...outsideOf(name, () => actors[name]),
  });
  return {
    actors,
    dispatch: composeDispatch(configOf(env.dispatch), outside('dispatch')),
    reconcile: composeReconcile(configOf(env.reconcile), outside('reconcile')),
  };
}

/** The SDK takes credentials from the process alone. */
export function takeCredentials(env: Readonly<Record<string, string>> = {}): void {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: accessKey.id,
    AWS_SECRET_ACCESS_KEY: accessKey.secret,
    AWS_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_MAX_ATTEMPTS: '1',
    ...env,
  });
}

function anAccount(): AwsState {
  const aws = createAwsState();
  const arn = `arn:aws:sts::${aws.account}:assumed-role/prefect-serverless-agent/local`;
  aws.keys.set(accessKey.id, { secretAccessKey: accessKey.secret, sessionToken: null, arn });
  return aws;
}

function aCluster(aws: AwsState): ClusterState {
  const cluster = createClusterState({
    seed: 1,
    now: T0,
    namespaces: [namespace],
    authenticate: (token, now) => {
      const verdict = verifyEksToken(token, { clusterId: clusterName, keys: aws.keys, now });
      return verdict.kind === 'granted' ? { user: verdict.arn, groups: [agentGroup] } : null;
    },
  });
  applyManifests(
    cluster,
    rbacOf(namespace).map((manifest) => ({ ...manifest })),
    T0,
  );
  return cluster;
}

const environment = {
  PREFECT_API: 'http://prefect.test/graphql',
  EKS_CLUSTER_NAME: clusterName,
  EKS_ENDPOINT: 'https://kubernetes.test',
  EKS_CA: Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64'),
  NAMESPACE: namespace,
  STACK_ID: stackId,
  AWS_REGION: 'us-east-1',
};

export interface MemoryWish extends Pick<Partial<Outside>, 'wire'> {
  /** How wrong the clock of the Prefect server is. */
  readonly prefectAheadMs?: number;
}

/** Grounds without a socket: faults strike the requests in memory, and a whole scene takes milliseconds. */
export function memoryGrounds({ prefectAheadMs = 0, ...outside }: MemoryWish = {}): Grounds {
  takeCredentials();
  const clock = new FaultClock(T0);
  const now = (): Date => clock.now();
  const aws = anAccount();
  const cluster = aCluster(aws);
  const prefect = createPrefectState({ seed: 'faults' });
  seedTenant(prefect, {}, T0);
  const relay = new Relay({ now, pause: (ms, gone) => clock.pass(ms, gone) });
  const newId = counter();
  const prefectNow = (): Date => new Date(clock.now().getTime() + prefectAheadMs);
  const canaries = [accessKey.secret, runnerToken];
  const toPrefect = { relay, now: prefectNow, handle: prefectHandle(prefect) };
  const toCluster = {
    relay,
    now,
    handle: (...[request, at]: Parameters<typeof toPrefect.handle>) => {
      const login = (request.headers['authorization'] ?? '').replace(/^Bearer /u, '');
      if (!canaries.includes(login)) canaries.push(login);
      return kubernetesHandle(cluster, request, at);
    },
  };
  const start: Grounds['start'] = async (env = {}, machine = clock) => {
    const whole = { ...environment, ...env };
    return composeBoth({ dispatch: whole, reconcile: whole }, (_name, actor) => ({
      ...outside,
      clock: machine,
      newId,
      token: constant(new Secret(runnerToken)),
      openHttp: () => memoryHttp(toPrefect, actor),
      openSession: () => memorySession(toCluster, actor),
    }));
  };
  const down = async (to: Target): Promise<void> => relay.goDown(to);
  const back = async (to: Target): Promise<void> => relay.comeBack(to);
  const parts = { clock, prefect, cluster, aws, relay, namespace, stackId, canaries };
  return { ...parts, start, goDown: down, comeBack: back, [Symbol.asyncDispose]: async () => undefined };
}
