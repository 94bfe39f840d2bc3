import { createHash } from 'node:crypto';

import { jobDifferences } from '../../../../functions/core/job-differences.ts';
import { isJsonObject, type JsonObject } from '../../../../functions/core/json.ts';
import { identity, type PeerCase, secret, ttlSeconds } from './case.ts';

type Loose = string | number | boolean | null | undefined | Loose[] | { [key: string]: Loose };
type LooseMap = { [key: string]: Loose };

function mapAt(map: LooseMap, key: string): LooseMap {
  const found = map[key];
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found;
  const made: LooseMap = {};
  map[key] = made;
  return made;
}

const podTemplateOf = (job: LooseMap): LooseMap => mapAt(mapAt(job, 'spec'), 'template');
const metadataOf = (job: LooseMap): readonly LooseMap[] => [
  mapAt(job, 'metadata'),
  mapAt(podTemplateOf(job), 'metadata'),
];

function flowContainerOf(job: LooseMap): LooseMap {
  const containers = mapAt(podTemplateOf(job), 'spec')['containers'];
  return (Array.isArray(containers) ? containers[0] : {}) as LooseMap;
}

const envOf = (job: LooseMap): LooseMap[] => flowContainerOf(job)['env'] as LooseMap[];

const hash = ({ run }: PeerCase): string =>
  createHash('sha256').update(`${run.id}\n${identity.key}`).digest('hex').slice(0, 16);

/** The variables that the peer always writes. */
export const fixedNames: readonly string[] = [
  'PREFECT__LOGGING__LEVEL',
  'PREFECT__CLOUD__SEND_FLOW_RUN_LOGS',
  'PREFECT__BACKEND',
  'PREFECT__CLOUD__AGENT__LABELS',
  'PREFECT__CLOUD__API',
  'PREFECT__CLOUD__API_KEY',
  'PREFECT__CLOUD__TENANT_ID',
  'PREFECT__CLOUD__USE_LOCAL_SECRETS',
  'PREFECT__CONTEXT__FLOW_RUN_ID',
  'PREFECT__CONTEXT__FLOW_ID',
  'PREFECT__CONTEXT__IMAGE',
  'PREFECT__ENGINE__FLOW_RUNNER__DEFAULT_CLASS',
  'PREFECT__LOGGING__LOG_TO_CLOUD',
  'PREFECT__CLOUD__AUTH_TOKEN',
];

/** Names that come before the template's own entries. */
function computedNames({ run, agent }: PeerCase): ReadonlySet<string> {
  const runConfig = run.run_config ?? null;
  const env = isJsonObject(runConfig) ? runConfig['env'] : null;
  return new Set([...fixedNames, ...Object.keys(agent.env), ...(isJsonObject(env) ? Object.keys(env) : [])]);
}

const serverFields = [
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
  'selfLink',
];

/**
 * What each difference of kind `job` makes of the peer's Job. Written here a second time, from the table's sentences:
 * it shares no code with the generator.
 */
const changes: Readonly<Record<string, (job: LooseMap, one: PeerCase) => void>> = {
  name: (job, one) => {
    mapAt(job, 'metadata')['name'] = `prefect-job-${hash(one)}`;
  },
  identifier: (job, one) => {
    for (const metadata of metadataOf(job)) mapAt(metadata, 'labels')['prefect.io/identifier'] = hash(one);
  },
  ownership: (job) => {
    for (const metadata of metadataOf(job)) {
      mapAt(metadata, 'labels')['prefect-serverless-agent/stack'] = identity.stackId;
      Object.assign(mapAt(metadata, 'annotations'), {
        'prefect-serverless-agent/key': identity.key,
        'prefect-serverless-agent/claim': identity.claimId,
        'prefect-serverless-agent/labels': '["etl"]',
      });
    }
  },
  'backoff-limit': (job) => {
    const spec = mapAt(job, 'spec');
    spec['backoffLimit'] ??= 0;
  },
  'time-to-live': (job) => {
    const spec = mapAt(job, 'spec');
    spec['ttlSecondsAfterFinished'] = Math.max(Number(spec['ttlSecondsAfterFinished'] ?? ttlSeconds), 600);
  },
  'do-not-disrupt': (job) => {
    const annotations = mapAt(mapAt(podTemplateOf(job), 'metadata'), 'annotations');
    annotations['karpenter.sh/do-not-disrupt'] ??= 'true';
    annotations['cluster-autoscaler.kubernetes.io/safe-to-evict'] ??= 'false';
  },
  'api-key-by-reference': (job, one) => {
    if (!one.keyByReference || (one.agent.key ?? '') === '') return;
    for (const entry of envOf(job)) {
      if (entry['name'] !== 'PREFECT__CLOUD__API_KEY' && entry['name'] !== 'PREFECT__CLOUD__AUTH_TOKEN') continue;
      delete entry['value'];
      entry['valueFrom'] = { secretKeyRef: { ...secret } };
    }
  },
  'task-runner-class': (job, one) => {
    const name = 'PREFECT__ENGINE__TASK_RUNNER__DEFAULT_CLASS';
    const env = envOf(job);
    if (env.some((entry) => entry['name'] === name)) return;
    // After the last computed variable, whatever of the template's entries follows.
    env.splice(computedNames(one).size, 0, { name, value: 'prefect.engine.cloud.CloudTaskRunner' });
  },
  'server-fields': (job) => {
    for (const metadata of metadataOf(job)) for (const field of serverFields) delete metadata[field];
    delete job['status'];
  },
  'kind-and-version': (job) => {
    job['apiVersion'] ??= 'batch/v1';
    job['kind'] ??= 'Job';
  },
  'container-name': (job) => {
    const container = flowContainerOf(job);
    if (container['name'] === undefined) container['name'] = 'flow';
  },
};

/** Names of the differences that change a Job, to be held against the table. */
export const changeNames: readonly string[] = Object.keys(changes);

/** The Job that the peer would have made, had it our differences. */
export function expectedJob(peerJob: JsonObject, one: PeerCase): JsonObject {
  const job = structuredClone(peerJob) as LooseMap;
  for (const { name } of jobDifferences) changes[name]?.(job, one);
  return job as JsonObject;
}
