import type { FlowRun } from './flow-run.ts';
import { type Draft, type DraftMap, readAt } from './job-document.ts';
import type { Layer } from './layer-tree.ts';
import type { Json } from './json.ts';
import { pythonList } from './python-text.ts';

/** How pods get their API key. `none`: the API asks for none. */
export type PodToken =
  | { readonly kind: 'none' }
  | { readonly kind: 'secretKeyRef'; readonly name: string; readonly key: string }
  | { readonly kind: 'plain'; readonly value: string };

/** What the environment of a flow's container says about this agent. */
export interface EnvPolicy {
  readonly agentLabels: readonly string[];
  /** GraphQL endpoint as pods see it. */
  readonly apiUrl: string;
  readonly backend: 'server' | 'cloud';
  readonly tenantId: string | null;
  readonly podToken: PodToken;
  /** `JOB_ENV`: the peer's `--env`. */
  readonly agentEnv: Readonly<Record<string, string>>;
  /** Default level of the flow's logger. */
  readonly loggingLevel: string;
  readonly sendFlowRunLogs: boolean;
}

export interface EnvInput {
  readonly run: FlowRun;
  readonly image: Draft;
  readonly runConfigEnv: ReadonlyMap<string, Json>;
  readonly policy: EnvPolicy;
  /** The flow container's `env` in the template, each entry a map with a name. */
  readonly templateEnv: readonly Draft[];
  /** Who set an entry of it, by its index. */
  readonly templateLayer: (index: number) => Layer;
}

export interface EnvEntry {
  readonly value: Draft;
  readonly layer: Layer;
}

const logSwitch = 'PREFECT__CLOUD__SEND_FLOW_RUN_LOGS';
const taskRunnerClass = 'PREFECT__ENGINE__TASK_RUNNER__DEFAULT_CLASS';

/** Variables by name: a name keeps the place of its first entry, the last entry decides what it holds. */
class Environment {
  readonly #entries = new Map<Draft | undefined, EnvEntry>();

  has(name: Draft | undefined): boolean {
    return this.#entries.has(name);
  }

  put(name: string, value: Draft, layer: Layer): void {
    this.#entries.set(name, { value: { name, value }, layer });
  }

  putKey(name: string, token: PodToken): void {
    if (token.kind !== 'secretKeyRef') return this.put(name, token.kind === 'plain' ? token.value : '', 'ours');
    const entry: DraftMap = { name, valueFrom: { secretKeyRef: { name: token.name, key: token.key } } };
    this.#entries.set(name, { value: entry, layer: 'ours' });
  }

  list(): readonly EnvEntry[] {
    return [...this.#entries.values()];
  }
}

/** What the flow process cannot run without; nobody overrides it. Order as the peer writes it. */
function putFixed(env: Environment, { run, image, policy }: EnvInput): void {
  const fixed = (name: string, value: Draft): void => env.put(name, value, 'ours');
  fixed('PREFECT__BACKEND', policy.backend);
  fixed('PREFECT__CLOUD__AGENT__LABELS', pythonList(policy.agentLabels));
  fixed('PREFECT__CLOUD__API', policy.apiUrl);
  env.putKey('PREFECT__CLOUD__API_KEY', policy.podToken);
  fixed('PREFECT__CLOUD__TENANT_ID', policy.podToken.kind === 'none' ? '' : (policy.tenantId ?? ''));
  fixed('PREFECT__CLOUD__USE_LOCAL_SECRETS', 'false');
  fixed('PREFECT__CONTEXT__FLOW_RUN_ID', run.id);
  fixed('PREFECT__CONTEXT__FLOW_ID', run.flow.id);
  fixed('PREFECT__CONTEXT__IMAGE', image);
  fixed('PREFECT__ENGINE__FLOW_RUNNER__DEFAULT_CLASS', 'prefect.engine.cloud.CloudFlowRunner');
  // The two names that containers before 0.14.20 and before 1.0 read.
  fixed('PREFECT__LOGGING__LOG_TO_CLOUD', String(policy.sendFlowRunLogs));
  env.putKey('PREFECT__CLOUD__AUTH_TOKEN', policy.podToken);
}

const nameOf = (entry: Draft): Draft | undefined => readAt(entry, ['name']);

/**
 * The environment of the flow's container: computed variables first, then the template's entries of other names
 * (prefect 1.4.1, agent/kubernetes/agent.py `generate_job_spec`). A flow can switch its logs off, but not on. The task
 * runner's class, which the peer's agents set until 1.2 and flows registered before 1.3 need, is ours alone, and only a
 * default.
 */
export function environmentOf(input: EnvInput): readonly EnvEntry[] {
  const { policy, runConfigEnv, templateEnv, templateLayer } = input;
  const env = new Environment();
  env.put('PREFECT__LOGGING__LEVEL', policy.loggingLevel, 'agent options');
  for (const [name, value] of Object.entries(policy.agentEnv)) env.put(name, value, 'agent options');
  for (const [name, value] of runConfigEnv) env.put(name, value as Draft, 'run config');
  if (!policy.sendFlowRunLogs || !env.has(logSwitch)) {
    env.put(logSwitch, String(policy.sendFlowRunLogs), 'agent options');
  }
  putFixed(env, input);
  if (!env.has(taskRunnerClass) && !templateEnv.some((entry) => nameOf(entry) === taskRunnerClass)) {
    env.put(taskRunnerClass, 'prefect.engine.cloud.CloudTaskRunner', 'ours');
  }
  const all = templateEnv.map((value, index) => ({ value, layer: templateLayer(index) }));
  return [...env.list(), ...all.filter(({ value }) => !env.has(nameOf(value)))];
}
