import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

import { agentGroup } from '../../../infra/rbac.ts';
import { playedNode } from '../../contract/kubernetes.cluster.ts';
import { startAudit } from '../../kube/audit.ts';
import { resolveBinaries } from '../../kube/binaries.ts';
import { makeClientAuthority } from '../../kube/client-authority.ts';
import { startControlPlane, type ControlPlane } from '../../kube/control-plane.ts';
import { startEksWebhook, type EksKey } from '../../kube/eks-webhook.ts';
import { environmentFor, type EksLogin, type RealCluster } from '../../support/real-cluster.ts';
import { noJobCache } from '../../support/real-plane.ts';
import { runSuite, runTests, testFilesIn, thisTerminal } from '../suite.ts';
import { givenCluster } from './given-cluster.ts';

const about = `Runs test/suites/kubernetes/*.test.ts on a real control plane: etcd, kube-apiserver and kube-controller-manager, with
the real aws-iam-authenticator as login. Each is taken from $KUBEBUILDER_ASSETS, else from the cache, else built with
Go (about eight minutes the first time).

$CONTRACT_KUBECONFIG names a kubeconfig of a cluster to use instead; only what a foreign cluster can show is run then.
The cluster must not have nodes that take pods: the tests play the kubelet.`;

const login: EksLogin = {
  clusterId: 'prefect-test',
  region: 'us-east-1',
  accessKeyId: 'ASIAKUBERNETESSUITE0',
  secretAccessKey: 'kubernetes-suite-secret-key',
  sessionToken: 'kubernetes-suite-session',
};

const role: EksKey = {
  ...login,
  arn: 'arn:aws:sts::123456789012:assumed-role/prefect-serverless-agent/suite',
  username: 'prefect-serverless-agent',
  groups: ['prefect-serverless-agent'],
};

/** Looks back at what all the others did, so it runs when they are done. */
const last = 'permissions.test.ts';

async function runFiles(cluster: RealCluster): Promise<number> {
  const files = await testFilesIn(import.meta.dirname);
  const isLast = (file: string): boolean => basename(file) === last;
  const env = environmentFor(cluster);
  const status = await runTests(
    files.filter((file) => !isLast(file)),
    env,
  );
  return status === 0 ? runTests(files.filter(isLast), env) : status;
}

/** Pods on a node that is not there are collected after 40 s (kubernetes 1.35, pkg/controller/podgc), whoever plays them. */
async function registerNode(plane: ControlPlane): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Node', metadata: { name: playedNode } };
  const { status, text } = await plane.call('POST /api/v1/nodes', { body });
  if (status !== 201) throw new Error(`The API server takes no node: ${text}`);
}

async function runOnOwnCluster(say: (line: string) => void): Promise<number> {
  const binaries = await resolveBinaries(say);
  await using webhook = await startEksWebhook(binaries['eks-token-verifier'], {
    clusterId: login.clusterId,
    keys: [role],
  });
  await using audit = await startAudit(agentGroup);
  await using client = await makeClientAuthority('laptop', agentGroup);
  const apiserverFlags = [...webhook.apiserverFlags, ...audit.apiserverFlags, ...client.apiserverFlags, noJobCache];
  await using plane = await startControlPlane({ binaries, apiserverFlags });
  await registerNode(plane);
  const { server, caPem, adminToken, kubeconfig, etcd } = plane;
  // Awaited here: the cluster must not end before its tests have.
  const { kubectl } = binaries;
  const access = { server, caPem, adminToken, kubeconfig, etcd };
  return await runFiles({ ...access, eks: login, auditLog: audit.path, kubectl, member: client.member });
}

async function runOnGivenCluster(kubeconfig: string): Promise<number> {
  return runFiles(givenCluster(kubeconfig, await readFile(kubeconfig, 'utf8')));
}

async function run(say: (line: string) => void): Promise<number> {
  const given = process.env['CONTRACT_KUBECONFIG'] ?? '';
  return given === '' ? runOnOwnCluster(say) : runOnGivenCluster(given);
}

process.exitCode = await runSuite({ name: 'kubernetes', about, run }, thisTerminal);
