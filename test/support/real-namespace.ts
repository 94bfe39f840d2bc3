import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { parseAllDocuments } from 'yaml';

import { agentGroup, rbacOf } from '../../infra/rbac.ts';
import { at, type ContractCluster } from '../contract/kubernetes.cluster.ts';
import { callApi } from '../kube/api-call.ts';
import { finished } from './command.ts';
import type { RealCluster } from './real-cluster.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const longestWaitMs = 30_000;

async function until<Value>(what: string, read: () => Promise<Value | null>): Promise<Value> {
  for (const deadline = performance.now() + longestWaitMs; performance.now() < deadline; await delay(50)) {
    const value = await read();
    if (value !== null) return value;
  }
  throw new Error(`${what}: not within ${longestWaitMs / 1000} s`);
}

let namespaces = 0;

/** A namespace of its own for each test. Nobody waits for its end: deleting one takes ten seconds. */
export async function openNamespace(
  access: RealCluster,
  prefix: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<ContractCluster> {
  namespaces += 1;
  const namespace = `${prefix}-${process.pid}-${namespaces}-${Date.now().toString(36)}`;
  const call: ContractCluster['call'] = async (line, options) => callApi(access, line, options);
  const metadata = { name: namespace, labels };
  await call('POST /api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata } });
  const account = `GET /api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await until('the default service account', async () => ((await call(account)).status === 200 ? true : null));
  const pass = async (seconds: number): Promise<void> => delay(seconds * 1000);
  return { namespace, call, until, pass, now: () => new Date(), compact: null };
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: object;
  readonly [field: string]: unknown;
}

const collectionOf = ({ apiVersion, kind }: Manifest, namespace: string): string => {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${group}/namespaces/${namespace}/${kind.toLowerCase()}s`;
};

/** What `kubectl create` does with a manifest. */
export async function applyManifest(cluster: ContractCluster, manifest: Manifest): Promise<void> {
  const answer = await cluster.call(`POST ${collectionOf(manifest, cluster.namespace)}`, { body: manifest });
  assert.equal(answer.status, 201, answer.text);
}

export interface Right {
  readonly apiGroup: string;
  readonly resource: string;
  readonly verb: string;
}

/** Whether our group has a right in the namespace, as the API server's own authorizer says. */
export async function isAllowed(cluster: ContractCluster, { apiGroup, resource, verb }: Right): Promise<boolean> {
  const [name = '', subresource = ''] = resource.split('/');
  const resourceAttributes = { namespace: cluster.namespace, group: apiGroup, resource: name, subresource, verb };
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user: agentGroup, groups: [agentGroup], resourceAttributes },
  };
  const answer = await cluster.call('POST /apis/authorization.k8s.io/v1/subjectaccessreviews', { body });
  assert.equal(answer.status, 201, answer.text);
  return at(answer.body, 'status', 'allowed') === true;
}

/** Our Role in the namespace, in force. */
async function bind(cluster: ContractCluster, manifests: readonly Manifest[]): Promise<ContractCluster> {
  for (const manifest of manifests) await applyManifest(cluster, manifest);
  const right = { apiGroup: 'batch', resource: 'jobs', verb: 'list' };
  await cluster.until('the binding works', async () => ((await isAllowed(cluster, right)) ? true : null));
  return cluster;
}

/** A namespace of its own with our Role, without the command that prints it. */
export async function openAgentNamespace(...wish: Parameters<typeof openNamespace>): Promise<ContractCluster> {
  const cluster = await openNamespace(...wish);
  return bind(cluster, rbacOf(cluster.namespace));
}

/** What an administrator pipes into kubectl, as the real command prints it. */
async function printedManifests(namespace: string): Promise<Manifest[]> {
  const child = spawn('npm', ['run', '--silent', 'manifests', '--', '--namespace', namespace], { cwd: root });
  child.stdin.end();
  const { status, stdout, stderr } = await finished(child);
  assert.equal(status, 0, stderr);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** A namespace of its own in which the printed manifests are applied and have taken effect. */
export async function openStackNamespace(access: RealCluster, prefix: string): Promise<ContractCluster> {
  const cluster = await openNamespace(access, prefix);
  return bind(cluster, await printedManifests(cluster.namespace));
}
