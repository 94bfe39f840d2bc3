import type { Config } from './config.ts';
import type { JobDraft } from './core/dispatch-plan.ts';
import type { FlowRun, FlowRunId } from './core/flow-run.ts';
import { buildJob, type JobPolicy } from './core/job-spec.ts';
import type { ResolvedTemplate } from './core/job-template.ts';
import { isJsonObject, type JsonObject } from './core/json.ts';
import { templateSourceOf } from './core/run-config.ts';
import { BoundaryError } from './errors.ts';
import type { Secret } from './secret.ts';
import type { Source } from './source.ts';
import { parseYamlTemplate } from './yaml-template.ts';

/** What a Job needs from outside its flow run and the configuration. */
export interface DraftSources {
  readonly tenantId: () => string | null;
  readonly token: Source<Secret | null>;
}

type Drafter = (run: FlowRun, identity: { readonly key: string; readonly claimId: string }) => JobDraft;

async function podTokenOf(config: Config, token: Source<Secret | null>): Promise<JobPolicy['podToken']> {
  if (config.podToken.kind === 'secret')
    return { kind: 'secretKeyRef', name: config.podToken.name, key: config.podToken.key };
  const secret = config.podToken.kind === 'plain' ? await token.current() : null;
  return secret === null ? { kind: 'none' } : { kind: 'plain', value: secret.reveal() };
}

/** The operator's template; a broken one is a configuration error: nothing is claimed. */
async function operatorTemplate(text: string | null): Promise<JsonObject | null> {
  if (text === null) return null;
  const parsed = await parseYamlTemplate(text);
  if (parsed.kind === 'template' && isJsonObject(parsed.template)) return parsed.template;
  const why = parsed.kind === 'refused' ? parsed.message : 'The job template is not a mapping.';
  throw new BoundaryError('CONFIG_INVALID', `JOB_TEMPLATE: ${why}`, { retry: 'never' });
}

async function jobPolicyOf(config: Config, sources: DraftSources): Promise<JobPolicy> {
  return {
    namespace: config.namespace,
    agentLabels: config.agentLabels,
    apiUrl: config.prefectApiInCluster,
    backend: config.backend,
    tenantId: sources.tenantId(),
    podToken: await podTokenOf(config, sources.token),
    agentEnv: config.jobEnv,
    loggingLevel: config.logLevel,
    sendFlowRunLogs: config.sendFlowRunLogs,
    serviceAccountName: config.serviceAccountName,
    imagePullSecrets: config.imagePullSecrets,
    jobTemplate: await operatorTemplate(config.jobTemplate),
    templatePolicy: config.templatePolicy,
    ttlSeconds: Math.ceil(Math.max(config.ttlSucceededMs, config.ttlFailedMs) / 1000),
  };
}

async function resolveTemplate(run: FlowRun): Promise<ResolvedTemplate | null> {
  const source = templateSourceOf(run.runConfig);
  if (source.kind === 'yaml-string') return parseYamlTemplate(source.text);
  if (source.kind !== 'path') return null;
  const message = `The job template path ${source.path} is not among the sources that this stack allows.`;
  return { kind: 'refused', rule: 'template-source-not-allowed', message };
}

async function resolveTemplates(runs: readonly FlowRun[]): Promise<ReadonlyMap<FlowRunId, ResolvedTemplate>> {
  const resolved = await Promise.all(runs.map(async (run) => [run.id, await resolveTemplate(run)] as const));
  return new Map(resolved.flatMap(([id, template]) => (template === null ? [] : [[id, template] as const])));
}

/** Prepares what the Jobs of a tick have in common, and the templates of its runs, once; the drafter is pure. */
export function prepareDrafts(config: Config, sources: DraftSources): (runs: readonly FlowRun[]) => Promise<Drafter> {
  return async (runs) => {
    const policy = await jobPolicyOf(config, sources);
    const templates = await resolveTemplates(runs);
    return (run, { key, claimId }) => {
      const resolvedTemplate = templates.get(run.id);
      const identity = { key, claimId, stackId: config.stackId };
      return buildJob({ run, identity, policy, ...(resolvedTemplate === undefined ? {} : { resolvedTemplate }) });
    };
  };
}
