import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';

import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { freePorts, startChild, waitUntil } from './child.ts';

/** What AWS and the cluster know about one access key. */
export interface EksKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Principal, as STS tells it. */
  readonly arn: string;
  /** Kubernetes user and groups it is mapped to; an empty user name = not mapped. */
  readonly username: string;
  readonly groups: readonly string[];
}

/** The real aws-iam-authenticator as a TokenReview webhook on loopback. */
export interface EksWebhook extends AsyncDisposable {
  /** What kube-apiserver must be started with to ask it. */
  readonly apiserverFlags: readonly string[];
}

/** keys.json as the verifier reads it (eks-token-verifier/sts.go). */
export function keysJson(keys: readonly EksKey[]): string {
  const rows = keys.map(({ accessKeyId, secretAccessKey, sessionToken = '', arn, username, groups }) => {
    const account = arn.split(':')[4] ?? '';
    const known = { secret: secretAccessKey, token: sessionToken, arn, account, userId: `AROA${account}:test` };
    return [accessKeyId, { ...known, username, groups }] as const;
  });
  return JSON.stringify(Object.fromEntries(rows));
}

function webhookConfig(port: number, caPem: string): string {
  const server = `https://127.0.0.1:${port}/authenticate`;
  const authority = Buffer.from(caPem).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'webhook',
    clusters: [{ name: 'verifier', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'apiserver' }],
    contexts: [{ name: 'webhook', context: { cluster: 'verifier', user: 'apiserver' } }],
  });
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  return true;
}

/** Starts the webhook; it must run before the API server that asks it. */
export async function startEksWebhook(
  binary: string,
  { clusterId, keys }: { readonly clusterId: string; readonly keys: readonly EksKey[] },
): Promise<EksWebhook> {
  const folder = await mkdtemp(join(tmpdir(), 'eks-webhook-'));
  const file = (name: string): string => join(folder, name);
  const { cert, key, caPem } = await makeServingCertificate();
  const [port = 0] = await freePorts(1);
  await writeFile(file('keys.json'), keysJson(keys), { mode: 0o600 });
  await writeFile(file('serving.crt'), cert);
  await writeFile(file('serving.key'), key, { mode: 0o600 });
  await writeFile(file('webhook.json'), webhookConfig(port, caPem));
  const flags = ['webhook', '-cluster', clusterId, '-keys', file('keys.json'), '-listen', `127.0.0.1:${port}`];
  const child = startChild(binary, [...flags, '-cert', file('serving.crt'), '-key', file('serving.key')], folder);
  await waitUntil('the EKS webhook listens', child, async () => accepts(port));
  return {
    apiserverFlags: [
      `--authentication-token-webhook-config-file=${file('webhook.json')}`,
      '--authentication-token-webhook-version=v1',
    ],
    [Symbol.asyncDispose]: async () => {
      await child.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
