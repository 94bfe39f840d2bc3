import type { FlowOfRun } from './flow-run.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { type FieldKind, firstFieldProblem, textOf } from './wire-field.ts';

/** What the flow's storage says about the image: Docker storage names it, the others leave it to others. */
export type StorageImage =
  | { readonly kind: 'image'; readonly image: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly rule: string; readonly message: string };

interface StorageType {
  readonly fields: Readonly<Record<string, FieldKind>>;
  /** Arguments without which the peer's constructor fails. */
  readonly required: readonly string[];
  /** What the constructor refuses beyond that, in its words. */
  readonly problem?: (storage: JsonObject) => string | null;
}

const common: Readonly<Record<string, FieldKind>> = { flows: 'text-map', secrets: 'texts?' };

const webhookMethods: ReadonlySet<string | null> = new Set(['GET', 'PATCH', 'POST', 'PUT']);

function webhookProblem(storage: JsonObject): string | null {
  const methods = [textOf(storage, 'build_request_http_method'), textOf(storage, 'get_flow_request_http_method')];
  const unknown = methods.find((method) => !webhookMethods.has(method));
  return unknown === undefined ? null : `HTTP method '${unknown}' not recognized`;
}

function gitProblem(storage: JsonObject): string | null {
  const chosen = ['branch_name', 'tag', 'commit'].filter((name) => (textOf(storage, name) ?? '') !== '');
  if (chosen.length > 1) {
    return 'Please provide only one of the following parameters: `branch_name`, `tag`, `commit`';
  }
  const known = textOf(storage, 'repo') !== null || textOf(storage, 'git_clone_url_secret_name') !== null;
  return known ? null : 'Either `repo` or `git_clone_url_secret_name` must be provided';
}

function bitbucketProblem(storage: JsonObject): string | null {
  if ((textOf(storage, 'workspace') ?? '') === '' || (textOf(storage, 'access_token_secret') ?? '') === '') return null;
  return (
    '`access_token_secret` and `workspace` are both set. Setting `workspace` is only for use with Bitbucket Cloud ' +
    'which uses `cloud_username_secret` and `cloud_app_password_secret` to provide authentication.'
  );
}

/** The storages that prefect 1.4.1 can load (serialization/storage.py, storage/*.py). */
const storageTypes: ReadonlyMap<Json, StorageType> = new Map<Json, StorageType>([
  [
    'Azure',
    {
      required: ['container'],
      fields: { container: 'text', connection_string_secret: 'text?', blob_name: 'text?', stored_as_script: 'flag?' },
    },
  ],
  [
    'Bitbucket',
    {
      required: ['project', 'repo'],
      problem: bitbucketProblem,
      fields: {
        project: 'text',
        repo: 'text',
        workspace: 'text?',
        host: 'text?',
        path: 'text?',
        ref: 'text?',
        access_token_secret: 'text?',
        cloud_username_secret: 'text?',
        cloud_app_password_secret: 'text?',
      },
    },
  ],
  [
    'CodeCommit',
    { required: ['repo'], fields: { repo: 'text', path: 'text?', commit: 'text?', client_options: 'map?' } },
  ],
  [
    'Docker',
    {
      required: [],
      fields: {
        registry_url: 'text?',
        image_name: 'text?',
        image_tag: 'text?',
        path: 'text?',
        stored_as_script: 'flag?',
        prefect_version: 'text',
      },
    },
  ],
  [
    'GCS',
    { required: ['bucket'], fields: { bucket: 'text', key: 'text?', project: 'text?', stored_as_script: 'flag?' } },
  ],
  [
    'Git',
    {
      required: ['flow_path'],
      problem: gitProblem,
      fields: {
        flow_path: 'text',
        repo: 'text?',
        repo_host: 'text',
        flow_name: 'text?',
        git_token_secret_name: 'text?',
        git_token_username: 'text?',
        git_clone_url_secret_name: 'text?',
        branch_name: 'text?',
        tag: 'text?',
        commit: 'text?',
        clone_depth: 'int?',
        use_ssh: 'flag',
        format_access_token: 'flag',
      },
    },
  ],
  [
    'GitHub',
    {
      required: ['repo', 'path'],
      fields: { repo: 'text', ref: 'text?', path: 'text', access_token_secret: 'text?', base_url: 'text?' },
    },
  ],
  [
    'GitLab',
    {
      required: ['repo'],
      fields: { repo: 'text', path: 'text?', host: 'text?', ref: 'text?', access_token_secret: 'text?' },
    },
  ],
  ['Local', { required: [], fields: { directory: 'text', path: 'text?', stored_as_script: 'flag?' } }],
  ['Module', { required: ['module'], fields: { module: 'text' } }],
  [
    'S3',
    {
      required: ['bucket'],
      fields: { bucket: 'text', key: 'text?', stored_as_script: 'flag?', client_options: 'map?' },
    },
  ],
  // Known by name and abstract: no flow can be loaded from it.
  ['Storage', { required: [], fields: {}, problem: () => 'type: Storage is only the base of the other types' }],
  [
    'Webhook',
    {
      required: [
        'build_request_kwargs',
        'build_request_http_method',
        'get_flow_request_kwargs',
        'get_flow_request_http_method',
      ],
      problem: webhookProblem,
      fields: {
        build_request_kwargs: 'map',
        build_request_http_method: 'text',
        get_flow_request_kwargs: 'map',
        get_flow_request_http_method: 'text',
        stored_as_script: 'flag?',
      },
    },
  ],
]);

function typeProblem(type: Json | undefined): string {
  if (type === undefined || type === null) return 'type: Missing data for required field.';
  return typeof type === 'string' ? `type: Unsupported value: ${type.slice(0, 200)}` : 'type: Invalid value';
}

function missingProblem(storage: JsonObject, required: readonly string[]): string | null {
  const missing = required.find((name) => !Object.hasOwn(storage, name));
  return missing === undefined ? null : `${missing}: missing from a storage of type ${textOf(storage, 'type')}`;
}

const misfitProblem = (storage: JsonObject, fields: StorageType['fields']): string | null =>
  firstFieldProblem(storage, common) ?? firstFieldProblem(storage, fields);

function storageProblem(storage: Json): string | null {
  if (!isJsonObject(storage)) return 'Invalid data type';
  const type = storageTypes.get(storage['type'] ?? null);
  if (type === undefined) return typeProblem(storage['type']);
  return (
    misfitProblem(storage, type.fields) ?? missingProblem(storage, type.required) ?? type.problem?.(storage) ?? null
  );
}

/**
 * Joins two parts as Python 3.11's PurePosixPath does: an absolute second part replaces the first, slashes collapse
 * (exactly two leading ones stay), `.` vanishes and `..` stays. It damages a registry with a scheme, as the peer does.
 */
export function joinPosix(first: string, second: string): string {
  const text = second.startsWith('/') ? second : `${first}/${second}`;
  const rooted = second.startsWith('/') || first.startsWith('/');
  const doubled = /^\/\/(?!\/)/u.test(second.startsWith('/') ? second : first);
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  const root = rooted ? (doubled ? '//' : '/') : '';
  return root + parts.join('/') || '.';
}

function dockerImage(storage: JsonObject): StorageImage {
  const name = textOf(storage, 'image_name');
  const tag = textOf(storage, 'image_tag');
  if (name === null || tag === null) {
    return {
      kind: 'refused',
      rule: 'docker-storage-incomplete',
      message: 'Docker storage is missing required fields image_name and image_tag',
    };
  }
  return { kind: 'image', image: `${joinPosix(textOf(storage, 'registry_url') ?? '', name)}:${tag}` };
}

/**
 * Reads the flow's storage. It is read whatever else names an image, because the peer's flow process could not load the
 * flow from a storage that cannot be read (prefect 1.4.1, utilities/agent.py `get_flow_image`).
 */
export function imageOfStorage(flow: FlowOfRun): StorageImage {
  const problem = storageProblem(flow.storage);
  if (problem !== null) {
    return { kind: 'refused', rule: 'storage-unreadable', message: `The flow's storage cannot be read: ${problem}` };
  }
  const { storage } = flow;
  return isJsonObject(storage) && storage['type'] === 'Docker' ? dockerImage(storage) : { kind: 'none' };
}
