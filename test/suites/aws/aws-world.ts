import assert from 'node:assert/strict';
import path from 'node:path';

import { applyManifests, createClusterState } from '../../../infra/local/kubernetes-api/cluster.ts';
import { startKubernetesApi, type KubernetesApi } from '../../../infra/local/kubernetes-api/start.ts';
import type { Authenticate } from '../../../infra/local/kubernetes-api/state.ts';
import { seedFlow, seedFlowRun, seedTenant } from '../../../infra/local/prefect-api/seed.ts';
import { startPrefectApi, type PrefectApi } from '../../../infra/local/prefect-api/server.ts';
import { createPrefectState } from '../../../infra/local/prefect-api/state.ts';
import { agentGroup, rbacOf } from '../../../infra/rbac.ts';
import { heard } from '../../support/heard.ts';
import { hearServers, type HeardServers } from '../../support/scanned-world.ts';
import { startEksProxy } from './eks-proxy.ts';
import { startEmulator, type Emulator } from './emulator.ts';

export const namespace = 'flows';
export const cluster = 'prod';
/** The runner token that the Prefect API wants. */
export const token = 'the-runner-token';

/** Params that leave out what the emulator refuses: AWS::EKS::AccessEntry and AWS::Logs::QueryDefinition. */
export const refusedByEmulator = { manageAccessEntry: 'false', savedQueries: 'false' } as const;

/** A request to a service of AWS. */
export interface AwsRequest extends RequestInit {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An account of AWS with an EKS cluster, and a Prefect API, all on loopback and on the machine's time. */
export interface AwsWorld extends AsyncDisposable {
  readonly prefect: PrefectApi;
  readonly kubernetes: KubernetesApi;
  /** What the command line of AWS and of Serverless need to be sent there. */
  readonly env: Readonly<Record<string, string>>;
  /** A call that this product makes nowhere, as AWS's protocol writes it; fails for a refusal. */
  aws(service: string, request: AwsRequest): Promise<Record<string, unknown>>;
  /** The id of a run that is due. */
  seedDueRun(): string;
  /** Throws when the runner token, or a login to the cluster, stands where it must not. The world's end does so too. */
  judge(): void;
}

/** What came to the servers so far, and what `serverless` has said; then that is forgotten. */
function judge(servers: HeardServers): void {
  heard.confide('runner token', token);
  hearServers(servers);
  heard.judge();
  for (const { exchanges } of [servers.prefect, servers.kubernetes]) exchanges.splice(0);
}

const now = (): Date => new Date();

/** The emulator signs with keys of its own, so only the form of a login is looked at; test:kubernetes judges the rest. */
const authenticate: Authenticate = (bearer) => {
  const url = Buffer.from(bearer.replace(/^k8s-aws-v1\./u, ''), 'base64url').toString();
  const isLogin =
    /^https:\/\/sts\.[a-z]+-[a-z]+-\d\.amazonaws\.com\/\?/u.test(url) && url.includes('GetCallerIdentity');
  return isLogin ? { user: 'function', groups: [agentGroup] } : null;
};

async function startCluster(): Promise<KubernetesApi> {
  const state = createClusterState({ seed: 1, now: now(), authenticate, namespaces: [namespace] });
  const manifests = rbacOf(namespace).map((manifest) => ({ ...manifest }));
  applyManifests(state, manifests, now());
  return startKubernetesApi({ state, now });
}

async function startPrefect(): Promise<PrefectApi> {
  const state = createPrefectState({ seed: 1 });
  seedTenant(state);
  return startPrefectApi({ state, now, token });
}

async function callAws(emulator: Emulator, service: string, request: AwsRequest): Promise<Record<string, unknown>> {
  const credential = `test/20260301/us-east-1/${service}/aws4_request`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0`;
  const { path: at = '/', headers, ...rest } = request;
  const all = { ...headers, authorization };
  const response = await fetch(`${emulator.url}${at}`, { method: 'POST', ...rest, headers: all });
  const body = await response.text();
  assert.ok(response.ok, `${service}: ${response.status} ${body}`);
  return body.startsWith('{') ? (JSON.parse(body) as Record<string, unknown>) : { body };
}

const environment = (emulator: Emulator): Readonly<Record<string, string>> => ({
  PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`,
  HOME: path.join(import.meta.dirname, '../../..'),
  AWS_ENDPOINT_URL: emulator.url,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
  AWS_CONFIG_FILE: '/dev/null',
  SLS_AWS_MONITORING_FREQUENCY: '100',
});

async function createCluster(aws: AwsWorld['aws']): Promise<void> {
  const trust = '{"Version":"2012-10-17","Statement":[]}';
  const role = { Action: 'CreateRole', Version: '2010-05-08', RoleName: 'eks', AssumeRolePolicyDocument: trust };
  await aws('iam', { body: new URLSearchParams(role) });
  const roleArn = 'arn:aws:iam::000000000000:role/eks';
  const wanted = { name: cluster, roleArn, resourcesVpcConfig: { subnetIds: [] } };
  await aws('eks', {
    path: '/clusters',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(wanted),
  });
}

/** Starts all of it. With `policies` the emulator judges every call by the caller's IAM policies. */
export async function startAwsWorld({ policies }: { readonly policies: boolean }): Promise<AwsWorld> {
  const parts = new AsyncDisposableStack();
  const [prefect, kubernetes] = [parts.use(await startPrefect()), parts.use(await startCluster())];
  const eks = parts.use(await startEksProxy({ endpoint: kubernetes.url, caPem: kubernetes.caPem }));
  const emulator = parts.use(await startEmulator({ AWS_ENDPOINT_URL_EKS: eks.url, AUTH: String(policies) }));
  eks.forwardTo(emulator.url);
  const aws: AwsWorld['aws'] = async (service, request) => callAws(emulator, service, request);
  await createCluster(aws);
  return {
    prefect,
    kubernetes,
    env: environment(emulator),
    aws,
    seedDueRun: () => {
      const runConfig = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' };
      const flowId = seedFlow(prefect.state, { name: 'nightly', runConfig }, now());
      return seedFlowRun(prefect.state, { flowId, runConfig }, now());
    },
    judge: () => judge({ prefect, kubernetes }),
    [Symbol.asyncDispose]: async () => {
      await parts.disposeAsync();
      judge({ prefect, kubernetes });
    },
  };
}
