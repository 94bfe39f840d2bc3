import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { machineOutside } from '../../../functions/composition.ts';
import type { DoctorReport } from '../../../functions/doctor/finding.ts';
import { runDoctor } from '../../../functions/doctor/run-doctor.ts';
import { permissions } from '../../../functions/kubernetes/permissions.ts';
import { startAwsApi } from '../../../infra/local/aws-api/server.ts';
import { takeAwsEnvironment } from '../../../infra/local/functions.ts';
import { seedTenant } from '../../../infra/local/prefect-api/seed.ts';
import { startPrefectApi } from '../../../infra/local/prefect-api/server.ts';
import { createPrefectState } from '../../../infra/local/prefect-api/state.ts';
import { rbacOf, rulesOf } from '../../../infra/rbac.ts';
import {
  bindToNode,
  corePath,
  endedPod,
  itemsOf,
  jobsPath,
  textAt,
  untilGone,
  writePodStatus,
  type ContractCluster,
} from '../../contract/kubernetes.cluster.ts';
import { heard } from '../../support/heard.ts';
import { jobEnvCanary, judgeEachTest, runnerTokenCanary } from '../../support/judged-tests.ts';
import { realCluster, type EksLogin } from '../../support/real-cluster.ts';
import { applyManifest, isAllowed, openNamespace } from '../../support/real-namespace.ts';

const cluster = realCluster();
judgeEachTest(cluster);

/** A namespace with the printed manifests, but for what is left out of the table. */
async function openPrepared(without: (typeof permissions)[number]['verb'] | null = null): Promise<ContractCluster> {
  const at = await openNamespace(cluster, 'doctor');
  const [role, binding] = rbacOf(at.namespace);
  const rules = rulesOf(permissions.filter(({ verb }) => verb !== without));
  await applyManifest(at, { ...role, rules });
  await applyManifest(at, binding);
  const right = { apiGroup: 'batch', resource: 'jobs', verb: 'list' };
  await at.until('the binding works', async () => ((await isAllowed(at, right)) ? true : null));
  return at;
}

interface Asked {
  readonly env?: Readonly<Record<string, string>>;
  readonly inCluster?: boolean;
}

/** The doctor between this cluster, a local Prefect API and a local STS that knows the login. */
async function examine(at: ContractCluster, eks: EksLogin, asked: Asked = {}): Promise<DoctorReport> {
  const state = createPrefectState({ seed: at.namespace });
  seedTenant(state, {}, new Date());
  await using prefect = await startPrefectApi({ state, token: runnerTokenCanary });
  await using aws = await startAwsApi();
  const { secretAccessKey, sessionToken, accessKeyId } = eks;
  const arn = 'arn:aws:sts::123456789012:assumed-role/prefect-serverless-agent/suite';
  aws.state.keys.set(accessKeyId, { secretAccessKey, sessionToken, arn });
  const env = {
    PREFECT_API: prefect.url,
    EKS_CLUSTER_NAME: eks.clusterId,
    EKS_ENDPOINT: cluster.server,
    EKS_CA: Buffer.from(cluster.caPem).toString('base64'),
    NAMESPACE: at.namespace,
    STACK_ID: 'doctor',
    AWS_REGION: eks.region,
    AWS_ENDPOINT_URL_STS: aws.url,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    RUNNER_TOKEN: runnerTokenCanary,
    POD_TOKEN_SECRET: 'none',
    JOB_ENV: `PASSWORD=${jobEnvCanary}`,
    ...asked.env,
  };
  takeAwsEnvironment(env);
  const wish = { inCluster: asked.inCluster ?? false, image: null };
  const report = await runDoctor({ env, wish, endsAt: new Date(Date.now() + 50_000), outside: machineOutside(env) });
  heard.hear('reports of the doctor', JSON.stringify(report));
  for (const [to, { exchanges }] of Object.entries({ prefect, aws })) {
    for (const { request } of exchanges) heard.hearRequest(to, request);
  }
  return report;
}

/** The kubelet of the pod that the doctor starts. */
async function playPod(at: ContractCluster, exitCode: number): Promise<void> {
  const pod = await at.until('the pod of the doctor', async () => {
    const answer = await at.call(`GET ${corePath(at, 'pods?labelSelector=prefect-serverless-agent%2Fdoctor')}`);
    return textAt(itemsOf(answer)[0], 'metadata', 'name') || null;
  });
  await bindToNode(at, pod);
  await writePodStatus(at, pod, endedPod(at, exitCode));
}

describe('the doctor on a real control plane', () => {
  const { eks } = cluster;
  // Whom a given cluster lets in is not ours to say.
  if (eks === null) return;

  it('finds everything well with the rights of the printed Role, and its Job is gone', async () => {
    const at = await openPrepared();

    const [report] = await Promise.all([examine(at, eks, { inCluster: true }), playPod(at, 0)]);

    assert.equal(report.ok, true, JSON.stringify(report.hops.at(-1)));
    assert.deepEqual(
      report.hops.filter(({ verdict }) => verdict !== 'ok').map(({ hop, verdict }) => [hop, verdict]),
      [
        ['quota', 'unseen'],
        ['service-account', 'unseen'],
        ['pod-secret', 'skipped'],
      ],
    );
    const job = textAt(itemsOf(await at.call(`GET ${jobsPath(at)}`))[0], 'metadata', 'name');
    if (job !== '') await untilGone(at, jobsPath(at, `/${job}`));
  });

  it('would be heard if it reported the runner token', async () => {
    await examine(await openPrepared(), eks, { env: { AGENT_NAME: runnerTokenCanary } });

    assert.throws(() => heard.judge(), /runner token in reports of the doctor/u);
  });

  const broken: Readonly<Record<string, { asked?: Asked; without?: 'delete'; wantHop: string; wantSaw: RegExp }>> = {
    'a login for another cluster': {
      asked: { env: { EKS_CLUSTER_NAME: 'another' } },
      wantHop: 'access-entry',
      wantSaw: /rejects the login \(401\)/,
    },
    'a verb that the Role lacks': {
      without: 'delete',
      wantHop: 'permissions',
      wantSaw: /1 of 7 rights are missing .*: delete jobs\.batch$/,
    },
    'a template that the API server does not take': {
      asked: { env: { JOB_TEMPLATE: 'spec: {backoffLimt: 0, template: {spec: {containers: [{}]}}}' } },
      wantHop: 'dry-run-job',
      wantSaw: /unknown field "spec\.backoffLimt"/,
    },
  };
  for (const [name, { asked = {}, without = null, wantHop, wantSaw }] of Object.entries(broken)) {
    it(`finds ${name}`, async () => {
      const report = await examine(await openPrepared(without), eks, asked);

      const last = report.hops.at(-1);
      assert.deepEqual([last?.hop, last?.verdict], [wantHop, 'broken'], JSON.stringify(last));
      assert.match(last?.saw ?? '', wantSaw);
    });
  }
});
