/** One environment variable of the functions, as the README's table shows it. */
export interface Variable {
  readonly name: string;
  /** Text that stands for an unset or empty value; null: there is none. */
  readonly fallback: string | null;
  /** What the README says in the default column where it is not the fallback itself. */
  readonly shown?: string;
  readonly meaning: string;
}

/** Every environment variable of the two functions. The README's table and serverless.yml are tested against this list. */
export const variables = [
  { name: 'PREFECT_API', fallback: null, shown: 'required', meaning: 'GraphQL endpoint for the functions' },
  { name: 'PREFECT_API_IN_CLUSTER', fallback: null, shown: 'same', meaning: 'the endpoint as pods see it' },
  { name: 'PREFECT_BACKEND', fallback: 'server', meaning: '`server` or `cloud`; pods are told too' },
  { name: 'PREFECT_CA', fallback: null, shown: 'system', meaning: 'PEM of a private CA for the API' },
  {
    name: 'RUNNER_TOKEN_SECRET_ARN',
    fallback: null,
    meaning:
      'secret with the runner token; unset: a server without authentication. As a param: unset makes an empty secret, `none` is without',
  },
  { name: 'RUNNER_TOKEN_KEY', fallback: 'token', meaning: 'key of the token in a secret that is JSON' },
  { name: 'RUNNER_TOKEN', fallback: null, meaning: 'the token itself, for the local commands only' },
  { name: 'PREFECT_TENANT_ID', fallback: null, shown: 'from the API', meaning: 'tenant' },
  {
    name: 'POD_TOKEN_SECRET',
    fallback: null,
    meaning: '`name/key` of a Kubernetes Secret from which pods get their API key; `none`: pods need none',
  },
  { name: 'POD_TOKEN_PLAIN', fallback: 'false', meaning: '`true` writes the runner token into Jobs as a plain value' },
  {
    name: 'EKS_CLUSTER_NAME',
    fallback: null,
    shown: 'required',
    meaning: 'also the `x-k8s-aws-id` of the login token',
  },
  {
    name: 'EKS_ENDPOINT',
    fallback: null,
    shown: 'DescribeCluster',
    meaning: 'API server, skips that call; needs `EKS_CA`',
  },
  {
    name: 'EKS_CA',
    fallback: null,
    shown: 'DescribeCluster',
    meaning: 'base64 of the CA, as DescribeCluster gives it; needs `EKS_ENDPOINT`',
  },
  { name: 'NAMESPACE', fallback: 'default', meaning: 'where Jobs go' },
  {
    name: 'AGENT_NAME',
    fallback: null,
    shown: '`kubernetes-serverless-<STACK_ID>`',
    meaning: "as the agent's `--name`; must be this stack's alone",
  },
  { name: 'AGENT_LABELS', fallback: null, meaning: "as the agent's `--label`; comma-separated or JSON" },
  { name: 'STACK_ID', fallback: null, shown: 'service-stage', meaning: 'ownership label on every Job' },
  {
    name: 'JOB_TEMPLATE',
    fallback: null,
    shown: 'built in',
    meaning: "operator's Job template: YAML, a file in `infra/templates/`, or `s3://bucket/key`",
  },
  { name: 'SERVICE_ACCOUNT_NAME', fallback: null, meaning: "as the agent's `--service-account-name`" },
  { name: 'IMAGE_PULL_SECRETS', fallback: null, meaning: "as the agent's `--image-pull-secrets`" },
  { name: 'JOB_ENV', fallback: null, meaning: 'environment of every flow: a JSON object, or one `KEY=VALUE` a line' },
  {
    name: 'TEMPLATE_POLICY',
    fallback: 'baseline',
    meaning: "`open`, `baseline` or `locked`: what a flow author's template may set",
  },
  {
    name: 'TEMPLATE_SOURCES',
    fallback: null,
    meaning: "allowed prefixes for flows' `job_template_path`: `s3://bucket/folder`, `https://host/folder`",
  },
  {
    name: 'PROFILES',
    fallback: null,
    meaning:
      'templates and in-flight caps by run label: YAML, a file in `infra/templates/`, or `s3://bucket/key` ([guide](infra/guides/job-template.md#profiles))',
  },
  { name: 'MAX_IN_FLIGHT', fallback: '500', meaning: 'active Jobs of this stack at any time' },
  { name: 'MAX_PER_TICK', fallback: '1000', meaning: 'Jobs created by one tick' },
  {
    name: 'CREATE_CONCURRENCY',
    fallback: '32',
    meaning: 'creates in flight, 1 to 64; fewer while the API server is busy',
  },
  { name: 'LABEL_LIMITS', fallback: null, meaning: 'in-flight caps by label: `gpu=4,etl=50`' },
  { name: 'PENDING_GRACE', fallback: '60m', meaning: 'a run whose pod has not started for so long fails; `0`: never' },
  { name: 'IMAGE_GRACE', fallback: '3m', meaning: 'patience with an image or a container that cannot start' },
  { name: 'PODLESS_GRACE', fallback: '60s', meaning: 'patience with a Job without a pod' },
  { name: 'CANCEL_GRACE', fallback: '60s', meaning: 'time for a cancelled flow to stop itself' },
  { name: 'TTL_SUCCEEDED', fallback: '10m', meaning: 'how long succeeded Jobs stay, at least 10m' },
  { name: 'TTL_FAILED', fallback: '24h', meaning: 'how long failed Jobs stay, at least 10m' },
  { name: 'DELETE_FINISHED_JOBS', fallback: 'true', meaning: "as the agent's switch" },
  { name: 'LATE_RUN_LIMIT', fallback: null, meaning: 'runs late by more are held, and said' },
  {
    name: 'LOG_TAIL_LINES',
    fallback: '200',
    meaning: 'container log lines kept on failure, and before a restart; `0`: none',
  },
  {
    name: 'PERIOD',
    fallback: 'once',
    meaning:
      'ticks in one invocation: `once`, or a time from `5s` to `32s` between their beginnings, as long as there is time for another ([guide](infra/guides/high-availability.md#faster-than-a-minute))',
  },
  {
    name: 'INFRA_RETRIES',
    fallback: '0',
    meaning:
      'how often a run lost to infrastructure before it started is created again; above 0, a run lost while Running is left to the server',
  },
  {
    name: 'SEND_FLOW_RUN_LOGS',
    fallback: 'true',
    meaning: 'as the agent: `false` keeps the logs of flows out of Prefect',
  },
  { name: 'DISPATCH_PAUSED', fallback: 'false', meaning: 'kill switch of dispatch; reconcile goes on' },
  {
    name: 'LOG_LEVEL',
    fallback: 'INFO',
    meaning: 'of the functions, and the default level in pods: DEBUG, INFO, WARNING or ERROR',
  },
] as const satisfies readonly Variable[];

export type VariableName = (typeof variables)[number]['name'];

/** Variables whose param has a name of its own, or none: a param would put the token itself into the stack's template. */
const otherParams: ReadonlyMap<string, string | null> = new Map([
  ['RUNNER_TOKEN', null],
  ['RUNNER_TOKEN_SECRET_ARN', 'secretArn'],
]);

/** The param of `serverless deploy` that sets a variable: `MAX_IN_FLIGHT` is `maxInFlight`. Null: there is none. */
export function paramOf(name: string): string | null {
  const other = otherParams.get(name);
  if (other !== undefined) return other;
  return name.toLowerCase().replaceAll(/_([a-z])/gu, (_match, letter: string) => letter.toUpperCase());
}
