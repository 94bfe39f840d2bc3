import fc from 'fast-check';

import type { Json, JsonObject } from '../../../../functions/core/json.ts';
import { type AgentOptions, agentTemplatePath, type PeerCase } from './case.ts';
import { storage } from './storage-arbitraries.ts';
import { sparse, template, text, wire } from './template-arbitraries.ts';

const envMap: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.constantFrom(
    'STAGE',
    'TZ',
    'DB_PASSWORD',
    'constructor',
    '__proto__',
    'PREFECT__LOGGING__LEVEL',
    'PREFECT__CLOUD__SEND_FLOW_RUN_LOGS',
    'PREFECT__BACKEND',
    'PREFECT__CLOUD__API_KEY',
    'PREFECT__CLOUD__AUTH_TOKEN',
    'PREFECT__ENGINE__TASK_RUNNER__DEFAULT_CLASS',
  ),
  fc.oneof(
    { weight: 100, arbitrary: text },
    { weight: 5, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom<Json>(5, true, {}) },
  ),
  { maxKeys: 5, noNullPrototype: true },
);

const agentEnv = fc.dictionary(
  fc.constantFrom(
    'STAGE',
    'REGION',
    'PREFECT__CLOUD__SEND_FLOW_RUN_LOGS',
    'PREFECT__LOGGING__LEVEL',
    'PREFECT__CLOUD__API',
  ),
  text,
  { maxKeys: 4, noNullPrototype: true },
);

const quantity = fc.constantFrom('2', '500m', '4Gi', '');
const labels = fc.array(text, { maxLength: 3 });

/** JSON that is YAML as well: what is not printable ASCII is escaped, because YAML folds or refuses some of it. */
const yamlText = (value: Json): string =>
  JSON.stringify(value).replaceAll(/[^\u0020-\u007e]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );

/** How the author gives the template; at most one of the ways, as a rule. */
const templateFields: fc.Arbitrary<{ readonly fields: JsonObject; readonly files: Readonly<Record<string, Json>> }> = fc
  .record({
    way: fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom('none', 'object', 'object', 'yaml', 'path', 'empty', 'nulls') },
      { weight: 1, arbitrary: fc.constantFrom('both', 'lost', 'other') },
    ),
    template,
  })
  .map(({ way, template }) => {
    const path = 's3://templates/flow.yaml';
    const ways: Readonly<Record<string, { fields: JsonObject; files: Readonly<Record<string, Json>> }>> = {
      object: { fields: { job_template: template }, files: {} },
      yaml: { fields: { job_template: yamlText(template) }, files: {} },
      path: { fields: { job_template_path: path, job_template: null }, files: { [path]: template } },
      empty: { fields: { job_template: {} }, files: {} },
      nulls: { fields: { job_template: null, job_template_path: null }, files: {} },
      both: { fields: { job_template: template, job_template_path: path }, files: {} },
      lost: { fields: { job_template_path: 'agent:///nowhere/flow.yaml' }, files: {} },
      other: { fields: { job_template: 7 }, files: {} },
    };
    return ways[way] ?? { fields: {}, files: {} };
  });

const kubernetesFields: fc.Arbitrary<JsonObject> = sparse({
  env: wire(envMap),
  labels: wire(labels, 1),
  image: wire(fc.constantFrom('rc/image:2', '')),
  cpu_limit: wire(quantity),
  cpu_request: wire(quantity),
  memory_limit: wire(quantity),
  memory_request: wire(quantity),
  service_account_name: wire(fc.constantFrom('rc-sa', '')),
  image_pull_secrets: wire(fc.constantFrom<Json>(['reg-a', 'reg-b'], [])),
  image_pull_policy: wire(
    fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom('Always', 'IfNotPresent', 'Never') },
      { weight: 1, arbitrary: fc.constantFrom('Sometimes', "it's", '') },
    ),
  ),
  unknown_field: fc.constant(1),
});

interface AuthorSide {
  readonly run_config?: Json;
  readonly files: Readonly<Record<string, Json>>;
}

const kubernetesRun: fc.Arbitrary<AuthorSide> = fc
  .record({ fields: kubernetesFields, template: templateFields })
  .map(({ fields, template }) => ({
    run_config: { type: 'KubernetesRun', __version__: '1.4.1', ...fields, ...template.fields },
    files: template.files,
  }));

const universalRun: fc.Arbitrary<AuthorSide> = sparse({
  env: wire(envMap),
  labels: wire(labels, 1),
  image: fc.constant('no'),
}).map((fields) => ({ run_config: { type: 'UniversalRun', ...fields }, files: {} }));

/** Run configs that are for another agent. */
const foreignRun: fc.Arbitrary<AuthorSide> = fc
  .constantFrom('LocalRun', 'DockerRun', 'ECSRun', 'VertexRun', 'DaskRun')
  .map((type) => ({ run_config: { type, image: 'x' }, files: {} }));

/** Run configs that are none. */
const oddRun: fc.Arbitrary<AuthorSide> = fc
  .constantFrom<Json>({ type: 'constructor' }, { type: null }, { type: {} }, {}, [], 'KubernetesRun', 0)
  .map((run_config) => ({ run_config, files: {} }));

const authorSide: fc.Arbitrary<AuthorSide> = fc.oneof(
  { weight: 30, arbitrary: kubernetesRun },
  { weight: 5, arbitrary: universalRun },
  { weight: 2, arbitrary: fc.constant({ run_config: null, files: {} }) },
  { weight: 1, arbitrary: fc.constant({ files: {} }) },
  { weight: 2, arbitrary: foreignRun },
  { weight: 1, arbitrary: oddRun },
);

const coreVersion: fc.Arbitrary<string | null> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      '1.4.1',
      '1.4.0+12.g3f9c02a',
      '1.2.4',
      '1.0rc1',
      '0.15.13',
      '0.14.22',
      '0.13.19',
      '0.12.6',
      '0.9.0',
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '0.13.0',
      '0.13',
      '0.13.0rc1',
      '0.13.0.dev3',
      '0.13.0.post1',
      '0.13.0.post1.dev2',
      '0.13.0a1.post2',
      '0.13.0+local',
      '0.13.0-1',
      'v0.12.9',
      '1!0.1',
      '0!0.12',
      '0.13.0.0.0',
      '0.13.0.0.1',
      ' 0.12.1 ',
      '0.12.99999999999',
      '0.13.0-ALPHA_2',
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('', 'latest', 'master', '1.4.', '0.13.0+', '1.x', 'unknown+1') },
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 2,
    arbitrary: fc
      .record({
        release: fc.array(fc.nat({ max: 14 }), { minLength: 1, maxLength: 4 }),
        tail: fc.constantFrom('', 'rc1', '.dev1', '.post2', 'b', '-c.3', '+abc.1', '.rev', '-7.dev'),
      })
      .map(({ release, tail }) => release.join('.') + tail),
  },
);

const tenant = fc.constantFrom('0f0f0f0f-1111-4222-8333-444455556666', '1a1a1a1a-2222-4333-8444-555566667777');

/** Key and tenant; a client with a key and no tenant would ask the API for it. */
const login: fc.Arbitrary<Pick<AgentOptions, 'key' | 'tenantId'>> = fc.oneof(
  fc.record({ key: fc.constantFrom('KEY123', 'k'.repeat(200)), tenantId: tenant }),
  fc.record({ key: fc.constantFrom(null, ''), tenantId: fc.option(tenant, { freq: 1 }) }),
);

const agentOptions: fc.Arbitrary<Omit<AgentOptions, 'hasTemplate' | 'key' | 'tenantId'>> = fc.record({
  backend: fc.constantFrom('server', 'cloud'),
  api: fc.constantFrom('http://apollo.prefect:4200', 'https://api.prefect.io'),
  labels,
  env: agentEnv,
  loggingLevel: fc.constantFrom('INFO', 'DEBUG'),
  sendFlowRunLogs: fc.boolean(),
  serviceAccountName: fc.constantFrom(null, 'agent-sa'),
  imagePullSecrets: fc.constantFrom(null, [], ['agent-secret'], ['a', 'b']),
});

const agent = fc.tuple(login, agentOptions).map(([login, options]) => ({ ...login, ...options }));

/** Any question: every run config field, storage, version, agent option and template. */
export const peerCase: fc.Arbitrary<PeerCase> = fc
  .record({
    author: authorSide,
    storage,
    coreVersion: fc.option(coreVersion, { freq: 30, nil: undefined }),
    agent,
    agentTemplate: fc.option(template, { freq: 2 }),
    keyByReference: fc.boolean(),
    n: fc.nat({ max: 99 }),
  })
  .map(({ author, storage, coreVersion, agent, agentTemplate, keyByReference, n }) => ({
    run: {
      id: `8f14e45f-ceea-467f-ab1c-0d5d5a3e9b${String(n).padStart(2, '0')}`,
      flow: {
        id: 'c9f0f895-fb98-4b91-99f5-1fd297e236d7',
        storage,
        ...(coreVersion === undefined ? {} : { core_version: coreVersion }),
      },
      ...('run_config' in author ? { run_config: author.run_config ?? null } : {}),
    },
    agent: { ...agent, hasTemplate: agentTemplate !== null },
    files: { ...author.files, ...(agentTemplate === null ? {} : { [agentTemplatePath]: agentTemplate }) },
    keyByReference,
  }));
