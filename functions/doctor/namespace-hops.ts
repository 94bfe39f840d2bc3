import type { V1Job, V1PodSpec } from '@kubernetes/client-node';

import type { Config } from '../config.ts';
import type { QuotaRow, Sight } from '../kubernetes/examine.ts';
import { broken, ok, skipped, unseen, warning, type Finding } from './finding.ts';
import { describeQuotas, lookAtSecret, putPodSecret } from './remedies.ts';
import type { Visit } from './visit.ts';

const limitMs = 20_000;

export async function checkJobTemplate(visit: Visit): Promise<Finding> {
  const { jobTemplate, profiles } = visit.config;
  const draft = await visit.draft();
  if (draft.kind === 'not-yet') return broken(draft.why, ...deployTemplate());
  if (draft.kind === 'refused') return broken(draft.message, ...deployTemplate());
  if (!visit.mayReadTemplates) {
    return unseen(
      'reconcile makes no Jobs and has no right to templates in S3; what follows is said of the built-in template',
      `npx serverless invoke -f dispatch -d '{"doctor":true}'`,
    );
  }
  const from = jobTemplate === null ? 'the built-in template' : 'JOB_TEMPLATE';
  return ok(`a Job can be made from ${from}${profiles === null ? '' : '; PROFILES can be read'}`);
}

export const deployTemplate = (): readonly string[] => [
  'npx serverless deploy --param jobTemplate=<YAML, s3://bucket/key, or a file in infra/templates>',
];

const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A quantity of Kubernetes (apimachinery, pkg/api/resource); NaN for what is none. */
function quantityOf(text: string): number {
  const match = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([A-Za-z]*)$/u.exec(text);
  return Number(match?.[1] ?? Number.NaN) * (factors[match?.[2] ?? ''] ?? Number.NaN);
}

/** Resources that every flow run takes of; others may well be full. */
const neededByRuns = /^(?:pods|count\/pods|count\/jobs\.batch|(?:(?:requests|limits)\.)?(?:cpu|memory))$/u;

const isFull = ({ resource, hard, used }: QuotaRow): boolean =>
  neededByRuns.test(resource) && quantityOf(used) >= quantityOf(hard);

function quotaFinding(config: Config, sight: Sight<readonly QuotaRow[]>): Finding {
  if (sight.kind === 'hidden') {
    return unseen(
      'the functions have no right to quotas, and need none; the dry run below shows a quota on Jobs',
      describeQuotas(config),
    );
  }
  const full = sight.value.filter(isFull);
  if (full.length > 0) {
    const rows = full.map(({ quota, resource, hard, used }) => `${quota}: ${resource} ${used} of ${hard}`);
    return broken(
      `a quota of the namespace is used up (${rows.join('; ')}): nothing new starts until a Job ends`,
      describeQuotas(config),
      ...full.map(({ quota }) => `kubectl -n ${config.namespace} edit resourcequota ${quota}`),
    );
  }
  const quotas = new Set(sight.value.map(({ quota }) => quota));
  return ok(quotas.size === 0 ? 'the namespace has no quota' : `room in ${[...quotas].join(', ')}`);
}

export async function checkQuota(visit: Visit): Promise<Finding> {
  const cluster = await visit.cluster();
  return quotaFinding(visit.config, await cluster.readQuotas(visit.limit(limitMs)));
}

const podSpecOf = (job: V1Job): V1PodSpec | undefined => job.spec?.template.spec;

function serviceAccountFinding(config: Config, name: string, sight: Sight<boolean>): Finding {
  const look = `kubectl -n ${config.namespace} get serviceaccount ${name}`;
  if (sight.kind === 'hidden') {
    return unseen(`pods run as ${name}; the functions have no right to service accounts, and need none`, look);
  }
  if (sight.value) return ok(`pods run as ${name}, which is there`);
  return broken(
    `pods run as ${name}, and there is no such service account: Jobs would be created and never get a pod`,
    `kubectl -n ${config.namespace} create serviceaccount ${name}`,
  );
}

export async function checkServiceAccount(visit: Visit): Promise<Finding> {
  const name = podSpecOf(await visit.job())?.serviceAccountName ?? 'default';
  const cluster = await visit.cluster();
  return serviceAccountFinding(visit.config, name, await cluster.hasServiceAccount(name, visit.limit(limitMs)));
}

interface Wanted {
  readonly name: string;
  readonly key: string;
}

function tokenSecretFinding(config: Config, wanted: Wanted, sight: Sight<readonly string[] | null>): Finding {
  const { name, key } = wanted;
  if (sight.kind === 'hidden') {
    return unseen(
      `pods take their API key from ${name}/${key}; the functions have no right to Secrets, and need none`,
      lookAtSecret(config, wanted),
    );
  }
  if (sight.value?.includes(key) === true) return ok(`the Secret ${name} has something under ${key}`);
  const lack = sight.value === null ? `there is no Secret ${name}` : `the Secret ${name} has nothing under ${key}`;
  return broken(
    `${lack}: pods would wait with CreateContainerConfigError until reconcile fails their runs`,
    putPodSecret(config, wanted),
  );
}

export async function checkPodSecret(visit: Visit): Promise<Finding> {
  const { config } = visit;
  const { podToken } = config;
  if (podToken.kind === 'none')
    return skipped('pods need no API key (POD_TOKEN_SECRET is none, or there is no runner token)');
  if (podToken.kind === 'plain') {
    return warning(
      'POD_TOKEN_PLAIN writes the runner token into every Job, where whoever may read Jobs can read it',
      `npm run --silent manifests -- --namespace ${config.namespace} --secret`,
      'npx serverless deploy --param podTokenPlain=false --param podTokenSecret=<name>/<key>',
    );
  }
  const cluster = await visit.cluster();
  return tokenSecretFinding(config, podToken, await cluster.keysOfSecret(podToken.name, visit.limit(limitMs)));
}
