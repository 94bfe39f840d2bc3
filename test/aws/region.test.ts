import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { regionOf } from '../../functions/aws/region.ts';

interface Case {
  readonly env: Readonly<Record<string, string>>;
  readonly want: string | null;
}

const cases: Readonly<Record<string, Case>> = {
  'the function’s own': {
    env: { AWS_REGION: 'eu-central-1', AWS_DEFAULT_REGION: 'us-east-1' },
    want: 'eu-central-1',
  },
  'the default, where the other is empty': {
    env: { AWS_REGION: '', AWS_DEFAULT_REGION: 'us-east-1' },
    want: 'us-east-1',
  },
  'one that nobody has heard of yet': { env: { AWS_REGION: 'mars-north-12' }, want: 'mars-north-12' },
  none: { env: {}, want: null },
  'a host and the end of its name': { env: { AWS_REGION: 'elsewhere.example/#' }, want: null },
  'a host after a user': { env: { AWS_REGION: 'eu-central-1@elsewhere' }, want: null },
  'more than one label': { env: { AWS_REGION: 'eu-central-1.elsewhere' }, want: null },
  'a label that ends in a hyphen': { env: { AWS_REGION: 'eu-central-' }, want: null },
  'a second line': { env: { AWS_REGION: 'eu-central-1\n' }, want: null },
};

describe('the region of the functions', () => {
  for (const [name, { env, want }] of Object.entries(cases)) {
    it(`is ${want ?? 'none'}: ${name}`, () => assert.equal(regionOf(env), want));
  }
});
