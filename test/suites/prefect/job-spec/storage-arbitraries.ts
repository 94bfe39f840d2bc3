import fc from 'fast-check';

import type { Json, JsonObject } from '../../../../functions/core/json.ts';
import { sparse, wire } from './template-arbitraries.ts';

const flag = wire(fc.boolean());
const opt = wire(fc.constantFrom('x', 'some/path.py', '', ''));
const must = wire(fc.constantFrom('x', 'a/b'), 0);

const storageFields: Readonly<
  Record<string, { must: Record<string, fc.Arbitrary<Json>>; may: Record<string, fc.Arbitrary<Json>> }>
> = {
  Azure: { must: { container: must }, may: { connection_string_secret: opt, blob_name: opt, stored_as_script: flag } },
  Bitbucket: {
    must: { project: must, repo: must },
    may: { workspace: opt, host: opt, path: opt, ref: opt, access_token_secret: opt, cloud_username_secret: opt },
  },
  CodeCommit: { must: { repo: must }, may: { path: opt, commit: opt, client_options: wire(fc.constant({ a: 1 })) } },
  Docker: {
    must: {},
    may: {
      registry_url: wire(
        fc.constantFrom(
          'reg.example.com/team',
          'reg/',
          'https://reg.io',
          '//reg',
          '///reg',
          './reg/../x',
          '',
          '.',
          'a//b',
        ),
      ),
      path: opt,
      stored_as_script: flag,
      prefect_version: wire(fc.constant('1.4.1'), 1),
    },
  },
  GCS: { must: { bucket: must }, may: { key: opt, project: opt, stored_as_script: flag } },
  Git: {
    must: { flow_path: must },
    may: {
      repo: opt,
      repo_host: must,
      flow_name: opt,
      git_token_secret_name: opt,
      git_clone_url_secret_name: opt,
      branch_name: opt,
      tag: opt,
      commit: opt,
      clone_depth: wire(fc.constantFrom<Json>(1, '2', 1.5)),
      use_ssh: wire(fc.boolean(), 1),
      format_access_token: wire(fc.boolean(), 1),
    },
  },
  GitHub: { must: { repo: must, path: must }, may: { ref: opt, access_token_secret: opt, base_url: opt } },
  GitLab: { must: { repo: must }, may: { path: opt, host: opt, ref: opt, access_token_secret: opt } },
  Local: {
    must: {},
    may: { directory: must, path: opt, stored_as_script: wire(fc.constantFrom<Json>('yes', 0, false)) },
  },
  Module: { must: { module: must }, may: {} },
  S3: {
    must: { bucket: must },
    may: { key: opt, stored_as_script: flag, client_options: wire(fc.constant({ a: 1 })) },
  },
  Storage: { must: {}, may: {} },
  Webhook: {
    must: {
      build_request_kwargs: wire(fc.constant({ url: 'x' }), 0),
      build_request_http_method: wire(fc.constantFrom('GET', 'POST', 'GET', 'PUT', 'PATCH', 'BREW'), 0),
      get_flow_request_kwargs: wire(fc.constantFrom({}, { url: 'y' }), 0),
      get_flow_request_http_method: wire(fc.constantFrom('GET', 'PUT', 'PATCH', 'POST', 'GET', 'brew'), 0),
    },
    may: { stored_as_script: flag },
  },
};

/** Names of the storage types, for the count of what was covered. */
export const storageTypes: readonly string[] = Object.keys(storageFields);

const commonFields = {
  flows: wire(fc.constantFrom<Json>({}, { ETL: '/opt/etl.prefect' }, { a: '/a', b: '/b' }), 1),
  secrets: wire(fc.constantFrom<Json>([], ['TOKEN'])),
  __version__: fc.constant('1.4.1'),
  unknown_field: fc.constant([1]),
};

function storageOf(type: string): fc.Arbitrary<Json> {
  const fields = storageFields[type] ?? { must: {}, may: {} };
  return fc
    .record({ common: sparse(commonFields), must: fc.record(fields.must), may: sparse(fields.may) })
    .map(({ common, must, may }) => ({ type, ...common, ...must, ...may }));
}

/** Without one of these a Docker storage has no image. */
const dockerNames = {
  image_name: wire(
    fc.constantFrom('etl', '/abs/etl', 'team//etl', '../etl', './etl/', 'etl', '', '//two', '///three'),
    1,
  ),
  image_tag: wire(fc.constantFrom('v3', '', '2024-03-01'), 1),
};

/** Names of all fields of a storage type. */
export const storageFieldNames = (type: string): readonly string[] => [
  ...Object.keys(commonFields),
  ...Object.keys(storageFields[type]?.must ?? {}),
  ...Object.keys(storageFields[type]?.may ?? {}),
  ...(type === 'Docker' ? Object.keys(dockerNames) : []),
];

const dockerStorage: fc.Arbitrary<Json> = fc
  .record({ storage: storageOf('Docker'), names: fc.record(dockerNames) })
  .map(({ storage, names }) => ({ ...(storage as JsonObject), ...names }));

const badStorage: fc.Arbitrary<Json> = fc.constantFrom<Json>(
  null,
  {},
  [],
  'S3',
  { type: null },
  { type: 'Floppy' },
  { type: 'constructor' },
  { type: [] },
  { type: 'S3' },
  { type: 'Webhook' },
  { type: 'Docker' },
  { type: 'GitHub', repo: 'a/b' },
);

/** Any storage, and what is none. */
export const storage: fc.Arbitrary<Json> = fc.oneof(
  { weight: 12, arbitrary: dockerStorage },
  { weight: 24, arbitrary: fc.constantFrom(...storageTypes).chain(storageOf) },
  { weight: 1, arbitrary: badStorage },
);
