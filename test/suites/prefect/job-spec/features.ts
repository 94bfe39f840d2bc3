import { isJsonObject, type Json, type JsonObject } from '../../../../functions/core/json.ts';
import { textOf } from '../../../../functions/core/wire-field.ts';
import { agentTemplatePath, type PeerCase } from './case.ts';
import { fixedNames } from './differences.ts';
import { storageFieldNames, storageTypes } from './storage-arbitraries.ts';

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
  '/spec/template/spec/containers',
  '/spec/template/spec/containers/0/name',
  '/spec/template/spec/containers/0/image',
  '/spec/template/spec/containers/0/env',
  '/spec/template/spec/containers/0/resources/requests',
  '/spec/template/spec/containers/0/resources/limits',
  '/spec/template/spec/containers/1',
];

const foreignTypes = ['LocalRun', 'DockerRun', 'ECSRun', 'VertexRun', 'DaskRun'];

/** What each option of the agent is when nobody sets it. */
const agentDefaults = {
  backend: 'server',
  api: 'http://apollo.prefect:4200',
  key: null,
  tenantId: null,
  labels: [],
  env: {},
  loggingLevel: 'INFO',
  sendFlowRunLogs: true,
  serviceAccountName: null,
  imagePullSecrets: null,
  hasTemplate: false,
} as const satisfies { readonly [Option in keyof PeerCase['agent']]: unknown };

const agentOptions = Object.keys(agentDefaults) as (keyof typeof agentDefaults)[];

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
  if (!isJsonObject(storage)) return [];
  const type = textOf(storage, 'type') ?? 'none';
  const set = Object.keys(storage).filter((field) => field !== 'type' && !isDefault(storage[field]));
  return [`storage: ${type}`, ...set.map((field) => `storage field: ${type}.${field}`)];
}

/** Told by a look at the text; the peer has a parser for it. */
function ofVersion(version: string): readonly string[] {
  if (version === '') return ['core version: none'];
  const [, major, minor] = /^\s*v?(\d+)\.(\d+)/u.exec(version) ?? [];
  if (major === undefined) return ['core version: odd'];
  const age = Number(major) === 0 && Number(minor) < 13 ? 'before 0.13' : `${major}.${minor}`;
  return [`core version: ${age}`, ...(/[+!abrc-]/u.test(version) ? ['core version: with more than numbers'] : [])];
}

function ofAgent({ agent, keyByReference }: PeerCase): readonly string[] {
  const isSet = (option: keyof typeof agentDefaults): boolean =>
    JSON.stringify(agent[option]) !== JSON.stringify(agentDefaults[option]);
  return [
    ...agentOptions.filter(isSet).map((option) => `agent option: ${option}`),
    ...(keyByReference && (agent.key ?? '') !== '' ? ['agent option: key by reference'] : []),
  ];
}

const namesOf = (env: Json | undefined): readonly string[] => {
  if (Array.isArray(env))
    return env.flatMap((entry: Json) => (isJsonObject(entry) ? [textOf(entry, 'name') ?? ''] : []));
  return isJsonObject(env) ? Object.keys(env) : [];
};

/** Who names a variable that somebody weaker names as well. */
function ofEnv(one: PeerCase, template: Json | undefined): readonly string[] {
  const runConfig = one.run.run_config;
  const layers = [
    ['ours', fixedNames],
    ['run config', isJsonObject(runConfig) ? namesOf(runConfig['env']) : []],
    ['agent options', Object.keys(one.agent.env)],
    ['template', namesOf(at(template ?? null, '/spec/template/spec/containers/0/env'))],
  ] as const;
  return layers.flatMap(([stronger, names], index) =>
    layers
      .slice(index + 1)
      .filter(([, others]) => others.some((name) => (names as readonly string[]).includes(name)))
      .map(([weaker]) => `variable: ${stronger} over ${weaker}`),
  );
}

/** What a case is about, as names to be counted. */
export function featuresOf(one: PeerCase): readonly string[] {
  const { run, files } = one;
  const inline = isJsonObject(run.run_config) ? run.run_config['job_template'] : null;
  const fetched = files['s3://templates/flow.yaml'];
  return [
    ...ofRunConfig(run.run_config),
    ...ofStorage(run.flow.storage),
    ...ofVersion(run.flow.core_version ?? ''),
    ...ofAgent(one),
    ...(typeof inline === 'string' ? ['flow template as YAML text'] : ofTemplate('flow', inline)),
    ...(fetched === undefined ? [] : ['flow template by path']),
    ...ofTemplate('operator', files[agentTemplatePath]),
    ...ofEnv(one, isJsonObject(inline) ? inline : files[agentTemplatePath]),
  ];
}

const storages = storageTypes.filter((type) => type !== 'Storage');

/** Each of these must be met in some case of which whole Jobs were compared. */
export const wantedFeatures: readonly string[] = [
  ...['KubernetesRun', 'UniversalRun', 'null', 'missing'].map((kind) => `run config: ${kind}`),
  ...runConfigFields.flatMap((field) => ['set', 'missing'].map((how) => `run config field ${how}: ${field}`)),
  ...runConfigFields.filter((field) => field !== 'labels').map((field) => `run config field null: ${field}`),
  ...storages.map((type) => `storage: ${type}`),
  ...storages.flatMap((type) => storageFieldNames(type).map((field) => `storage field: ${type}.${field}`)),
  ...['none', 'before 0.13', '0.13', '0.14', '0.15', '1.0', '1.2', '1.4', 'with more than numbers'].map(
    (what) => `core version: ${what}`,
  ),
  ...agentOptions.map((option) => `agent option: ${option}`),
  'agent option: key by reference',
  ...['flow', 'operator'].flatMap((whose) => templateParts.map((part) => `${whose} template: ${part}`)),
  'flow template as YAML text',
  'flow template by path',
  ...['ours over run config', 'ours over agent options', 'ours over template'].map((what) => `variable: ${what}`),
  ...['run config over agent options', 'run config over template'].map((what) => `variable: ${what}`),
  'variable: agent options over template',
];

/** And each of these in some case that is refused. */
export const wantedRefusals: readonly string[] = [
  ...foreignTypes.map((type) => `run config: ${type}`),
  'storage: Storage',
  'core version: odd',
];
