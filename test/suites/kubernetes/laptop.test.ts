import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { mintEksToken, stsHost } from '../../../functions/aws/eks-token.ts';
import { readFlowRun } from '../../../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun, seedTenant } from '../../../infra/local/prefect-api/seed.ts';
import { startPrefectApi } from '../../../infra/local/prefect-api/server.ts';
import { createPrefectState } from '../../../infra/local/prefect-api/state.ts';
import { rbacOf } from '../../../infra/rbac.ts';
import { itemsOf, jobsPath, textAt, type ContractCluster } from '../../contract/kubernetes.cluster.ts';
import { finished, jsonLines } from '../../support/command.ts';
import { heard } from '../../support/heard.ts';
import { jobEnvCanary, judgeEachTest, runnerTokenCanary } from '../../support/judged-tests.ts';
import { realCluster, type EksLogin, type RealCluster } from '../../support/real-cluster.ts';
import { applyManifest, isAllowed, openNamespace } from '../../support/real-namespace.ts';

const cluster = realCluster();
judgeEachTest(cluster);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const minute = 60_000;

/** A kubeconfig with one user, as files beside it or in it. */
async function kubeconfigIn({ folder, at: { namespace } }: Stage, user: object, context = 'prod'): Promise<string> {
  const file = join(folder, 'config');
  const authority = { 'certificate-authority-data': Buffer.from(cluster.caPem).toString('base64') };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context,
    clusters: [{ name: 'real', cluster: { server: cluster.server, ...authority } }],
    users: [{ name: 'me', user }],
    contexts: [{ name: context, context: { cluster: 'real', user: 'me', namespace } }],
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

/** What `aws eks get-token` prints, by a plugin that knows one token. */
async function execUser(folder: string, eks: EksLogin): Promise<object> {
  const { accessKeyId, secretAccessKey, sessionToken, region, clusterId } = eks;
  const credentials = { accessKeyId, secretAccessKey, sessionToken };
  const token = await mintEksToken({ credentials, region, host: stsHost(region), clusterId, now: new Date() });
  const apiVersion = 'client.authentication.k8s.io/v1beta1';
  heard.confide('login', token.reveal());
  const answer = { kind: 'ExecCredential', apiVersion, spec: {}, status: { token: token.reveal() } };
  const plugin = join(folder, 'get-token');
  await writeFile(plugin, `#!/bin/sh\ncat <<'END'\n${JSON.stringify(answer)}\nEND\n`);
  await chmod(plugin, 0o700);
  return { exec: { apiVersion, command: './get-token', args: ['--cluster-name', clusterId], env: null } };
}

/** A service account with the rights of our group, and a file with its token. */
async function tokenUser(folder: string, at: ContractCluster): Promise<object> {
  const [, binding] = rbacOf(at.namespace);
  const account = { kind: 'ServiceAccount', name: 'default', namespace: at.namespace };
  await applyManifest(at, { ...binding, metadata: { ...binding.metadata, name: 'laptop' }, subjects: [account] });
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const answer = await at.call(`POST /api/v1/namespaces/${at.namespace}/serviceaccounts/default/token`, { body });
  const token = textAt(answer.body, 'status', 'token');
  heard.confide('login', token);
  await writeFile(join(folder, 'token'), token);
  return { 'token-file': 'token' };
}

async function certificateUser(folder: string, { cert, key }: NonNullable<RealCluster['member']>): Promise<object> {
  await writeFile(join(folder, 'me.crt'), cert);
  await writeFile(join(folder, 'me.key'), key);
  return { 'client-certificate': 'me.crt', 'client-key': 'me.key' };
}

/** A namespace with the printed rights, and a Prefect API with a run that is due. */
async function setStage() {
  const at = await openNamespace(cluster, 'laptop');
  for (const manifest of rbacOf(at.namespace)) await applyManifest(at, manifest);
  const right = { apiGroup: 'batch', resource: 'jobs', verb: 'list' };
  await at.until('the binding works', async () => ((await isAllowed(at, right)) ? true : null));
  const state = createPrefectState({ seed: at.namespace });
  const due = new Date(Date.now() - minute);
  seedTenant(state, {}, due);
  const id = seedFlowRun(state, { flowId: seedFlow(state, { name: 'etl' }, due), startTime: due }, due);
  const api = await startPrefectApi({ state, token: runnerTokenCanary });
  const folder = await mkdtemp(join(tmpdir(), 'laptop-'));
  const dispose = async (): Promise<void> => {
    await api.close();
    for (const { request } of api.exchanges) heard.hearRequest('prefect', request);
    await at.call(`DELETE /api/v1/namespaces/${at.namespace}`);
    await rm(folder, { recursive: true });
  };
  const stateOfRun = (): string | undefined => readFlowRun(state, id)?.state;
  return { at, api, id, folder, stateOfRun, [Symbol.asyncDispose]: dispose };
}

type Stage = Awaited<ReturnType<typeof setStage>>;

/** The very command that a user types. */
async function npmStart({ api }: Stage, kubeconfig: string) {
  const flags = ['--api', api.url, '--kubeconfig', kubeconfig, '--ticks', '1', '--json'];
  const env = {
    ...process.env,
    RUNNER_TOKEN: runnerTokenCanary,
    POD_TOKEN_SECRET: 'prefect/api-key',
    JOB_ENV: `PASSWORD=${jobEnvCanary}`,
  };
  const child = spawn('npm', ['start', '--silent', '--', ...flags], { cwd: root, env });
  child.stdin.end();
  return finished(child);
}

describe('a laptop on a real control plane', () => {
  const { eks, member } = cluster;
  // Whom a given cluster lets in is not ours to say.
  if (eks === null || member === null) return;

  const users: Readonly<Record<string, (stage: Stage) => Promise<object>>> = {
    'an exec plugin, as for EKS': async ({ folder }) => execUser(folder, eks),
    'a client certificate in files': async ({ folder }) => certificateUser(folder, member),
    'a token in a file': async ({ folder, at }) => tokenUser(folder, at),
  };
  for (const [name, userOf] of Object.entries(users)) {
    it(`turns a due run into a Job, logged in by ${name}`, async () => {
      await using stage = await setStage();
      const { at, id } = stage;
      const kubeconfig = await kubeconfigIn(stage, await userOf(stage));

      const { status, stdout, stderr } = await npmStart(stage, kubeconfig);

      assert.deepEqual([status, stderr], [0, ''], stdout);
      const [started] = jsonLines(stdout);
      assert.deepEqual([started?.['context'], started?.['namespace']], ['prod', at.namespace]);
      const jobs = itemsOf(await at.call(`GET ${jobsPath(at)}`));
      assert.deepEqual(
        jobs.map((job) => textAt(job, 'metadata', 'labels', 'prefect.io/flow_run_id')),
        [id],
      );
      assert.equal(stage.stateOfRun(), 'Submitted');
    });
  }

  it('would be heard if it printed the runner token', async () => {
    await using stage = await setStage();
    const kubeconfig = await kubeconfigIn(stage, await execUser(stage.folder, eks), runnerTokenCanary);

    await npmStart(stage, kubeconfig);

    assert.throws(() => heard.judge(), /runner token in standard output/u);
  });

  it('is told when the API server knows its certificate and the namespace does not', async () => {
    await using stage = await setStage();
    const { folder, at } = stage;
    await at.call(
      `DELETE /apis/rbac.authorization.k8s.io/v1/namespaces/${at.namespace}/rolebindings/prefect-serverless-agent`,
    );
    const right = { apiGroup: 'batch', resource: 'jobs', verb: 'list' };
    await at.until('the right is gone', async () => ((await isAllowed(at, right)) ? null : true));
    const kubeconfig = await kubeconfigIn(stage, await certificateUser(folder, member));

    const { status, stdout } = await npmStart(stage, kubeconfig);

    assert.equal(status, 1);
    assert.match(stdout, /"code":"CLUSTER_FORBIDDEN"/u);
    assert.equal(stage.stateOfRun(), 'Scheduled');
  });
});
