import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { callApi, type ApiAccess, type ApiAnswer, type ApiOptions } from './api-call.ts';
import type { Tool } from './binaries.ts';
import { freePorts, startChild, waitUntil, type Child } from './child.ts';

/**
 * A real control plane on loopback: etcd, kube-apiserver and kube-controller-manager as they come from upstream. There
 * is no scheduler and no kubelet: pods stay Pending until a test plays their node.
 */
export interface ControlPlane extends ApiAccess, AsyncDisposable {
  readonly caFile: string;
  /** Client URL of etcd, whose gateway takes JSON. */
  readonly etcd: string;
  /** Path of a kubeconfig for the administrator. */
  readonly kubeconfig: string;
  call(line: string, options?: ApiOptions): Promise<ApiAnswer>;
  /** SIGKILL, and up again with the same data: what a client sees of a crash. */
  restartApiserver(): Promise<void>;
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly binaries: Readonly<Record<Tool, string>>;
  readonly apiserverFlags?: readonly string[];
  readonly kcmFlags?: readonly string[];
}

interface Layout {
  readonly folder: string;
  readonly server: string;
  readonly etcd: string;
  readonly etcdPeer: string;
  readonly port: number;
  readonly adminToken: string;
  readonly managerToken: string;
}

const inFolder = ({ folder }: Layout, name: string): string => join(folder, name);

/** The serving certificate that the API server makes for itself is its own authority. */
const caFileOf = (layout: Layout): string => inFolder(layout, 'apiserver/apiserver.crt');

async function prepare(): Promise<Layout> {
  const folder = await mkdtemp(join(tmpdir(), 'control-plane-'));
  const [etcd = 0, etcdPeer = 0, port = 0] = await freePorts(3);
  const layout: Layout = {
    folder,
    port,
    server: `https://127.0.0.1:${port}`,
    etcd: `http://127.0.0.1:${etcd}`,
    etcdPeer: `http://127.0.0.1:${etcdPeer}`,
    adminToken: randomBytes(16).toString('hex'),
    managerToken: randomBytes(16).toString('hex'),
  };
  await writeSecrets(layout);
  return layout;
}

async function writeSecrets(layout: Layout): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const users = [
    `${layout.adminToken},admin,admin,system:masters`,
    `${layout.managerToken},system:kube-controller-manager,manager,`,
  ];
  const secret = { mode: 0o600 };
  await writeFile(inFolder(layout, 'service-account.pub'), publicKey);
  await writeFile(inFolder(layout, 'service-account.key'), privateKey, secret);
  await writeFile(inFolder(layout, 'tokens.csv'), `${users.join('\n')}\n`, secret);
  await writeFile(inFolder(layout, 'kubeconfig'), kubeconfigText(layout, layout.adminToken), secret);
  await writeFile(inFolder(layout, 'manager.kubeconfig'), kubeconfigText(layout, layout.managerToken), secret);
}

function kubeconfigText(layout: Layout, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server: layout.server, 'certificate-authority': caFileOf(layout) } }],
    users: [{ name: 'test', user: { token } }],
  });
}

/** Short heartbeats and no fsync: it is gone after the test. */
const etcdFlags = (layout: Layout): string[] => [
  `--data-dir=${inFolder(layout, 'etcd')}`,
  `--listen-client-urls=${layout.etcd}`,
  `--advertise-client-urls=${layout.etcd}`,
  `--listen-peer-urls=${layout.etcdPeer}`,
  `--initial-advertise-peer-urls=${layout.etcdPeer}`,
  `--initial-cluster=default=${layout.etcdPeer}`,
  '--unsafe-no-fsync',
  '--log-level=warn',
  '--enable-grpc-gateway',
  '--heartbeat-interval=20',
  '--election-timeout=200',
];

const apiserverFlags = (layout: Layout): string[] => [
  `--etcd-servers=${layout.etcd}`,
  `--cert-dir=${inFolder(layout, 'apiserver')}`,
  '--bind-address=127.0.0.1',
  '--advertise-address=127.0.0.1',
  `--secure-port=${layout.port}`,
  '--endpoint-reconciler-type=none',
  '--service-cluster-ip-range=10.0.0.0/24',
  `--service-account-issuer=${layout.server}`,
  `--service-account-key-file=${inFolder(layout, 'service-account.pub')}`,
  `--service-account-signing-key-file=${inFolder(layout, 'service-account.key')}`,
  '--authorization-mode=Node,RBAC',
  `--token-auth-file=${inFolder(layout, 'tokens.csv')}`,
  '--allow-privileged=true',
  '--profiling=false',
];

/** Without the node lifecycle controller: nodes that a test writes have no lease, and would be marked after 50 s. */
const managerFlags = (layout: Layout): string[] => [
  `--kubeconfig=${inFolder(layout, 'manager.kubeconfig')}`,
  '--leader-elect=false',
  '--secure-port=0',
  '--use-service-account-credentials=true',
  `--service-account-private-key-file=${inFolder(layout, 'service-account.key')}`,
  `--root-ca-file=${caFileOf(layout)}`,
  '--controllers=*,-node-lifecycle-controller',
  '--profiling=false',
  '--kube-api-qps=200',
  '--kube-api-burst=400',
];

const isHealthy = async (url: string): Promise<boolean> => (await fetch(url)).ok;

async function accessTo(layout: Layout): Promise<ApiAccess> {
  const { server, adminToken } = layout;
  return { server, adminToken, caPem: await readFile(caFileOf(layout), 'utf8') };
}

async function answersOk(layout: Layout, path: string): Promise<boolean> {
  return (await callApi(await accessTo(layout), `GET ${path}`)).status === 200;
}

/** What runs, by name; ended in the reverse of the order in which it must start. */
class Processes {
  readonly #layout: Layout;
  readonly #options: ControlPlaneOptions;
  readonly #running = new Map<Tool, Child>();

  constructor(layout: Layout, options: ControlPlaneOptions) {
    this.#layout = layout;
    this.#options = options;
  }

  async startEtcd(): Promise<void> {
    const etcd = this.#start('etcd', etcdFlags(this.#layout));
    await waitUntil('etcd is healthy', etcd, async () => isHealthy(`${this.#layout.etcd}/health`));
  }

  async startApiserver(): Promise<void> {
    const flags = [...apiserverFlags(this.#layout), ...(this.#options.apiserverFlags ?? [])];
    const apiserver = this.#start('kube-apiserver', flags);
    await waitUntil('the API server is ready', apiserver, async () => answersOk(this.#layout, '/readyz'));
  }

  async startManager(): Promise<void> {
    const flags = [...managerFlags(this.#layout), ...(this.#options.kcmFlags ?? [])];
    const manager = this.#start('kube-controller-manager', flags);
    const account = '/api/v1/namespaces/default/serviceaccounts/default';
    await waitUntil('the default service account is there', manager, async () => answersOk(this.#layout, account));
  }

  async restartApiserver(): Promise<void> {
    await this.#running.get('kube-apiserver')?.stop('SIGKILL');
    await this.startApiserver();
  }

  async stop(): Promise<void> {
    for (const tool of ['kube-controller-manager', 'kube-apiserver', 'etcd'] as const) {
      await this.#running.get(tool)?.stop();
    }
    await rm(this.#layout.folder, { recursive: true, force: true });
  }

  #start(tool: Tool, flags: readonly string[]): Child {
    const child = startChild(this.#options.binaries[tool], flags, this.#layout.folder);
    this.#running.set(tool, child);
    return child;
  }
}

/** Starts the control plane (about 4 s, 400 MB). Stop it, or its processes outlive the test. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const layout = await prepare();
  const processes = new Processes(layout, options);
  try {
    await processes.startEtcd();
    await processes.startApiserver();
    await processes.startManager();
  } catch (error) {
    await processes.stop();
    throw error;
  }
  const access = await accessTo(layout);
  const stop = async (): Promise<void> => processes.stop();
  return {
    ...access,
    caFile: caFileOf(layout),
    etcd: layout.etcd,
    kubeconfig: inFolder(layout, 'kubeconfig'),
    call: async (line, callOptions) => callApi(access, line, callOptions),
    restartApiserver: async () => processes.restartApiserver(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
