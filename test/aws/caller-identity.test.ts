import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { STSClient } from '@aws-sdk/client-sts';

import { askCaller, type CallerAnswer } from '../../functions/aws/caller-identity.ts';
import { startAwsApi, type AwsApi } from '../../infra/local/aws-api/server.ts';
import { aClock } from '../support/clients.ts';

const arn = 'arn:aws:sts::111122223333:assumed-role/dispatch/dispatch';
const known = { secretAccessKey: 's', sessionToken: 'session', arn };

describe('askCaller', () => {
  const cases: Readonly<
    Record<string, { harm?: (api: AwsApi) => unknown; credentials?: () => Promise<never>; want: CallerAnswer }>
  > = {
    'the identity behind the credentials': { want: { kind: 'known', arn } },
    'that AWS does not know the key': {
      harm: (api) => api.state.keys.delete('ASIA1'),
      want: { kind: 'rejected', code: 'InvalidClientTokenId' },
    },
    'that the session is another': {
      harm: (api) => api.state.keys.set('ASIA1', { ...known, sessionToken: 'another' }),
      want: { kind: 'rejected', code: 'InvalidClientTokenId' },
    },
    'that there are no credentials': {
      credentials: () => Promise.reject(Object.assign(new Error('none'), { name: 'CredentialsProviderError' })),
      want: { kind: 'no-credentials' },
    },
    'that nobody answers, which is no rejection': {
      harm: (api) => api.close(),
      want: {
        kind: 'unreachable',
        advice: 'nothing listens there; check host and port, and that the server runs (ECONNREFUSED)',
      },
    },
  };
  for (const [name, { harm, credentials, want }] of Object.entries(cases)) {
    it(`says ${name}`, async () => {
      await using api = await startAwsApi();
      api.state.keys.set('ASIA1', known);
      const keys = { accessKeyId: 'ASIA1', secretAccessKey: 's', sessionToken: 'session' };
      const given = { region: 'us-east-1', endpoint: api.url, maxAttempts: 1, credentials: credentials ?? keys };
      const client = new STSClient(given);
      await harm?.(api);

      const answer = await askCaller(client, aClock());
      client.destroy();

      assert.deepEqual(answer, want);
    });
  }

  for (const Arn of [undefined, null, '', 1]) {
    it(`knows nobody by the ARN ${JSON.stringify(Arn)}`, async () => {
      const answer = await askCaller({ send: async () => ({ Arn }) as never }, aClock());

      assert.deepEqual(answer, { kind: 'rejected', code: 'NoArn' });
    });
  }
});
