import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Json } from '../../functions/core/json.ts';
import { imageOfStorage, joinPosix } from '../../functions/core/storage-image.ts';
import { aFlow } from '../support/builders.ts';

const answerOf = (storage: Json): string => {
  const result = imageOfStorage({ ...aFlow(), storage });
  if (result.kind === 'refused') return result.message;
  return result.kind === 'image' ? result.image : 'none';
};

describe('the image of a storage', () => {
  const prefix = "The flow's storage cannot be read: ";
  const bitbucket = { type: 'Bitbucket', project: 'p', repo: 'r' };
  const webhook = {
    type: 'Webhook',
    build_request_kwargs: {},
    build_request_http_method: 'GET',
    get_flow_request_kwargs: {},
    get_flow_request_http_method: 'GET',
  };
  const cases: Readonly<Record<string, { storage: Json; want: string }>> = {
    'of Docker with a registry': {
      storage: { type: 'Docker', registry_url: 'reg.io/team', image_name: 'etl', image_tag: 'v3' },
      want: 'reg.io/team/etl:v3',
    },
    'of Docker without one': { storage: { type: 'Docker', image_name: 'etl', image_tag: 'v3' }, want: 'etl:v3' },
    'of Docker without a tag': {
      storage: { type: 'Docker', image_name: 'etl', image_tag: null },
      want: 'Docker storage is missing required fields image_name and image_tag',
    },
    'of Docker without a name': {
      storage: { type: 'Docker', image_tag: 'v3' },
      want: 'Docker storage is missing required fields image_name and image_tag',
    },
    'of a bucket': { storage: { type: 'S3', bucket: 'b', stored_as_script: 'yes', flows: { a: 'b' } }, want: 'none' },
    'of nothing': { storage: null, want: `${prefix}Invalid data type` },
    'of no type': { storage: {}, want: `${prefix}type: Missing data for required field.` },
    'of a type that is no text': { storage: { type: 7 }, want: `${prefix}type: Invalid value` },
    'of an unknown type': { storage: { type: 'Floppy' }, want: `${prefix}type: Unsupported value: Floppy` },
    'of the abstract type': {
      storage: { type: 'Storage' },
      want: `${prefix}type: Storage is only the base of the other types`,
    },
    'of a bucket without a name': {
      storage: { type: 'S3' },
      want: `${prefix}bucket: missing from a storage of type S3`,
    },
    'of a wrong flag': {
      storage: { type: 'S3', bucket: 'b', stored_as_script: 2 },
      want: `${prefix}stored_as_script: Not a valid boolean.`,
    },
    'of a wrong list of flows': {
      storage: { type: 'S3', bucket: 'b', flows: [] },
      want: `${prefix}flows: Not a valid mapping type.`,
    },
    'of a flow at no place': {
      storage: { type: 'S3', bucket: 'b', flows: { a: 1 } },
      want: `${prefix}flows: Not a valid string.`,
    },
    'of a wrong depth': {
      storage: { type: 'Git', flow_path: 'f', repo: 'r', clone_depth: 'x' },
      want: `${prefix}clone_depth: Not a valid integer.`,
    },
    'of Git by branch': {
      storage: { type: 'Git', flow_path: 'f', repo: 'r', branch_name: 'b', clone_depth: '1' },
      want: 'none',
    },
    'of Git by branch and tag': {
      storage: { type: 'Git', flow_path: 'f', repo: 'r', branch_name: 'b', tag: 't' },
      want: `${prefix}Please provide only one of the following parameters: \`branch_name\`, \`tag\`, \`commit\``,
    },
    'of Git from a secret address': {
      storage: { type: 'Git', flow_path: 'f', git_clone_url_secret_name: 's' },
      want: 'none',
    },
    'of Git from nowhere': {
      storage: { type: 'Git', flow_path: 'f' },
      want: `${prefix}Either \`repo\` or \`git_clone_url_secret_name\` must be provided`,
    },
    'of Bitbucket Cloud': { storage: { ...bitbucket, workspace: 'w' }, want: 'none' },
    'of both Bitbuckets': {
      storage: { ...bitbucket, workspace: 'w', access_token_secret: 's' },
      want:
        `${prefix}\`access_token_secret\` and \`workspace\` are both set. Setting \`workspace\` is only for use with ` +
        'Bitbucket Cloud which uses `cloud_username_secret` and `cloud_app_password_secret` to provide authentication.',
    },
    'of a webhook': { storage: webhook, want: 'none' },
    'of a webhook that brews': {
      storage: { ...webhook, get_flow_request_http_method: 'BREW' },
      want: `${prefix}HTTP method 'BREW' not recognized`,
    },
  };
  for (const [name, { storage, want }] of Object.entries(cases)) {
    it(`is that ${name}`, () => assert.equal(answerOf(storage), want));
  }
});

describe('two parts of an image name', () => {
  const cases: Readonly<Record<string, { parts: readonly [string, string]; want: string }>> = {
    'are joined by one slash': { parts: ['reg.io/team/', 'etl'], want: 'reg.io/team/etl' },
    'lose doubled slashes and dots': { parts: ['a//b/.', './c/'], want: 'a/b/c' },
    'keep two dots': { parts: ['a', '../b'], want: 'a/../b' },
    'give way to an absolute second part': { parts: ['reg.io', '/a'], want: '/a' },
    'lose a slash of their scheme': { parts: ['https://reg.io', 'a'], want: 'https:/reg.io/a' },
    'keep exactly two slashes at the start': { parts: ['//reg', 'a'], want: '//reg/a' },
    'make one slash of three': { parts: ['///reg', 'a'], want: '/reg/a' },
    'are a dot when both are empty': { parts: ['', ''], want: '.' },
  };
  for (const [name, { parts, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(joinPosix(...parts), want));
  }
});
