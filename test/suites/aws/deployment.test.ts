import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { applyManifests, createClusterState } from '../../../infra/local/kubernetes-api/cluster.ts';
import { startKubernetesApi, type KubernetesApi } from '../../../infra/local/kubernetes-api/start.ts';
import { listJobs, type Authenticate } from '../../../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../../../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun, seedTenant } from '../../../infra/local/prefect-api/seed.ts';
import { startPrefectApi, type PrefectApi } from '../../../infra/local/prefect-api/server.ts';
import { createPrefectState } from '../../../infra/local/prefect-api/state.ts';
import { agentGroup, rbacOf } from '../../../infra/rbac.ts';
import { finished, type Finished } from '../../support/command.ts';
import { startEksProxy } from './eks-proxy.ts';
import { startEmulator, type Emulator } from './emulator.ts';

const root = path.join(import.meta.dirname, '../../..');
const namespace = 'flows';
const cluster = 'prod';
const token = 'the-runner-token';
const now = (): Date => new Date();

/** The emulator signs with keys of its own, so only the form of a login is looked at; test:kubernetes judges the rest. */
const authenticate: Authenticate = (bearer) => {
  const url = Buffer.from(bearer.replace(/^k8s-aws-v1\./u, ''), 'base64url').toString();
  const isLogin = url.startsWith('https://sts.us-east-1.amazonaws.com/?') && url.includes('GetCallerIdentity');
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

describe('a stack on an emulator of AWS', () => {
  const parts = new AsyncDisposableStack();
  let emulator: Emulator;
  let prefect: PrefectApi;
  let kubernetes: KubernetesApi;
  let env: Readonly<Record<string, string>> = {};
  let secretArn = '';

  /** A call of AWS that this product makes nowhere, as its protocol writes it. */
  async function aws(
    service: string,
    request: RequestInit & { readonly path?: string },
  ): Promise<Record<string, unknown>> {
    const credential = `test/20260301/us-east-1/${service}/aws4_request`;
    const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0`;
    const { path: at = '/', headers, ...rest } = request;
    const all = { ...(headers as Record<string, string>), authorization };
    const response = await fetch(`${emulator.url}${at}`, { method: 'POST', ...rest, headers: all });
    const body = await response.text();
    assert.ok(response.ok, `${service}: ${response.status} ${body}`);
    return body.startsWith('{') ? (JSON.parse(body) as Record<string, unknown>) : { body };
  }

  const secrets = async (operation: string, input: Readonly<Record<string, string>>) =>
    aws('secretsmanager', {
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `secretsmanager.${operation}` },
      body: JSON.stringify(input),
    });

  before(async () => {
    [prefect, kubernetes] = [parts.use(await startPrefect()), parts.use(await startCluster())];
    const eks = parts.use(await startEksProxy({ endpoint: kubernetes.url, caPem: kubernetes.caPem }));
    emulator = parts.use(await startEmulator({ AWS_ENDPOINT_URL_EKS: eks.url }));
    eks.forwardTo(emulator.url);
    env = {
      PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: root,
      AWS_ENDPOINT_URL: emulator.url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
      AWS_CONFIG_FILE: '/dev/null',
      SLS_AWS_MONITORING_FREQUENCY: '100',
    };
    const trust = '{"Version":"2012-10-17","Statement":[]}';
    const role = { Action: 'CreateRole', Version: '2010-05-08', RoleName: 'eks', AssumeRolePolicyDocument: trust };
    await aws('iam', { body: new URLSearchParams(role) });
    const roleArn = 'arn:aws:iam::000000000000:role/eks';
    const wanted = { name: cluster, roleArn, resourcesVpcConfig: { subnetIds: [] } };
    const headers = { 'content-type': 'application/json' };
    await aws('eks', { path: '/clusters', headers, body: JSON.stringify(wanted) });
  });
  after(async () => parts.disposeAsync());

  async function serverless(...args: readonly string[]): Promise<Finished> {
    const cli = path.join(root, 'node_modules/.bin/serverless');
    const child = spawn(process.execPath, [cli, ...args], { cwd: root, env });
    // `invoke` reads its event from there, unless somebody says that there is none.
    child.stdin.end();
    return finished(child);
  }

  async function succeed(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await serverless(...args);
    assert.equal(status, 0, `serverless ${args.join(' ')}\n${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  }

  async function deploy(params: Readonly<Record<string, string>>): Promise<string> {
    const given = { eksClusterName: cluster, prefectApi: prefect.url, namespace, podTokenSecret: 'prefect/api-key' };
    // The emulator knows no access entries: the cluster's own RBAC knows the group all the same.
    const options = Object.entries({ ...given, manageAccessEntry: 'false', ...params });
    return succeed('deploy', '--verbose', ...options.flatMap(([name, value]) => ['--param', `${name}=${value}`]));
  }

  function seedDueRun(): string {
    const runConfig = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' };
    const flowId = seedFlow(prefect.state, { name: 'nightly', runConfig }, now());
    return seedFlowRun(prefect.state, { flowId, runConfig }, now());
  }

  const stateOf = (id: string): string | undefined => readFlowRun(prefect.state, id)?.state;
  const jobs = (): number => listJobs(kubernetes.state).length;

  /** A schedule of one minute fires within two. */
  async function untilSubmitted(id: string): Promise<void> {
    for (const end = performance.now() + 120_000; stateOf(id) !== 'Submitted'; await delay(200)) {
      assert.ok(performance.now() < end, `the run is ${stateOf(id)} after two minutes`);
    }
  }

  it('is deployed with an empty secret of its own, which takes the token', async () => {
    const said = await deploy({ scheduleEnabled: 'false' });
    const id = /RunnerTokenSecretArn: (?<id>\S+)/u.exec(said)?.groups?.['id'] ?? '';

    const made = await secrets('PutSecretValue', { SecretId: id, SecretString: token });

    secretArn = String(made['ARN']);
    assert.match(secretArn, /^arn:aws:secretsmanager:us-east-1:\d{12}:secret:/u);
  });

  it('is removed, and leaves the secret with its token', async () => {
    await succeed('remove');

    const kept = await secrets('GetSecretValue', { SecretId: secretArn });
    assert.equal(kept['SecretString'], token);
    assert.notEqual((await serverless('info')).status, 0);
  });

  it('is deployed again with that secret, and ticks when it is invoked', async () => {
    await deploy({ secretArn, scheduleEnabled: 'false' });
    const id = seedDueRun();

    const dispatched = await succeed('invoke', '-f', 'dispatch');
    const reconciled = await succeed('invoke', '-f', 'reconcile');

    assert.match(dispatched, /"function": "dispatch"[\s\S]*"created": 1/u);
    assert.match(reconciled, /"function": "reconcile"[\s\S]*"waiting": 1/u);
    assert.deepEqual([stateOf(id), jobs()], ['Submitted', 1]);
  });

  it('examines itself', async () => {
    const examined = await succeed('invoke', '-f', 'reconcile', '-d', '{"doctor":true}');

    const { ok, hops } = JSON.parse(examined) as { ok: boolean; hops: readonly { hop: string; verdict: string }[] };
    const seen = hops.filter(({ verdict }) => verdict === 'ok').map(({ hop }) => hop);
    assert.equal(ok, true);
    for (const hop of ['runner-token', 'prefect-login', 'cluster-address', 'aws-identity', 'dry-run-job']) {
      assert.ok(seen.includes(hop), `${hop} is not among ${seen.join(', ')}`);
    }
  });

  it('is updated by another deployment: its schedule fires, and its lines can be read', async () => {
    await deploy({ secretArn, logLevel: 'DEBUG' });
    const id = seedDueRun();

    await untilSubmitted(id);
    const lines = await succeed('logs', '-f', 'dispatch', '--startTime', '10m');

    assert.equal(jobs(), 2);
    assert.match(lines, /tick_finished/u);
    assert.match(lines, /tick_started/u);
    assert.ok(!lines.includes(token));
  });

  it('is removed', async () => {
    await succeed('remove');

    assert.notEqual((await serverless('info')).status, 0);
  });
});
