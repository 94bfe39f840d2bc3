import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { verifyEksToken } from '../../infra/local/aws-api/eks-token-verifier.ts';
import type { EksLogin } from '../support/real-cluster.ts';
import { tokenCases } from './eks-token.cases.ts';

const login: EksLogin = {
  clusterId: 'prefect-test',
  region: 'us-east-1',
  accessKeyId: 'ASIALOCALCONTRACT000',
  secretAccessKey: 'local-contract-secret',
  sessionToken: 'local-contract-session',
};

const now = new Date('2026-03-01T12:00:00.000Z');

describe('the local authenticator judges like the real one', () => {
  const { secretAccessKey, sessionToken, clusterId } = login;
  const arn = 'arn:aws:sts::123456789012:assumed-role/prefect-serverless-agent/suite';
  const keys = new Map([[login.accessKeyId, { secretAccessKey, sessionToken, arn }]]);

  for (const [name, { make, wantGranted }] of Object.entries(tokenCases)) {
    it(name, async () => {
      const verdict = verifyEksToken(await make(login, now), { clusterId, keys, now });

      assert.equal(verdict.kind, wantGranted ? 'granted' : 'refused', JSON.stringify(verdict));
    });
  }
});
