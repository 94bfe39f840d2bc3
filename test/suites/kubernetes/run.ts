import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { agentGroup } from '../../../infra/rbac.ts';
import { playedNode } from '../../contract/kubernetes.cluster.ts';
import { startAudit } from '../../kube/audit.ts';
import { MissingTool, resolveBinaries } from '../../kube/binaries.ts';
import { startControlPlane, type ControlPlane } from '../../kube/control-plane.ts';
import { startEksWebhook, type EksKey } from '../../kube/eks-webhook.ts';
import { environmentFor, type EksLogin, type RealCluster } from '../../support/real-cluster.ts';
import { givenCluster } from './given-cluster.ts';

const help = `npm run test:kubernetes [-- --required]

Runs test/suites/kubernetes/*.test.ts on a real control plane: etcd, kube-apiserver and kube-controller-manager, with
the real aws-iam-authenticator as login. Each is taken from $KUBEBUILDER_ASSETS, else from the cache, else built with
Go (about eight minutes the first time).

  --required   a missing tool is an error (as with CI set); otherwise the suite says what is missing and is skipped
  --help       this text

$CONTRACT_KUBECONFIG names a kubeconfig of a cluster to use instead; only what a foreign cluster can show is run then.
The cluster must not have nodes that take pods: the tests play the kubelet.
`;

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

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

/** The store's past is to be forgotten on request, so lists of Jobs must come from the store and not from a cache. */
const noJobCache = '--watch-cache-sizes=jobs.batch#0';

/** Looks back at what all the others did, so it runs when they are done. */
const last = 'permissions.test.ts';

async function runFiles(cluster: RealCluster): Promise<number> {
  const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.test.ts')).sort();
  const code = await runTogether(
    files.filter((file) => file !== last),
    cluster,
  );
  return code === 0 ? runTogether([last], cluster) : code;
}

async function runTogether(files: readonly string[], cluster: RealCluster): Promise<number> {
  const paths = files.map((file) => join(import.meta.dirname, file));
  const env = { ...process.env, ...environmentFor(cluster) };
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...paths], { stdio: 'inherit', env });
  // Ctrl-C ends the tests, and then the cluster in good order.
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

/** Pods on a node that is not there are collected after 40 s (kubernetes 1.35, pkg/controller/podgc), whoever plays them. */
async function registerNode(plane: ControlPlane): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Node', metadata: { name: playedNode } };
  const { status, text } = await plane.call('POST /api/v1/nodes', { body });
  if (status !== 201) throw new Error(`The API server takes no node: ${text}`);
}

async function runOnOwnCluster(): Promise<number> {
  const binaries = await resolveBinaries(say);
  await using webhook = await startEksWebhook(binaries['eks-token-verifier'], {
    clusterId: login.clusterId,
    keys: [role],
  });
  await using audit = await startAudit(agentGroup);
  const apiserverFlags = [...webhook.apiserverFlags, ...audit.apiserverFlags, noJobCache];
  await using plane = await startControlPlane({ binaries, apiserverFlags });
  await registerNode(plane);
  const { server, caPem, adminToken, kubeconfig, etcd } = plane;
  // Awaited here: the cluster must not end before its tests have.
  return await runFiles({ server, caPem, adminToken, kubeconfig, etcd, eks: login, auditLog: audit.path });
}

async function runOnGivenCluster(kubeconfig: string): Promise<number> {
  return runFiles(givenCluster(kubeconfig, await readFile(kubeconfig, 'utf8')));
}

/** What a missing tool means: nothing, or, where the suite is required, a failure. */
function missing(error: MissingTool, isRequired: boolean): number {
  say(`${error.message} ${isRequired ? 'It is required here.' : 'Skipped.'}`);
  return isRequired ? 1 : 0;
}

async function runSuite(): Promise<number> {
  const given = process.env['CONTRACT_KUBECONFIG'] ?? '';
  return given === '' ? runOnOwnCluster() : runOnGivenCluster(given);
}

interface Flags {
  readonly required?: boolean;
  readonly help?: boolean;
}

/** Null, and a sentence, when the command line cannot be read. */
function readFlags(): Flags | null {
  try {
    return parseArgs({ options: { required: { type: 'boolean' }, help: { type: 'boolean' } } }).values;
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)} See --help.`);
    return null;
  }
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags === null) return 2;
  if (flags.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const isRequired = flags.required === true || (process.env['CI'] ?? '') !== '';
  return runSuite().catch((error: unknown) => {
    if (error instanceof MissingTool) return missing(error, isRequired);
    throw error;
  });
}

process.exitCode = await main();
