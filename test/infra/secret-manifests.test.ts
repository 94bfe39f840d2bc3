import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';

import { parse } from 'yaml';

import { parseConfig } from '../../functions/config.ts';
import { buildJob } from '../../functions/core/job-spec.ts';
import { finished, type Finished } from '../support/command.ts';
import { aJobInput, jobOf } from '../support/job-inputs.ts';

const root = path.join(import.meta.dirname, '../..');
const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:runner-token-AbCdEf';

/** The command with these variables and none of this shell's. */
function manifests(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return finished(spawn(process.execPath, ['infra/manifests.ts', ...args], { cwd: root, env }));
}

/** How a Job takes the pods' API key. */
function apiKeyOf(podToken: { kind: 'secretKeyRef'; name: string; key: string }) {
  const { job } = jobOf(buildJob(aJobInput({ policy: { podToken } })));
  const [container] = job.spec?.template.spec?.containers ?? [];
  return container?.env?.find((one) => one.name === 'PREFECT__CLOUD__API_KEY');
}

describe('the Secret of the pods', () => {
  it('is a skeleton with a place for the key, and nothing else', async () => {
    const { status, stdout } = await manifests(['--secret', '--namespace', 'flows']);

    assert.equal(status, 0);
    assert.deepEqual(parse(stdout), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'prefect-api-key', namespace: 'flows' },
      type: 'Opaque',
      stringData: { 'api-key': 'PUT-THE-API-KEY-HERE' },
    });
  });

  it('has the name and the key that Jobs refer to', async () => {
    const env = { POD_TOKEN_SECRET: 'prefect/token', NAMESPACE: 'team' };
    const parsed = parseConfig({ ...env, PREFECT_API: 'http://p', EKS_CLUSTER_NAME: 'a', STACK_ID: 'b' });
    assert.ok(parsed.ok && parsed.config.podToken.kind === 'secret');
    const { name, key } = parsed.config.podToken;

    const { stdout } = await manifests(['--secret'], env);
    const secret = parse(stdout) as { metadata: { name: string; namespace: string }; stringData: object };

    assert.deepEqual(
      [secret.metadata, Object.keys(secret.stringData)],
      [{ name: 'prefect', namespace: 'team' }, ['token']],
    );
    assert.deepEqual(apiKeyOf({ kind: 'secretKeyRef', name, key })?.valueFrom?.secretKeyRef, {
      name: secret.metadata.name,
      key: Object.keys(secret.stringData)[0],
    });
  });

  it('is copied from the functions’ own by External Secrets', async () => {
    const { status, stdout } = await manifests(['--external-secret', '--namespace', 'flows'], {
      RUNNER_TOKEN_SECRET_ARN: arn,
    });

    assert.equal(status, 0);
    assert.deepEqual(parse(stdout), {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'prefect-api-key', namespace: 'flows' },
      spec: {
        refreshInterval: '1h',
        secretStoreRef: { kind: 'ClusterSecretStore', name: 'aws-secrets-manager' },
        target: { name: 'prefect-api-key' },
        data: [{ secretKey: 'api-key', remoteRef: { key: arn } }],
      },
    });
  });

  it('is copied from another secret, key and store on request', async () => {
    const args = ['--secret-id', 'team/prefect', '--property', 'token', '--store', 'aws', '--pod-token-secret', 'a/b'];
    const { stdout } = await manifests(['--external-secret', ...args], { POD_TOKEN_SECRET: 'c/d' });

    const { spec } = parse(stdout) as { spec: Record<string, unknown> };
    assert.deepEqual(spec['data'], [{ secretKey: 'b', remoteRef: { key: 'team/prefect', property: 'token' } }]);
    assert.deepEqual(spec['secretStoreRef'], { kind: 'ClusterSecretStore', name: 'aws' });
  });

  const wrong: Record<string, { args: readonly string[]; env?: Record<string, string>; want: RegExp }> = {
    'both kinds at once': { args: ['--secret', '--external-secret'], want: /not both/u },
    'nothing to copy from': { args: ['--external-secret'], want: /--secret-id, or RUNNER_TOKEN_SECRET_ARN/u },
    'a Secret where pods need none': {
      args: ['--secret'],
      env: { POD_TOKEN_SECRET: 'none' },
      want: /pods need no API key/u,
    },
    'a name without a key': { args: ['--secret', '--pod-token-secret', 'prefect'], want: /<name>\/<key>/u },
    'a store beside the Role': { args: ['--store', 'aws'], want: /--store says nothing/u },
    'a source beside a skeleton': { args: ['--secret', '--secret-id', 'x'], want: /--secret-id says nothing/u },
  };
  for (const [name, { args, env = {}, want }] of Object.entries(wrong)) {
    it(`is bad usage: ${name}`, async () => {
      const { status, stdout, stderr } = await manifests(args, env);
      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, want);
    });
  }
});
