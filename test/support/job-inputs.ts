import type { FlowOfRun, FlowRun, FlowRunId } from '../../functions/core/flow-run.ts';
import {
  buildJob,
  type BuiltJob,
  type JobPolicy,
  type JobSpecInput,
  type JobSpecResult,
} from '../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import { aFlowRun, STACK } from './builders.ts';

export const RUN_ID = '8f14e45f-ceea-467f-ab1c-0d5d5a3e9b11' as FlowRunId;
export const FLOW_ID = 'c9f0f895-fb98-4b91-99f5-1fd297e236d7';
/** SHA-256 of `RUN_ID`, a line feed and the key `4`, its first 16 digits. */
export const IDENTIFIER = '503e395113c1a424';

/** A policy as a stack without any setting has it; the baseline template policy. */
export function aJobPolicy(wish: Partial<JobPolicy> = {}): JobPolicy {
  return {
    namespace: 'flows',
    agentLabels: [],
    apiUrl: 'http://apollo.prefect:4200',
    backend: 'server',
    tenantId: null,
    podToken: { kind: 'none' },
    agentEnv: {},
    loggingLevel: 'INFO',
    sendFlowRunLogs: true,
    serviceAccountName: null,
    imagePullSecrets: [],
    jobTemplate: null,
    templatePolicy: 'baseline',
    ttlSeconds: 86_400,
    ...wish,
  };
}

interface JobWish {
  readonly runConfig?: Json;
  readonly flow?: Partial<FlowOfRun>;
  readonly run?: Partial<FlowRun>;
  readonly policy?: Partial<JobPolicy>;
  readonly resolvedTemplate?: JobSpecInput['resolvedTemplate'];
}

/** The smallest question: a run without a run config, from S3 storage, of a flow without a version. */
export function aJobInput(wish: JobWish = {}): JobSpecInput {
  const { runConfig = null, flow, run, policy, resolvedTemplate } = wish;
  return {
    run: aFlowRun({
      id: RUN_ID,
      runConfig,
      flow: {
        id: FLOW_ID,
        name: 'Nightly ETL',
        coreVersion: null,
        storage: { type: 'S3', bucket: 'flows' },
        settings: {},
        ...flow,
      },
      ...run,
    }),
    identity: { key: '4', claimId: 'claim-1', stackId: STACK },
    policy: aJobPolicy(policy),
    ...(resolvedTemplate === undefined ? {} : { resolvedTemplate }),
  };
}

/** A KubernetesRun with these fields. */
export function aKubernetesRun(fields: JsonObject): JsonObject {
  return { type: 'KubernetesRun', __version__: '1.4.1', ...fields };
}

/** The Job, or a failed test that says why there is none. */
export function jobOf(result: JobSpecResult): BuiltJob {
  if (result.kind === 'refused') throw new Error(`refused by ${result.rule}: ${result.message}`);
  return result;
}

/** Labels that every Job of `aJobInput` has, on itself and on its pods. */
export const ourLabels = {
  'prefect.io/identifier': IDENTIFIER,
  'prefect.io/flow_run_id': RUN_ID,
  'prefect.io/flow_id': FLOW_ID,
  'prefect-serverless-agent/stack': STACK,
};

/** Annotations that every Job of `aJobInput` has, on itself and on its pods. */
export const ourAnnotations = {
  'prefect-serverless-agent/key': '4',
  'prefect-serverless-agent/claim': 'claim-1',
  'prefect-serverless-agent/labels': '[]',
};

/** Annotations that every pod has whose template says nothing else. */
export const staysWhereItIs = {
  'karpenter.sh/do-not-disrupt': 'true',
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
};

/** A template with these fields of the Job's spec and of the pod's. */
export function aTemplate(spec: JsonObject, pod: JsonObject = {}): JsonObject {
  return { spec: { ...spec, template: { spec: { containers: [{ name: 'flow' }], ...pod } } } };
}

/** A run config whose author brings this template. */
export function anAuthorsTemplate(job_template: Json): { readonly runConfig: JsonObject } {
  return { runConfig: aKubernetesRun({ job_template }) };
}

/** The flow's own container of the built Job, as JSON. */
export function containerOf(input: JobSpecInput): JsonObject {
  const [container] = jobOf(buildJob(input)).job.spec?.template.spec?.containers ?? [];
  return JSON.parse(JSON.stringify(container)) as JsonObject;
}

/** The flow container's variables: value, or where it comes from, by name. */
export function envOf(input: JobSpecInput): Readonly<Record<string, Json>> {
  const entries = containerOf(input)['env'] as readonly JsonObject[];
  return Object.fromEntries(entries.map((entry) => [entry['name'], entry['value'] ?? entry['valueFrom'] ?? null]));
}
