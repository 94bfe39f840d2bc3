import type { JsonRecord } from '../../infra/local/prefect-api/jsonb.ts';
import type { Shape } from './scenario.ts';

const base: JsonRecord = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0', memory_limit: '256Mi' };

const job = (spec: JsonRecord, pod: JsonRecord = {}): JsonRecord => ({
  ...base,
  job_template: {
    apiVersion: 'batch/v1',
    kind: 'Job',
    spec: { ...spec, template: { spec: { containers: [{ name: 'flow' }], ...pod } } },
  },
});

const ignoreDisruptions = {
  rules: [{ action: 'FailJob', onExitCodes: { containerName: 'flow', operator: 'In', values: [1, 137] } }],
};

const sidecar = { containers: [{ name: 'flow' }, { name: 'proxy', image: 'registry.example.com/proxy:1' }] };

const runConfigs: Readonly<Record<Shape, JsonRecord>> = {
  plain: base,
  sidecar: job({}, sidecar),
  backoff: job({ backoffLimit: 2 }),
  deadline: job({ activeDeadlineSeconds: 90 }),
  'pod-failure-policy': job({ podFailurePolicy: ignoreDisruptions }),
  unreadable: { ...base, env: 'DEBUG=1' },
  hostile: job(
    { ttlSecondsAfterFinished: 1 },
    { hostNetwork: true, hostPID: true, serviceAccountName: 'admin', nodeName: 'control-plane' },
  ),
  'forbidden-path': { ...base, job_template_path: 'http://169.254.169.254/latest/meta-data' },
  'no-service-account': { ...base, service_account_name: 'nobody-made-it' },
};

/** The run config of a run of this shape. */
export const runConfigOf = (shape: Shape): JsonRecord => runConfigs[shape];

/** Rows of the matrix that a run of this shape stands for, hit when dispatch decides about it. */
export const rowOfShape: Readonly<Partial<Record<Shape, number>>> = {
  deadline: 36,
  'pod-failure-policy': 36,
  unreadable: 41,
  hostile: 42,
  'forbidden-path': 43,
};
