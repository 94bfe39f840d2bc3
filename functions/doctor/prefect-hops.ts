import type { Config } from '../config.ts';
import { broken, ok, skipped, warning, type Finding } from './finding.ts';
import type { FilterVerdict } from '../prefect/examine.ts';
import type { Visit } from './visit.ts';

const limitMs = 15_000;

export async function checkRunnerToken(visit: Visit): Promise<Finding> {
  const { runnerToken } = visit.config;
  if (runnerToken.kind === 'none')
    return skipped('no runner token is configured: the Prefect API is asked without one');
  if (runnerToken.kind === 'given') return ok('the runner token comes from RUNNER_TOKEN');
  await visit.runnerToken();
  return ok(`the runner token was read from ${runnerToken.arn}`);
}

/** Says whether the secret can be read, and nothing of it. */
export function readSecret({ runnerToken }: Config): readonly string[] {
  if (runnerToken.kind !== 'secret') return [];
  return [`aws secretsmanager get-secret-value --secret-id ${runnerToken.arn} --query VersionId`];
}

/** As a shell takes it, whatever stands in a URL. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

export async function checkPrefectReachable(visit: Visit): Promise<Finding> {
  await visit.prefect().reach(visit.limit(limitMs));
  return ok(`${withoutCredentials(visit.config.prefectApi)} answers`);
}

/** The same question from where the reader sits, and the param. */
export function callPrefect({ prefectApi }: Config): readonly string[] {
  const call = `curl -sS -i -H 'content-type: application/json' -d '{"query":"{ __typename }"}'`;
  return [
    `${call} ${quoted(withoutCredentials(prefectApi))}`,
    'npx serverless deploy --param prefectApi=<address of the GraphQL endpoint>',
  ];
}

/** The address fit for a message. */
function withoutCredentials(address: string): string {
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

/** Whose runs these are: the configured tenant, or the first one that the API names, as the ticks choose it. */
function tenantFinding(configured: string | null, found: readonly string[]): Finding & { readonly tenant?: string } {
  const [first] = found;
  if (first === undefined)
    return broken('the API names no tenant for us', 'prefect server create-tenant --name default --slug default');
  if (configured === null) return { ...ok(`the API names the tenant ${first}`), tenant: first };
  if (found.includes(configured)) return { ...ok(`the tenant ${configured} is there`), tenant: configured };
  return broken(
    `PREFECT_TENANT_ID is ${configured}, and the API names ${found.join(', ')}: the ticks would look at a tenant without runs`,
    `npx serverless deploy --param prefectTenantId=${first}`,
  );
}

export async function checkPrefectLogin(visit: Visit): Promise<Finding> {
  const found = await visit.prefect().listTenants(visit.limit(limitMs));
  const { tenant, ...finding } = tenantFinding(visit.config.tenantId, found);
  visit.tenantId = tenant ?? null;
  return finding;
}

const versions = 'kubectl or docker: the image tags of the graphql and hasura containers of the Prefect Server';

/** What the server says to the filters of both ticks. */
function filterFinding(
  { dispatch, reconcile }: { readonly dispatch: FilterVerdict; readonly reconcile: FilterVerdict },
  labels: readonly string[],
): Finding {
  if (reconcile === 'mismatch') {
    return broken(
      'the server rejects the filter by which reconcile finds the runs of this stack (`_contains` on serialized_state)',
      `upgrade the Prefect Server; ${versions}`,
    );
  }
  if (dispatch === 'mismatch') {
    return warning(
      'the server rejects the label filter of dispatch; get_runs_in_queue takes its place, with at most 25 runs a poll',
      `upgrade the Prefect Server; ${versions}`,
    );
  }
  const whose = labels.length === 0 ? 'runs without labels' : `runs with labels among ${labels.join(', ')}`;
  return ok(`both ticks may ask for their runs: ${whose}`);
}

export async function checkLabelFilter(visit: Visit): Promise<Finding> {
  const verdicts = await visit.prefect().tryFilters(visit.tenantId ?? '', visit.limit(limitMs));
  return filterFinding(verdicts, visit.config.agentLabels);
}

export const readPrefectLog = (): readonly string[] => [
  'look into the log of the Prefect Server for this request; the code above is its own',
];
