import type { Config } from '../config.ts';
import type { CreateAnswer, Refusal } from '../kubernetes/contract.ts';
import { broken, ok, warning, type Finding } from './finding.ts';
import { applyManifests, describeQuotas, readyz } from './remedies.ts';
import type { Visit } from './visit.ts';

const limitMs = 10_000;

/** What mends a refusal of a class; of the others the API server itself is the reason. */
function remediesFor(refusal: Refusal, config: Config): readonly string[] {
  const byClass: Partial<Record<Refusal['class'], readonly string[]>> = {
    quota: [describeQuotas(config), `kubectl -n ${config.namespace} get jobs`],
    namespace: applyManifests(config),
    forbidden: applyManifests(config),
    invalid: [
      'npm run --silent render -- <flow run id> --dry-run --explain',
      'npx serverless deploy --param jobTemplate=<a template that the policy of the cluster takes>',
    ],
  };
  return byClass[refusal.class] ?? [readyz];
}

/** What admission and validation say to the Job of an example run. */
export function dryRunFinding(config: Config, answer: CreateAnswer): Finding {
  if (answer.kind === 'already-exists') return ok('the API server knows such a Job already');
  if (answer.kind === 'refused') {
    const status = answer.status === 0 ? '' : `, ${answer.status}`;
    return broken(
      `the API server would not create a Job (${answer.class}${status}): ${answer.message}`,
      ...remediesFor(answer, config),
    );
  }
  if (answer.warnings.length === 0) return ok('the API server would create the Job of a flow run');
  return warning(
    `the API server would create the Job of a flow run, and warns: ${answer.warnings.join('; ')}`,
    `kubectl get namespace ${config.namespace} --show-labels`,
  );
}

export async function checkDryRun(visit: Visit): Promise<Finding> {
  const gateway = await visit.gateway();
  return dryRunFinding(visit.config, await gateway.dryRunJob(await visit.job(), visit.limit(limitMs)));
}
