import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { Json, JsonObject } from '../../../functions/core/json.ts';
import { textOf } from '../../../infra/render/print.ts';
import { at, itemsOf, jobsPath, type ContractCluster } from '../../contract/kubernetes.cluster.ts';
import type { ApiAnswer } from '../../kube/api-call.ts';
import { STACK } from '../../support/builders.ts';
import { finished, type Finished } from '../../support/command.ts';
import { heard } from '../../support/heard.ts';
import { goodRuns } from '../../support/hostile-runs.ts';
import { jobEnvCanary, judgeEachTest, runnerTokenCanary } from '../../support/judged-tests.ts';
import { openKubectl } from '../../support/kubectl.ts';
import { realCluster, type EksLogin } from '../../support/real-cluster.ts';
import { openNamespace, openStackNamespace } from '../../support/real-namespace.ts';
import { generatedRuns } from './job-corpus.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const access = realCluster();

// The Job on standard output holds what an operator gives to every flow.
judgeEachTest(access, ['JOB_ENV value in standard output']);

const dryRunPath = (cluster: ContractCluster): string => jobsPath(cluster, '?fieldValidation=Strict&dryRun=All');

interface Rendering {
  readonly cluster: ContractCluster;
  readonly login: EksLogin;
  readonly runConfig?: JsonObject;
  readonly args?: readonly string[];
}

/** The command as an operator starts it: the run on standard input, the cluster by its EKS login. */
async function render({ cluster, login, runConfig = {}, args = [] }: Rendering): Promise<Finished> {
  const run = {
    id: '8f14e45f-ceea-467f-ab1c-0d5d5a3e9b11',
    name: 'quiet-otter',
    version: 1,
    labels: [],
    run_config: { type: 'KubernetesRun', image: 'flows:1', ...runConfig },
    flow: {
      id: 'c9f0f895-fb98-4b91-99f5-1fd297e236d7',
      name: 'etl',
      core_version: '1.4.1',
      storage: { type: 'S3', bucket: 'b' },
    },
  };
  const env = {
    PATH: process.env['PATH'] ?? '',
    AWS_REGION: login.region,
    AWS_ACCESS_KEY_ID: login.accessKeyId,
    AWS_SECRET_ACCESS_KEY: login.secretAccessKey,
    AWS_SESSION_TOKEN: login.sessionToken,
    EKS_CLUSTER_NAME: login.clusterId,
    EKS_ENDPOINT: access.server,
    EKS_CA: Buffer.from(access.caPem).toString('base64'),
    NAMESPACE: cluster.namespace,
    STACK_ID: STACK,
    PREFECT_API: 'http://prefect:4200',
    RUNNER_TOKEN: runnerTokenCanary,
    POD_TOKEN_SECRET: 'prefect/api-key',
    JOB_ENV: `PASSWORD=${jobEnvCanary}`,
  };
  const command = ['infra/local/launch.cjs', 'infra/render.ts', '--file', '-', ...args];
  const child = spawn(process.execPath, command, { cwd: root, env });
  child.stdin.end(JSON.stringify(run));
  return finished(child);
}

/** What the server has understood, without what it makes up itself. */
const understood = ({ body }: ApiAnswer): readonly (Json | undefined)[] => [
  at(body, 'metadata', 'name'),
  at(body, 'metadata', 'annotations'),
  at(body, 'spec', 'template', 'spec'),
  at(body, 'spec', 'template', 'metadata', 'annotations'),
  at(body, 'spec', 'backoffLimit'),
  at(body, 'spec', 'ttlSecondsAfterFinished'),
];

describe('the YAML that render prints', () => {
  let cluster: ContractCluster;
  before(async () => {
    cluster = await openNamespace(access, 'render');
  });

  const send = async (body: unknown, contentType: string): Promise<ApiAnswer> =>
    cluster.call(`POST ${dryRunPath(cluster)}`, { body, contentType });

  it('is to a real API server the same Job as the JSON, whatever texts are in it', async () => {
    let taken = 0;
    for (const { name, ours } of generatedRuns(20_260_301, 250)) {
      if (ours.kind === 'refused') continue;
      const job = JSON.parse(JSON.stringify(ours.job)) as JsonObject;
      const rendered = { job, provenance: Object.fromEntries(ours.provenance), removed: [], refused: null };
      const json = await send(job, 'application/json');
      const yaml = await send(textOf(rendered, { json: false, explain: true }), 'application/yaml');

      assert.equal(yaml.status, json.status, `${name}: ${yaml.text}`);
      if (json.status !== 201) continue;
      taken += 1;
      assert.deepEqual(understood(yaml), understood(json), name);
    }
    assert.ok(taken >= 20, `only ${taken} Jobs were taken`);
  });
});

describe('render, piped into kubectl create --dry-run=server', () => {
  const { eks, kubectl: binary } = access;
  if (eks === null || binary === null) return;
  const create = ['create', '--dry-run=server', '--validate=strict', '-f', '-', '--output', 'name'];

  for (const [format, args] of Object.entries({ YAML: [], 'YAML with --explain': ['--explain'] })) {
    it(`is a Job that the API server would create: ${format}`, async () => {
      await using kubectl = await openKubectl(binary, await readFile(access.kubeconfig, 'utf8'));
      const cluster = await openNamespace(access, 'render-kubectl');
      const asked = Object.values(goodRuns).map(async (runConfig) => {
        const { status, stdout, stderr } = await render({ cluster, login: eks, runConfig, args });
        assert.equal(status, 0, stderr);
        return kubectl.run(create, stdout);
      });

      for (const { status, stdout, stderr } of await Promise.all(asked)) {
        assert.deepEqual([status, stderr], [0, '']);
        assert.match(stdout, /^job\.batch\/prefect-job-[\da-f]+\n$/u);
      }
      assert.deepEqual(itemsOf(await cluster.call(`GET ${jobsPath(cluster)}`)), []);
    });
  }

  it('is refused by kubectl where the author made up a field', async () => {
    await using kubectl = await openKubectl(binary, await readFile(access.kubeconfig, 'utf8'));
    const cluster = await openNamespace(access, 'render-kubectl');
    const runConfig = { job_template: 'spec: {template: {spec: {nodeSelectr: {pool: gpu}}}}' };
    const { stdout } = await render({ cluster, login: eks, runConfig });

    const { status, stderr } = await kubectl.run(create, stdout);

    assert.equal(status, 1);
    assert.match(stderr, /unknown field "spec\.template\.spec\.nodeSelectr"/u);
  });
});

describe('render --dry-run against a real API server', () => {
  const { eks } = access;
  // Only our own control plane lets the login in.
  if (eks === null) return;
  let cluster: ContractCluster;
  before(async () => {
    cluster = await openStackNamespace(access, 'render');
  });

  for (const [name, runConfig] of Object.entries(goodRuns)) {
    it(`says that it would create the Job of a run that ${name}, and creates nothing`, async () => {
      const { status, stdout, stderr } = await render({ cluster, login: eks, runConfig, args: ['--dry-run'] });

      assert.equal(status, 0, stderr);
      assert.match(stderr, /^Dry run: the API server would create this Job\.$/mu);
      assert.deepEqual(itemsOf(await cluster.call(`GET ${jobsPath(cluster)}`)), []);
      const piped = await cluster.call(`POST ${dryRunPath(cluster)}`, {
        body: stdout,
        contentType: 'application/yaml',
      });
      assert.equal(piped.status, 201, piped.text);
    });
  }

  const refusals: Readonly<Record<string, { runConfig: JsonObject; want: RegExp }>> = {
    'a field that it does not know': {
      runConfig: { job_template: 'spec: {template: {spec: {nodeSelectr: {pool: gpu}}}}' },
      want: /unknown field "spec\.template\.spec\.nodeSelectr"/u,
    },
    'a quantity that is none': {
      runConfig: { cpu_limit: 'plenty' },
      want: /quantities must match the regular expression/u,
    },
    'a request above its limit': {
      runConfig: { cpu_limit: '1', cpu_request: '2' },
      want: /resources\.requests: Invalid value: "2": must be less than or equal to cpu limit of 1/u,
    },
  };
  for (const [name, { runConfig, want }] of Object.entries(refusals)) {
    it(`says with exit status 1 that it refuses ${name}`, async () => {
      const { status, stdout, stderr } = await render({
        cluster,
        login: eks,
        runConfig,
        args: ['--dry-run', '--json'],
      });

      assert.equal(status, 1);
      assert.match(stderr, /^The API server refuses the Job \(invalid, 4\d\d\): /mu);
      assert.match((JSON.parse(stdout) as { refused: string }).refused, want);
    });
  }

  it('would be heard if it printed the login', async () => {
    await render({ cluster, login: eks, runConfig: { env: { KEY: eks.secretAccessKey } } });

    assert.throws(() => heard.judge(), /AWS secret key in standard output/u);
  });

  it('says that the Job is there already when it is', async () => {
    const { stdout } = await render({ cluster, login: eks });
    const created = await cluster.call(`POST ${jobsPath(cluster)}`, { body: stdout, contentType: 'application/yaml' });
    assert.equal(created.status, 201, created.text);

    const { status, stderr } = await render({ cluster, login: eks, args: ['--dry-run'] });

    assert.deepEqual([status, stderr], [0, 'Dry run: this Job exists already.\n']);
  });

  it('says that it may not where the manifests are not applied', async () => {
    const bare = await openNamespace(access, 'render-bare');

    const { status, stderr } = await render({ cluster: bare, login: eks, args: ['--dry-run'] });

    assert.equal(status, 1);
    assert.match(stderr, /refuses the Job \(forbidden, 403\): .*cannot create resource "jobs" in API group "batch"/u);
  });
});
