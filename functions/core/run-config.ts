import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { pythonText } from './python-text.ts';
import { type FieldKind, firstFieldProblem, textOf } from './wire-field.ts';

/**
 * Where the flow author's Job template comes from. `yaml-string` and `path` have to be parsed or fetched before the Job
 * can be built, because that needs a YAML parser or the network.
 */
export type TemplateSource =
  | { readonly kind: 'none' }
  | { readonly kind: 'object'; readonly template: JsonObject }
  | { readonly kind: 'yaml-string'; readonly text: string }
  | { readonly kind: 'path'; readonly path: string };

/** A KubernetesRun as far as a Job needs it; a UniversalRun has only `env`. */
export interface RunConfig {
  readonly template: TemplateSource;
  readonly env: ReadonlyMap<string, Json>;
  readonly image: string | null;
  readonly imagePullPolicy: string | null;
  readonly imagePullSecrets: readonly string[];
  readonly serviceAccountName: string | null;
  readonly cpuLimit: string | null;
  readonly cpuRequest: string | null;
  readonly memoryLimit: string | null;
  readonly memoryRequest: string | null;
}

export type RunConfigResult =
  | { readonly kind: 'read'; readonly config: RunConfig }
  | { readonly kind: 'refused'; readonly rule: string; readonly message: string };

const universalFields: Readonly<Record<string, FieldKind>> = { env: 'map?', labels: 'texts' };

const kubernetesFields: Readonly<Record<string, FieldKind>> = {
  ...universalFields,
  job_template_path: 'text?',
  image: 'text?',
  cpu_limit: 'text?',
  cpu_request: 'text?',
  memory_limit: 'text?',
  memory_request: 'text?',
  service_account_name: 'text?',
  image_pull_secrets: 'texts?',
  image_pull_policy: 'text?',
};

const pullPolicies: ReadonlySet<string> = new Set(['Always', 'IfNotPresent', 'Never']);

/** Known to the peer, and refused by its Kubernetes agent. */
const foreignTypes: ReadonlySet<string> = new Set(['LocalRun', 'DockerRun', 'ECSRun', 'VertexRun']);

const unreadable = (problem: string): RunConfigResult => ({
  kind: 'refused',
  rule: 'run-config-unreadable',
  message: `The flow run's \`run_config\` cannot be read: ${problem}`,
});

const emptyRunConfig: RunConfig = {
  template: { kind: 'none' },
  env: new Map(),
  image: null,
  imagePullPolicy: null,
  imagePullSecrets: [],
  serviceAccountName: null,
  cpuLimit: null,
  cpuRequest: null,
  memoryLimit: null,
  memoryRequest: null,
};

/** An empty object or text counts as no template; the path is looked at only then. */
function sourceOf(wire: JsonObject): TemplateSource {
  const template = wire['job_template'] ?? null;
  const path = textOf(wire, 'job_template_path');
  if (isJsonObject(template) && Object.keys(template).length > 0) return { kind: 'object', template };
  if (typeof template === 'string' && template.trim() !== '') return { kind: 'yaml-string', text: template };
  return path === null ? { kind: 'none' } : { kind: 'path', path };
}

function envOf(wire: JsonObject): ReadonlyMap<string, Json> {
  const env = wire['env'];
  return new Map(isJsonObject(env) ? Object.entries(env) : []);
}

function textsOf(wire: JsonObject, name: string): readonly string[] {
  const value = wire[name];
  return Array.isArray(value) ? value.map(String) : [];
}

const isTemplate = (template: Json): boolean =>
  template === null || typeof template === 'string' || isJsonObject(template);

function readKubernetesRun(wire: JsonObject): RunConfigResult {
  const problem = firstFieldProblem(wire, kubernetesFields);
  if (problem !== null) return unreadable(problem);
  const template = wire['job_template'] ?? null;
  const path = textOf(wire, 'job_template_path');
  if (path !== null && template !== null) {
    const message = 'Cannot provide both `job_template_path` and `job_template`';
    return { kind: 'refused', rule: 'two-templates', message };
  }
  if (!isTemplate(template)) return unreadable('job_template: neither an object nor a YAML text.');
  const policy = textOf(wire, 'image_pull_policy');
  if (policy !== null && !pullPolicies.has(policy)) {
    const message = `Invalid image_pull_policy ${pythonText(policy)}.  Expected 'Always', 'IfNotPresent', or 'Never'`;
    return { kind: 'refused', rule: 'image-pull-policy', message };
  }
  return {
    kind: 'read',
    config: {
      template: sourceOf(wire),
      env: envOf(wire),
      image: textOf(wire, 'image'),
      imagePullPolicy: policy,
      imagePullSecrets: textsOf(wire, 'image_pull_secrets'),
      serviceAccountName: textOf(wire, 'service_account_name'),
      cpuLimit: textOf(wire, 'cpu_limit'),
      cpuRequest: textOf(wire, 'cpu_request'),
      memoryLimit: textOf(wire, 'memory_limit'),
      memoryRequest: textOf(wire, 'memory_request'),
    },
  };
}

function readUniversalRun(wire: JsonObject): RunConfigResult {
  const problem = firstFieldProblem(wire, universalFields);
  return problem === null ? { kind: 'read', config: { ...emptyRunConfig, env: envOf(wire) } } : unreadable(problem);
}

function refuseType(type: Json | undefined, runId: string): RunConfigResult {
  if (type === undefined || type === null) return unreadable('type: Missing data for required field.');
  if (typeof type !== 'string') return unreadable('type: Invalid value');
  if (!foreignTypes.has(type)) return unreadable(`type: Unsupported value: ${type.slice(0, 200)}`);
  const message = `Flow run ${runId} has a \`run_config\` of type \`${type}\`, only \`KubernetesRun\` is supported`;
  return { kind: 'refused', rule: 'run-config-type', message };
}

/**
 * Reads `flow_run.run_config`. Null is an empty KubernetesRun; of a UniversalRun only `env` counts; unknown fields are
 * ignored (prefect 1.4.1, agent/agent.py `_get_run_config`, serialization/run_config.py, run_configs/kubernetes.py).
 */
export function readRunConfig(wire: Json, runId: string): RunConfigResult {
  if (wire === null) return { kind: 'read', config: emptyRunConfig };
  if (!isJsonObject(wire)) return unreadable('it is not an object.');
  if (wire['type'] === 'KubernetesRun') return readKubernetesRun(wire);
  return wire['type'] === 'UniversalRun' ? readUniversalRun(wire) : refuseType(wire['type'], runId);
}

/** Of most run configs this is all there is to know before their Job is built, and then they are read as a whole. */
const namesTemplate = (wire: Json): boolean =>
  isJsonObject(wire) && ((wire['job_template'] ?? null) !== null || (wire['job_template_path'] ?? null) !== null);

/** What has to be resolved before the Job can be built; `none` also for a run config that will be refused. */
export function templateSourceOf(wire: Json): TemplateSource {
  if (!namesTemplate(wire)) return { kind: 'none' };
  const result = readRunConfig(wire, '');
  return result.kind === 'read' ? result.config.template : { kind: 'none' };
}
