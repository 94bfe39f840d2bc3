import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { EKSClient } from '@aws-sdk/client-eks';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

import { describedCluster, pemOf, type EksMemory } from '../../functions/aws/eks-cluster.ts';
import { runnerToken, tokenIn, type TokenMemory } from '../../functions/aws/runner-token.ts';
import { BoundaryError } from '../../functions/errors.ts';
import { startAwsApi, type AwsApi } from '../../infra/local/aws-api/server.ts';
import { aClock } from '../support/clients.ts';
import { at } from '../support/time.ts';

const secretArn = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:runner-token-AbCdEf';
const sdk = (api: AwsApi) => ({
  region: 'us-east-1',
  endpoint: api.url,
  credentials: { accessKeyId: 'AKIA1', secretAccessKey: 's' },
  maxAttempts: 1,
});

async function startWorld() {
  const api = await startAwsApi();
  const clock = aClock();
  const secrets = new SecretsManagerClient(sdk(api));
  const eks = new EKSClient(sdk(api));
  return {
    api,
    clock,
    token: (memory: TokenMemory = { token: null, readAt: null }) =>
      runnerToken({ client: secrets, secretArn, key: 'token', memory, clock }),
    cluster: (memory: EksMemory = { cluster: null }) => describedCluster({ client: eks, name: 'prod', memory, clock }),
    [Symbol.asyncDispose]: async () => {
      secrets.destroy();
      eks.destroy();
      await api.close();
    },
  };
}

const isBoundary = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof BoundaryError);
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

describe('runnerToken', () => {
  it('reads the secret once in five minutes, across warm invocations', async () => {
    await using world = await startWorld();
    world.api.state.secrets.set(secretArn, 'first\n');
    const memory = { token: null, readAt: null };
    assert.equal((await world.token(memory).current()).reveal(), 'first');
    world.api.state.secrets.set(secretArn, 'second');

    world.clock.set(at('+299s'));
    assert.equal((await world.token(memory).current()).reveal(), 'first');
    world.clock.set(at('+300s'));
    assert.equal((await world.token(memory).current()).reveal(), 'second');
    assert.equal(world.api.exchanges.length, 2);
  });

  it('reads it at once after it was rejected', async () => {
    await using world = await startWorld();
    world.api.state.secrets.set(secretArn, 'first');
    const token = world.token();
    await token.current();
    world.api.state.secrets.set(secretArn, 'second');

    assert.equal((await token.refresh()).reveal(), 'second');
    assert.equal((await token.current()).reveal(), 'second');
  });

  it('answers an empty secret with the command that fills it', async () => {
    await using world = await startWorld();
    world.api.state.secrets.set(secretArn, null);
    const command = `aws secretsmanager put-secret-value --region us-east-1 --secret-id ${secretArn} --secret-string file:///dev/stdin`;

    await assert.rejects(world.token().current(), (error) => {
      assert.ok(error instanceof BoundaryError);
      assert.equal(error.code, 'SECRET_UNAVAILABLE');
      assert.ok(error.message.includes(command), error.message);
      return true;
    });
  });

  it('says which permission is missing', async () => {
    await using world = await startWorld();
    world.api.state.denied.add('secretsmanager:GetSecretValue');

    await assert.rejects(world.token().current(), isBoundary('SECRET_UNAVAILABLE', /secretsmanager:GetSecretValue/));
  });

  it('says what a VPC may lack when nothing answers', async () => {
    await using world = await startWorld();
    await world.api.close();

    await assert.rejects(world.token().current(), isBoundary('SECRET_UNAVAILABLE', /interface endpoint/));
  });
});

describe('tokenIn', () => {
  const good: Record<string, { text: string; key?: string; want: string }> = {
    'the bare token': { text: 'abc', want: 'abc' },
    'a token that an editor ended with a line': { text: ' abc \n', want: 'abc' },
    'a token of all that a header carries': { text: '!"#$ ~', want: '!"#$ ~' },
    'JSON with the usual key': { text: '{"token":"abc"}', want: 'abc' },
    'JSON with another key': { text: '\n{"other":1,"prefect":" abc\\n"}', key: 'prefect', want: 'abc' },
  };
  for (const [name, { text, key = 'token', want }] of Object.entries(good)) {
    it(`reads ${name}`, () => assert.equal(tokenIn(text, key, secretArn).reveal(), want));
  }

  const bad: Record<string, { text: string; wantMessage: RegExp }> = {
    'nothing at all': { text: '', wantMessage: /no value yet/ },
    'white space': { text: ' \n', wantMessage: /no value yet/ },
    'JSON without the key': { text: '{"secret":"hunter2"}', wantMessage: /no text under the key "token"/ },
    'JSON with an empty value': { text: '{"token":" "}', wantMessage: /no text under the key/ },
    'JSON with a number': { text: '{"token":7}', wantMessage: /no text under the key/ },
    'two lines': { text: 'hunter2\nhunter2', wantMessage: /holds a line break/ },
    'a line break within JSON': { text: '{"token":"hunter2\\nhunter2"}', wantMessage: /holds a line break/ },
    'a mark before the token that an editor left': { text: '\u200bhunter2', wantMessage: /no HTTP header carries/ },
    'half of a JSON object': { text: '{"token":"hunter2', wantMessage: /no text under the key/ },
  };
  for (const [name, { text, wantMessage }] of Object.entries(bad)) {
    it(`refuses ${name} and does not quote it`, () => {
      assert.throws(
        () => tokenIn(text, 'token', secretArn),
        (error) => {
          assert.ok(error instanceof BoundaryError);
          assert.match(error.message, wantMessage);
          assert.match(error.message, /put-secret-value/);
          assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /hunter2/);
          return true;
        },
      );
    });
  }
});

describe('describedCluster', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  const prod = {
    name: 'prod',
    endpoint: 'https://ABC.gr7.us-east-1.eks.amazonaws.com',
    ca: pem,
    status: 'ACTIVE',
  } as const;

  const noEndpoints = { 'that is no address': 'ABC.gr7', 'in the clear': 'http://ABC.gr7.us-east-1.eks.amazonaws.com' };
  for (const [name, endpoint] of Object.entries(noEndpoints)) {
    it(`takes nothing for an endpoint ${name}`, async () => {
      const cluster = { endpoint, certificateAuthority: { data: 'QQ==' }, status: 'ACTIVE' };
      const client = { send: async () => ({ cluster }) as never };
      const source = describedCluster({ client, name: 'prod', memory: { cluster: null }, clock: aClock() });

      await assert.rejects(source.current(), isBoundary('CLUSTER_UNREACHABLE', /has no endpoint or no CA yet/u));
    });
  }

  it('asks once per container, and again when told to', async () => {
    await using world = await startWorld();
    world.api.state.clusters.set('prod', prod);
    const memory = { cluster: null };
    const first = await world.cluster(memory).current();
    world.api.state.clusters.set('prod', { ...prod, endpoint: 'https://new.example.com' });

    const warm = await world.cluster(memory).current();
    const refreshed = await world.cluster(memory).refresh();

    assert.deepEqual(first, { endpoint: prod.endpoint, ca: pem });
    assert.deepEqual(warm, first);
    assert.equal(refreshed.endpoint, 'https://new.example.com');
    assert.deepEqual(await world.cluster(memory).current(), refreshed);
    assert.equal(world.api.exchanges.length, 2);
  });

  it('says that there is no such cluster', async () => {
    await using world = await startWorld();

    await assert.rejects(world.cluster().current(), isBoundary('CONFIG_INVALID', /EKS_CLUSTER_NAME/));
  });

  it('says that it is not ready', async () => {
    await using world = await startWorld();
    world.api.state.clusters.set('prod', { ...prod, status: 'CREATING' });

    await assert.rejects(world.cluster().current(), isBoundary('CLUSTER_UNREACHABLE', /CREATING/));
  });

  it('says which permission is missing', async () => {
    await using world = await startWorld();
    world.api.state.denied.add('eks:DescribeCluster');

    await assert.rejects(world.cluster().current(), isBoundary('CLUSTER_FORBIDDEN', /eks:DescribeCluster/));
  });

  it('says what a VPC may lack when nothing answers', async () => {
    await using world = await startWorld();
    await world.api.close();

    await assert.rejects(world.cluster().current(), isBoundary('CLUSTER_UNREACHABLE', /interface endpoint for eks/));
  });
});

describe('pemOf', () => {
  it('takes a CA as PEM or in base64', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

    assert.deepEqual([pemOf(pem), pemOf(Buffer.from(pem).toString('base64'))], [pem, pem]);
  });
});
