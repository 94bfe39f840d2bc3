import type { FlowRunId } from '../../../../functions/core/flow-run.ts';
import { buildJob, type JobSpecInput, type JobSpecResult } from '../../../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../../../functions/core/json.ts';
import { templateSourceOf } from '../../../../functions/core/run-config.ts';
import { aFlowRun } from '../../../support/builders.ts';

/** A flow run as GraphQL gives it, as far as a Job needs it. */
export interface WireRun {
  readonly id: string;
  readonly flow: { readonly id: string; readonly core_version?: string | null; readonly storage: Json };
  readonly run_config?: Json;
}

/** The agent's options, in our words. */
export interface AgentOptions {
  readonly backend: 'server' | 'cloud';
  readonly api: string;
  readonly key: string | null;
  readonly tenantId: string | null;
  readonly labels: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly loggingLevel: string;
  readonly sendFlowRunLogs: boolean;
  readonly serviceAccountName: string | null;
  readonly imagePullSecrets: readonly string[] | null;
  readonly hasTemplate: boolean;
}

/** One question to both: which Job would you make? */
export interface PeerCase {
  readonly run: WireRun;
  readonly agent: AgentOptions;
  /** Templates by path; the agent's is `case:agent`. */
  readonly files: Readonly<Record<string, Json>>;
  /** Read by us alone: where pods get their key. */
  readonly keyByReference: boolean;
}

export type PeerAnswer =
  | { readonly job: JsonObject }
  | { readonly error: { readonly kind: string; readonly message: string } };

export const agentTemplatePath = 'case:agent';

/** What every case has in common on our side. */
export const identity = { key: '4', claimId: 'claim-1', stackId: 'flows-test' } as const;
export const ttlSeconds = 86_400;
export const secret = { name: 'prefect-key', key: 'token' } as const;

function podTokenOf({ agent, keyByReference }: PeerCase): JobSpecInput['policy']['podToken'] {
  if (agent.key === null || agent.key === '') return { kind: 'none' };
  return keyByReference ? { kind: 'secretKeyRef', ...secret } : { kind: 'plain', value: agent.key };
}

/** Parsed as whoever calls `buildJob` would: a YAML text of these cases is JSON. */
function resolvedOf({ run, files }: PeerCase): Pick<JobSpecInput, 'resolvedTemplate'> {
  const source = templateSourceOf(run.run_config ?? null);
  if (source.kind === 'yaml-string') {
    const template = JSON.parse(source.text) as Json;
    return { resolvedTemplate: { kind: 'template', template } };
  }
  if (source.kind !== 'path') return {};
  const template = files[source.path];
  if (template !== undefined) return { resolvedTemplate: { kind: 'template', template } };
  const message = `[Errno 2] No such file or directory: '${source.path}'`;
  return { resolvedTemplate: { kind: 'refused', rule: 'template-not-found', message } };
}

/** The case as we are asked it. */
export function inputOf(one: PeerCase, templatePolicy: 'open' | 'baseline' | 'locked' = 'open'): JobSpecInput {
  const { run, agent, files } = one;
  return {
    run: aFlowRun({
      id: run.id as FlowRunId,
      labels: ['etl'],
      runConfig: run.run_config ?? null,
      flow: {
        id: run.flow.id,
        name: 'ETL',
        coreVersion: run.flow.core_version ?? null,
        storage: run.flow.storage,
        settings: {},
      },
    }),
    identity,
    policy: {
      namespace: 'flows',
      agentLabels: agent.labels,
      apiUrl: agent.api,
      backend: agent.backend,
      tenantId: agent.tenantId,
      podToken: podTokenOf(one),
      agentEnv: agent.env,
      loggingLevel: agent.loggingLevel,
      sendFlowRunLogs: agent.sendFlowRunLogs,
      serviceAccountName: agent.serviceAccountName,
      imagePullSecrets: agent.imagePullSecrets ?? [],
      jobTemplate: agent.hasTemplate ? (files[agentTemplatePath] as JsonObject) : null,
      templatePolicy,
      ttlSeconds,
    },
    ...resolvedOf(one),
  };
}

/** Our answer. */
export function ask(one: PeerCase): JobSpecResult {
  return buildJob(inputOf(one));
}
