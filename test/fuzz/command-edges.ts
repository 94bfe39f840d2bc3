import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';

import type { Json } from '../../functions/core/json.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { constant } from '../../functions/source.ts';
import { execCredentials } from '../../infra/kubeconfig/exec-plugin.ts';
import { KubeconfigError } from '../../infra/kubeconfig/kubeconfig-error.ts';
import { kubeconfigLogin } from '../../infra/kubeconfig/kubeconfig-login.ts';
import { playsRealRuns } from '../../infra/laptop/local-world.ts';
import { localMark } from '../../infra/local/http.ts';
import { UsageError } from '../../infra/render/options.ts';
import { readRunFile } from '../../infra/render/run-file.ts';
import { aRunId } from '../support/builders.ts';
import { aClock } from '../support/clients.ts';
import { laterEdge, type Edge } from './edge.ts';
import { hostileJson, hostileText, textOfJson, twisted } from './hostile-json.ts';

/** A file that is gone afterwards. */
async function withFile(text: string, work: (file: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
  try {
    const file = join(folder, 'file');
    writeFileSync(file, text);
    await work(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const run = {
  id: aRunId(1),
  name: 'quiet-otter',
  labels: ['gpu'],
  run_config: { type: 'KubernetesRun' },
  flow: { id: aRunId(2), name: 'etl', core_version: '1.4.1', storage: { type: 'S3' }, flow_group: { settings: {} } },
};
const runFiles = fc.oneof(
  fc
    .oneof(
      twisted(run),
      twisted({ data: { flow_run: [run] } }),
      twisted({ data: { flow_run_by_pk: run } }),
      hostileJson,
    )
    .map(textOfJson),
  hostileText,
);

const holdsForRunFile = (text: string): Promise<void> =>
  withFile(text, (file) => {
    try {
      const read = readRunFile(file);
      if (read.kind === 'run') assert.match(read.run.id, /^[\da-fA-F-]{36}$/u);
      else assert.ok(read.message !== '' && read.message.length < 2_000);
    } catch (error) {
      assert.ok(error instanceof UsageError, String(error));
    }
  });

const apiVersion = 'client.authentication.k8s.io/v1';
const credential = {
  kind: 'ExecCredential',
  apiVersion,
  status: { token: 'abc', expirationTimestamp: '2026-11-25T00:00:00Z', clientCertificateData: 'c', clientKeyData: 'k' },
};
const emptyCredentials = fc.constantFrom(
  { ...credential, status: {} },
  { ...credential, status: { token: '' } },
  { ...credential, status: { clientCertificateData: 'c', clientKeyData: '' } },
);
const pluginConfig = {
  apiVersion,
  command: 'aws',
  args: ['a'],
  env: [{ name: 'A', value: 'b' }],
  interactiveMode: 'Never',
};

const outside = { user: 'u', cluster: {}, env: {}, clock: aClock() };

/** Nothing is run for it. */
async function holdsForPlugin(exec: Json): Promise<void> {
  try {
    const source = execCredentials({ ...outside, exec });
    assert.equal(typeof source.current, 'function');
  } catch (error) {
    assert.ok(error instanceof KubeconfigError, String(error));
  }
}

/** A login with something in it, whatever a plugin prints, or words. */
const holdsForCredential = (text: string): Promise<void> =>
  withFile(text, async (file) => {
    const exec = { apiVersion, command: '/bin/cat', args: [file] };
    try {
      const { token, certificate } = await execCredentials({ ...outside, exec }).current();
      assert.ok(token !== null || certificate !== null);
      assert.ok(token === null || token.reveal() !== '');
      assert.ok(certificate === null || (certificate.cert !== '' && certificate.key !== ''));
    } catch (error) {
      assert.ok(error instanceof BoundaryError, String(error));
      assert.equal(error.code, 'CLUSTER_FORBIDDEN');
    }
  });

const cluster = { server: 'https://kubernetes.test', 'certificate-authority-data': 'QQ==', 'tls-server-name': 'a' };
const contexts = { 'current-context': 'a', contexts: [{ name: 'a', context: { cluster: 'c', user: 'u' } }] };
const kubeconfigs = fc.oneof(
  ...[
    { token: 'abc' },
    { 'token-file': 'token' },
    { 'client-certificate-data': 'QQ==', 'client-key-data': 'QQ==' },
    { 'client-certificate': 'cert', 'client-key': 'key' },
    { username: 'a', password: 'b' },
    { 'auth-provider': { name: 'gcp', config: {} } },
  ].map((user) => twisted({ ...contexts, clusters: [{ name: 'c', cluster }], users: [{ name: 'u', user }] })),
);

/** A login to an https address, by something that can be sent; or one sentence. */
const holdsForLogin = (text: string): Promise<void> =>
  withFile(text.slice(0, 10_000), async (file) => {
    try {
      const { server, address, token } = kubeconfigLogin({ file, env: {}, clock: aClock() });
      assert.equal(new URL(server).protocol, 'https:');
      const { endpoint, ca, clientCert } = await address.current();
      assert.ok(endpoint === server && (ca === null || typeof ca === 'string'));
      assert.ok((await token.current()) !== null || typeof clientCert === 'string');
    } catch (error) {
      assert.ok(error instanceof KubeconfigError || error instanceof BoundaryError, String(error));
    }
  });

const versions = fc.oneof(
  fc.constantFrom<Json>(localMark, [localMark], { gitVersion: localMark }, { platform: [localMark] }).map(textOfJson),
  twisted({ platform: localMark, major: '1' }).map(textOfJson),
  twisted({ platform: 'linux/amd64' }).map(textOfJson),
  hostileText,
);

/** The mark of the local cluster, in its place, and nothing else makes a cluster local; nothing listens at the Prefect API. */
async function holdsForVersion(body: string): Promise<void> {
  const login = {
    address: constant({ endpoint: 'https://kubernetes.test', ca: null }),
    token: constant(null),
  };
  const send = async () => ({ status: 200, headers: {}, body });
  const openSession = () => ({ send, connections: () => 1, close: () => undefined });
  const played = await playsRealRuns({ login, openSession, prefectApi: 'http://127.0.0.1:1' });
  assert.equal(played, /^\{(?:.*,)?"platform":"prefect-serverless-agent\/local"[,}]/su.test(body));
}

/** Where the commands of a laptop read files, plugins and servers. */
export const commandEdges: readonly Edge[] = [
  laterEdge({ name: 'files of a run', share: 2, files: ['infra/render/run-file.ts'] }, runFiles, holdsForRunFile),
  laterEdge(
    { name: 'exec plugins', share: 2, files: ['infra/kubeconfig/exec-plugin.ts'] },
    fc.oneof(twisted(pluginConfig), hostileJson),
    holdsForPlugin,
  ),
  laterEdge(
    { name: 'what exec plugins print', share: 0.2, files: ['infra/kubeconfig/exec-plugin.ts'] },
    fc.oneof(fc.oneof(twisted(credential), emptyCredentials, hostileJson).map(textOfJson), hostileText),
    holdsForCredential,
  ),
  laterEdge(
    { name: 'logins of a kubeconfig', share: 2, files: ['infra/kubeconfig/kubeconfig-login.ts'] },
    kubeconfigs.map(textOfJson),
    holdsForLogin,
  ),
  laterEdge(
    { name: 'versions of a cluster', share: 1, files: ['infra/laptop/local-world.ts'] },
    versions,
    holdsForVersion,
  ),
];
