import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { buildJob } from '../../functions/core/job-spec.ts';
import {
  aJobInput,
  aKubernetesRun,
  FLOW_ID,
  IDENTIFIER,
  jobOf,
  ourAnnotations,
  ourLabels,
  RUN_ID,
  staysWhereItIs,
} from '../support/job-inputs.ts';

describe('a Job with everything', () => {
  const input = aJobInput({
    run: { labels: ['aws', 'etl'] },
    flow: {
      coreVersion: '1.4.1',
      storage: {
        type: 'Docker',
        registry_url: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team',
        image_name: 'nightly-etl',
        image_tag: '2024-03-01',
        flows: {},
        path: null,
        secrets: [],
        stored_as_script: false,
        prefect_version: '1.4.1',
        __version__: '1.4.1',
      },
    },
    runConfig: aKubernetesRun({
      labels: ['aws', 'etl'],
      job_template_path: null,
      image: 'rc/image:2',
      env: { STAGE: 'prod', PREFECT__LOGGING__LEVEL: 'DEBUG' },
      cpu_limit: '2',
      cpu_request: '500m',
      memory_limit: '4Gi',
      memory_request: '2Gi',
      service_account_name: 'rc-sa',
      image_pull_secrets: ['reg-a', 'reg-b'],
      image_pull_policy: 'IfNotPresent',
      job_template: {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: {
          name: 'nightly-etl-with-a-very-long-descriptive-name-for-finance',
          labels: { team: 'finance' },
          annotations: { owner: 'ops' },
        },
        spec: {
          backoffLimit: 0,
          ttlSecondsAfterFinished: 600,
          template: {
            metadata: { annotations: { iam: 'role-x' } },
            spec: {
              nodeSelector: { pool: 'batch' },
              serviceAccountName: 'tpl-sa',
              imagePullSecrets: [{ name: 'tpl-secret' }],
              volumes: [{ name: 'scratch', emptyDir: {} }],
              containers: [
                {
                  name: 'flow',
                  image: 'tpl/image:1',
                  command: ['tini', '--'],
                  args: ['will', 'be', 'replaced'],
                  env: [
                    { name: 'TZ', value: 'UTC' },
                    { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'pw' } } },
                    { name: 'STAGE', value: 'from-template' },
                    { name: 'PREFECT__BACKEND', value: 'nope' },
                  ],
                  volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
                  resources: {
                    requests: { 'ephemeral-storage': '1Gi', cpu: '100m' },
                    limits: { 'nvidia.com/gpu': '1' },
                  },
                },
                { name: 'sidecar', image: 'envoy:1' },
              ],
            },
          },
        },
      },
    }),
    policy: {
      backend: 'cloud',
      apiUrl: 'https://api.prefect.io',
      podToken: { kind: 'plain', value: 'KEY123' },
      tenantId: '0f0f0f0f-1111-4222-8333-444455556666',
      agentLabels: ['aws', 'etl', 'k8s'],
      agentEnv: { STAGE: 'agent', REGION: 'eu-west-1' },
      serviceAccountName: 'agent-sa',
      imagePullSecrets: ['agent-secret'],
    },
  });
  const image = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/nightly-etl:2024-03-01';
  const ours = { ...ourAnnotations, 'prefect-serverless-agent/labels': '["aws","etl"]' };

  it('is the peer’s, but for name, identity and the guards against a second execution', () => {
    const { job } = jobOf(buildJob(input));

    assert.deepEqual(job, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: `prefect-job-${IDENTIFIER}`,
        labels: { team: 'finance', ...ourLabels },
        annotations: { owner: 'ops', ...ours },
      },
      spec: {
        backoffLimit: 0,
        ttlSecondsAfterFinished: 600,
        template: {
          metadata: { annotations: { iam: 'role-x', ...staysWhereItIs, ...ours }, labels: ourLabels },
          spec: {
            restartPolicy: 'Never',
            nodeSelector: { pool: 'batch' },
            serviceAccountName: 'rc-sa',
            imagePullSecrets: [{ name: 'reg-a' }, { name: 'reg-b' }],
            volumes: [{ name: 'scratch', emptyDir: {} }],
            containers: [
              {
                name: 'flow',
                image,
                imagePullPolicy: 'IfNotPresent',
                command: ['tini', '--'],
                args: ['prefect', 'execute', 'flow-run'],
                env: [
                  { name: 'PREFECT__LOGGING__LEVEL', value: 'DEBUG' },
                  { name: 'STAGE', value: 'prod' },
                  { name: 'REGION', value: 'eu-west-1' },
                  { name: 'PREFECT__CLOUD__SEND_FLOW_RUN_LOGS', value: 'true' },
                  { name: 'PREFECT__BACKEND', value: 'cloud' },
                  { name: 'PREFECT__CLOUD__AGENT__LABELS', value: "['aws', 'etl', 'k8s']" },
                  { name: 'PREFECT__CLOUD__API', value: 'https://api.prefect.io' },
                  { name: 'PREFECT__CLOUD__API_KEY', value: 'KEY123' },
                  { name: 'PREFECT__CLOUD__TENANT_ID', value: '0f0f0f0f-1111-4222-8333-444455556666' },
                  { name: 'PREFECT__CLOUD__USE_LOCAL_SECRETS', value: 'false' },
                  { name: 'PREFECT__CONTEXT__FLOW_RUN_ID', value: RUN_ID },
                  { name: 'PREFECT__CONTEXT__FLOW_ID', value: FLOW_ID },
                  { name: 'PREFECT__CONTEXT__IMAGE', value: image },
                  {
                    name: 'PREFECT__ENGINE__FLOW_RUNNER__DEFAULT_CLASS',
                    value: 'prefect.engine.cloud.CloudFlowRunner',
                  },
                  { name: 'PREFECT__LOGGING__LOG_TO_CLOUD', value: 'true' },
                  { name: 'PREFECT__CLOUD__AUTH_TOKEN', value: 'KEY123' },
                  {
                    name: 'PREFECT__ENGINE__TASK_RUNNER__DEFAULT_CLASS',
                    value: 'prefect.engine.cloud.CloudTaskRunner',
                  },
                  { name: 'TZ', value: 'UTC' },
                  { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'pw' } } },
                ],
                volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
                resources: {
                  requests: { 'ephemeral-storage': '1Gi', cpu: '500m', memory: '2Gi' },
                  limits: { 'nvidia.com/gpu': '1', cpu: '2', memory: '4Gi' },
                },
              },
              { name: 'sidecar', image: 'envoy:1' },
            ],
          },
        },
      },
    });
  });

  it('remembers who set what', () => {
    const container = '/spec/template/spec/containers/0';
    const wantLayers: Readonly<Record<string, string>> = {
      '/metadata/name': 'ours',
      '/metadata/labels/team': 'flow template',
      '/spec/backoffLimit': 'flow template',
      '/spec/template/metadata/annotations/karpenter.sh~1do-not-disrupt': 'ours',
      '/spec/template/spec/serviceAccountName': 'run config',
      [`${container}/image`]: 'storage image',
      [`${container}/env/0/value`]: 'run config',
      [`${container}/env/2/value`]: 'agent options',
      [`${container}/env/3/value`]: 'agent options',
      [`${container}/env/4/value`]: 'ours',
      [`${container}/env/18/valueFrom/secretKeyRef/key`]: 'flow template',
      [`${container}/resources/requests/cpu`]: 'run config',
      [`${container}/resources/requests/ephemeral-storage`]: 'flow template',
    };

    const { provenance } = jobOf(buildJob(input));

    assert.deepEqual(
      Object.fromEntries(Object.keys(wantLayers).map((pointer) => [pointer, provenance.get(pointer)])),
      wantLayers,
    );
  });

  it('has a layer for each leaf and none for anything else', () => {
    const leavesOf = (value: unknown, pointer: string): readonly string[] => {
      const children = typeof value === 'object' && value !== null ? Object.entries(value) : [];
      if (children.length === 0) return [pointer];
      return children.flatMap(([key, child]) => leavesOf(child, `${pointer}/${key.replaceAll('/', '~1')}`));
    };
    const filled = aJobInput({ runConfig: aKubernetesRun({ cpu_request: '1', memory_request: '' }) });

    for (const one of [input, filled, aJobInput()]) {
      const { job, provenance } = jobOf(buildJob(one));
      assert.deepEqual([...provenance.keys()].toSorted(), leavesOf(job, '').toSorted());
    }
  });
});
