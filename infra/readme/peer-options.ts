import type { VariableName } from '../../functions/variables.ts';
import { table } from './table.ts';

/** An option of `prefect agent kubernetes start` or `install` (prefect 1.4.1, cli/agent.py), and what takes its place. */
export interface PeerOption {
  readonly command: 'start' | 'install';
  /** As its `--help` writes it, without the type. */
  readonly option: string;
  /** The variable that says the same; null: another thing does, or nothing. */
  readonly variable: VariableName | null;
  readonly note: string;
}

const start = (option: string, variable: VariableName | null, note = ''): PeerOption => ({
  command: 'start',
  option,
  variable,
  note,
});

const install = (option: string, variable: VariableName | null, note = ''): PeerOption => ({
  command: 'install',
  option,
  variable,
  note,
});

const unread = 'the agent takes it and does nothing with it; `resources` of the containers in `JOB_TEMPLATE` do';

/** Every option of both commands, in the order of their help. A test asks the real agent whether one is missing. */
export const peerOptions: readonly PeerOption[] = [
  start(
    '-k, --key',
    'RUNNER_TOKEN_SECRET_ARN',
    'the key lies in Secrets Manager; locally `RUNNER_TOKEN` or `--token`. Pods have their own: `POD_TOKEN_SECRET`',
  ),
  start('--tenant-id', 'PREFECT_TENANT_ID'),
  start('-a, --api', 'PREFECT_API', 'the GraphQL endpoint; where pods see another address, `PREFECT_API_IN_CLUSTER`'),
  start('--agent-config-id', null, 'agent configurations were kept by Cloud; write their values into variables'),
  start('-n, --name', 'AGENT_NAME', 'must be this stack’s alone: reconcile finds its runs by it'),
  start('-l, --label', 'AGENT_LABELS', 'once for each label there; one list here: `a,b`'),
  start('-e, --env', 'JOB_ENV', 'once for each there; one `KEY=VALUE` a line, or a JSON object, here'),
  start('--max-polls', null, 'a schedule has no end; locally `--ticks N`'),
  start('--agent-address', null, 'no process to ask for its health: `tick_finished` a minute, and `{"doctor":true}`'),
  start('--no-cloud-logs', 'SEND_FLOW_RUN_LOGS', '`false`'),
  start('--log-level', 'LOG_LEVEL'),
  start('--namespace', 'NAMESPACE'),
  start('--job-template', 'JOB_TEMPLATE', 'the same file; what differs stands in the [guide](job-template.md)'),
  start('--service-account-name', 'SERVICE_ACCOUNT_NAME'),
  start('--image-pull-secrets', 'IMAGE_PULL_SECRETS'),
  start('--disable-job-deletion', 'DELETE_FINISHED_JOBS', '`false`; Jobs then stay until their own TTL (`TTL_FAILED`)'),
  install('-k, --key', 'RUNNER_TOKEN_SECRET_ARN', 'and `npm run --silent manifests -- --secret` for the pods’ key'),
  install('--tenant-id', 'PREFECT_TENANT_ID'),
  install('-l, --label', 'AGENT_LABELS'),
  install('-e, --env', 'JOB_ENV'),
  install('--agent-config-id', null, 'as above'),
  install('-a, --api', 'PREFECT_API'),
  install('-n, --namespace', 'NAMESPACE', 'beware of `-n`, which is the name in `start`'),
  install('-i, --image-pull-secrets', 'IMAGE_PULL_SECRETS'),
  install(
    '--rbac',
    null,
    '`npm run --silent manifests -- --namespace NAME`, applied by kubectl: a Role for a group, no service account',
  ),
  install('--latest', null, 'the agent has no image any more'),
  install('--mem-request', null, unread),
  install('--mem-limit', null, unread),
  install('--cpu-request', null, unread),
  install('--cpu-limit', null, unread),
  install('--image-pull-policy', null, 'likewise; `imagePullPolicy` of the container in `JOB_TEMPLATE` does'),
  install('--service-account-name', 'SERVICE_ACCOUNT_NAME'),
  install('-b, --backend', 'PREFECT_BACKEND'),
];

const code = (text: string): string => `\`${text}\``;

/** The options of one command, one a row. */
export function peerOptionTable(command: PeerOption['command']): string {
  const rows = peerOptions
    .filter((row) => row.command === command)
    .map(({ option, variable, note }) => [code(option), variable === null ? '-' : code(variable), note]);
  return table(['option of the agent', 'variable', 'note'], rows);
}
