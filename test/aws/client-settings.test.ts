import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { DescribeClusterCommand, EKSClient, type EKSClientConfig } from '@aws-sdk/client-eks';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

import { clientSettings } from '../../functions/aws/client-settings.ts';
import { stsHost } from '../../functions/aws/eks-token.ts';

const lambda = { AWS_LAMBDA_FUNCTION_NAME: 'dispatch' };
const signed = { region: 'eu-central-1', credentials: { accessKeyId: 'AKIA1', secretAccessKey: 's' } };

/** Where a client sends its request, which is then over. */
function recorder() {
  const hosts: string[] = [];
  return {
    hosts,
    requestHandler: {
      handle: async ({ hostname }: { readonly hostname: string }): Promise<never> => {
        hosts.push(hostname);
        throw new Error('recorded');
      },
    },
  };
}

async function hostOfEks(settings: EKSClientConfig): Promise<string | undefined> {
  const { hosts, requestHandler } = recorder();
  const client = new EKSClient({ ...signed, ...settings, requestHandler });
  await assert.rejects(client.send(new DescribeClusterCommand({ name: 'prod' })));
  return hosts[0];
}

async function hostOfSecrets(settings: EKSClientConfig): Promise<string | undefined> {
  const { hosts, requestHandler } = recorder();
  const client = new SecretsManagerClient({ ...signed, ...settings, requestHandler });
  await assert.rejects(client.send(new GetSecretValueCommand({ SecretId: 'token' })));
  return hosts[0];
}

const called = async (value: unknown): Promise<unknown> =>
  typeof value === 'function' ? ((await value()) as unknown) : value;

/** What a client works with, wherever it has it from. */
async function resolved(settings: EKSClientConfig) {
  const { config } = new EKSClient({ ...signed, ...settings });
  return {
    authSchemePreference: await called(config.authSchemePreference),
    defaultsMode: await called(config.defaultsMode),
    disableClockSkewCorrection: await called(config.disableClockSkewCorrection),
    maxAttempts: await called(config.maxAttempts),
    retryMode: await called(config.retryMode),
    useDualstackEndpoint: await called(config.useDualstackEndpoint),
    useFipsEndpoint: await called(config.useFipsEndpoint),
    userAgentAppId: await called(config.userAgentAppId),
  };
}

const variables = {
  AWS_AUTH_SCHEME_PREFERENCE: 'sigv4a',
  AWS_DEFAULTS_MODE: 'in-region',
  AWS_DISABLE_CLOCK_SKEW_CORRECTION: 'true',
  AWS_MAX_ATTEMPTS: '7',
  AWS_RETRY_MODE: 'adaptive',
  AWS_SDK_UA_APP_ID: 'ours',
  AWS_USE_DUALSTACK_ENDPOINT: 'true',
  AWS_USE_FIPS_ENDPOINT: 'true',
};

describe('clientSettings', () => {
  let folder = '';
  const nowhere = (): string => path.join(folder, 'none');
  const profile = (): string => path.join(folder, 'config');

  /** The SDK asks the process itself for its variables. */
  const withVariables = async <T>(given: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> => {
    const before = { ...process.env };
    Object.assign(process.env, { AWS_CONFIG_FILE: nowhere(), AWS_SHARED_CREDENTIALS_FILE: nowhere() }, given);
    try {
      return await work();
    } finally {
      process.env = before;
    }
  };

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'settings-'));
    await writeFile(
      profile(),
      '[default]\nuse_fips_endpoint = true\nmax_attempts = 7\nretry_mode = adaptive\ndefaults_mode = no such mode\n',
    );
  });
  after(() => rm(folder, { recursive: true }));

  it('are the SDK’s own defaults', async () => {
    await withVariables({}, async () => {
      assert.deepEqual(await resolved(clientSettings(lambda, 'EKS')), await resolved({}));
    });
  });

  it('leave to each variable what it says', async () => {
    await withVariables(variables, async () => {
      const told = await resolved(clientSettings({ ...lambda, ...variables }, 'EKS'));
      assert.deepEqual(told, await resolved({}));
      assert.equal(told.maxAttempts, 7);
    });
  });

  it('keep the files of a machine out of Lambda', async () => {
    await withVariables({ AWS_CONFIG_FILE: profile() }, async () => {
      const settings = clientSettings(lambda, 'EKS');
      assert.equal(await hostOfEks(settings), 'eks.eu-central-1.amazonaws.com');
      assert.equal((await resolved(settings)).maxAttempts, 3);
      assert.equal(stsHost('eu-central-1'), 'sts.eu-central-1.amazonaws.com');
    });
  });

  it('let the files have their say elsewhere', async () => {
    await withVariables({ AWS_CONFIG_FILE: profile() }, async () => {
      assert.deepEqual(clientSettings({}, 'EKS'), {});
      assert.equal((await resolved({ defaultsMode: 'legacy' })).maxAttempts, 7);
    });
  });

  it('send a client to the endpoint that a variable names: its own before that of all services', async () => {
    const all = { ...lambda, AWS_ENDPOINT_URL: 'http://all.example.com' };
    const own = { ...all, AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://own.example.com' };
    await withVariables({}, async () => {
      assert.equal(await hostOfEks(clientSettings(own, 'EKS')), 'all.example.com');
      assert.equal(await hostOfSecrets(clientSettings(own, 'SECRETS_MANAGER')), 'own.example.com');
    });
    const ignoring = { ...own, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' };
    await withVariables(ignoring, async () => {
      const host = await hostOfSecrets(clientSettings(ignoring, 'SECRETS_MANAGER'));
      assert.equal(host, 'secretsmanager.eu-central-1.amazonaws.com');
    });
  });
});
