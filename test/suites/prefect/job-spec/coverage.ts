import { isJsonObject, type Json, type JsonObject } from '../../../../functions/core/json.ts';
import { textOf } from '../../../../functions/core/wire-field.ts';
import { storageTypes } from './arbitraries.ts';
import type { PeerCase } from './case.ts';
import type { Verdict } from './differences.ts';

const layers = [
  'built-in template',
  'operator template',
  'flow template',
  'storage image',
  'run config',
  'agent options',
  'ours',
];

const runConfigFields = [
  'env',
  'labels',
  'image',
  'cpu_limit',
  'cpu_request',
  'memory_limit',
  'memory_request',
  'service_account_name',
  'image_pull_secrets',
  'image_pull_policy',
  'job_template',
  'job_template_path',
];

const templateParts = [
  '/metadata/name',
  '/metadata/labels',
  '/metadata/annotations',
  '/metadata/namespace',
  '/spec/backoffLimit',
  '/spec/ttlSecondsAfterFinished',
  '/spec/template/metadata/labels',
  '/spec/template/metadata/annotations',
  '/spec/template/spec/serviceAccountName',
  '/spec/template/spec/imagePullSecrets',
  '/spec/template/spec/restartPolicy',
  '/spec/template/spec/containers/0/name',
  '/spec/template/spec/containers/0/image',
  '/spec/template/spec/containers/0/env',
  '/spec/template/spec/containers/0/resources/requests',
  '/spec/template/spec/containers/0/resources/limits',
  '/spec/template/spec/containers/1',
];

const agentOptions = ['key', 'env', 'labels', 'serviceAccountName', 'imagePullSecrets', 'hasTemplate'] as const;

const at = (value: Json, pointer: string): Json | undefined => {
  let found: Json | undefined = value;
  for (const step of pointer.split('/').slice(1)) found = (found as JsonObject | undefined | null)?.[step];
  return found;
};

const isDefault = (value: Json | undefined): boolean =>
  value === undefined || ['null', 'false', '""', '[]', '{}'].includes(JSON.stringify(value));

function ofRunConfig(runConfig: Json | undefined): readonly string[] {
  if (runConfig === undefined) return ['run config: missing'];
  if (runConfig === null) return ['run config: null'];
  if (!isJsonObject(runConfig)) return [];
  const type = textOf(runConfig, 'type') ?? 'none';
  const fields = runConfigFields.flatMap((field) => {
    if (!Object.hasOwn(runConfig, field)) return [`run config field missing: ${field}`];
    if (runConfig[field] === null) return [`run config field null: ${field}`];
    return isDefault(runConfig[field]) ? [] : [`run config field set: ${field}`];
  });
  return [`run config: ${type}`, ...(type === 'KubernetesRun' ? fields : [])];
}

const ofTemplate = (whose: string, template: Json | undefined): readonly string[] =>
  template === undefined || template === null
    ? []
    : templateParts.filter((part) => !isDefault(at(template, part))).map((part) => `${whose} template: ${part}`);

function ofStorage(storage: Json): readonly string[] {
  return isJsonObject(storage) ? [`storage: ${textOf(storage, 'type') ?? 'none'}`] : [];
}

/** What a case is about, as names to be counted. */
function featuresOf({ run, agent, files, keyByReference }: PeerCase): readonly string[] {
  const runConfig = run.run_config;
  const inline = isJsonObject(runConfig) ? runConfig['job_template'] : null;
  const fetched = files['s3://templates/flow.yaml'];
  return [
    ...ofRunConfig(runConfig),
    ...ofStorage(run.flow.storage),
    ...agentOptions.filter((option) => !isDefault(agent[option])).map((option) => `agent option: ${option}`),
    `agent option: backend ${agent.backend}`,
    `agent option: logs ${agent.sendFlowRunLogs ? 'on' : 'off'}`,
    ...(keyByReference && agent.key !== null ? ['agent option: key by reference'] : []),
    ...(typeof inline === 'string' ? ['flow template as YAML text'] : ofTemplate('flow', inline)),
    ...(fetched === undefined ? [] : ['flow template by path']),
    ...ofTemplate('operator', files['case:agent']),
  ];
}

/** What must have been met at least once, or the comparison has a blind spot. */
const wanted: readonly string[] = [
  ...['KubernetesRun', 'UniversalRun', 'null', 'missing'].map((kind) => `run config: ${kind}`),
  ...['LocalRun', 'DockerRun', 'ECSRun', 'VertexRun', 'DaskRun'].map((kind) => `refused: run config: ${kind}`),
  ...runConfigFields.flatMap((field) => ['set', 'missing'].map((how) => `run config field ${how}: ${field}`)),
  ...runConfigFields.filter((field) => field !== 'labels').map((field) => `run config field null: ${field}`),
  ...storageTypes.filter((type) => type !== 'Storage').map((type) => `storage: ${type}`),
  'refused: storage: Storage',
  ...agentOptions.map((option) => `agent option: ${option}`),
  ...['backend server', 'backend cloud', 'logs on', 'logs off', 'key by reference'].map(
    (what) => `agent option: ${what}`,
  ),
  ...['flow', 'operator'].flatMap((whose) => templateParts.map((part) => `${whose} template: ${part}`)),
  'flow template as YAML text',
  'flow template by path',
  ...layers.map((layer) => `layer: ${layer}`),
  ...['same-job', 'both-refuse', 'different-on-purpose'].map((kind) => `verdict: ${kind}`),
];

const leavesOf = (value: Json): number =>
  typeof value === 'object' && value !== null
    ? Object.values(value).reduce<number>((sum, child) => sum + leavesOf(child), 0)
    : 1;

/** Counts what the compared cases were about. */
export class Coverage {
  readonly #counts = new Map<string, number>(wanted.map((name) => [name, 0]));
  #cases = 0;
  #fields = 0;

  add(one: PeerCase, verdict: Verdict): void {
    this.#cases += 1;
    const isCompared = verdict.kind === 'same-job';
    for (const feature of featuresOf(one)) this.#count(isCompared ? feature : `refused: ${feature}`);
    this.#count(`verdict: ${verdict.kind}`);
    if (verdict.kind !== 'same-job') return;
    this.#fields += leavesOf(verdict.peer);
    for (const layer of new Set(verdict.ours.provenance.values())) this.#count(`layer: ${layer}`);
  }

  /** What was never met. */
  get blindSpots(): readonly string[] {
    return wanted.filter((name) => this.#counts.get(name) === 0);
  }

  /** A line with the totals, and one per wanted feature with how many cases had it. */
  get report(): string {
    const lines = wanted.map((name) => `${String(this.#counts.get(name)).padStart(6)}  ${name}`);
    return [`${this.#fields} fields of ${this.#cases} cases compared`, ...lines].join('\n');
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}
