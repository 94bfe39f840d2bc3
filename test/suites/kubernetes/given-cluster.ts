import { readFileSync } from 'node:fs';

import { KubeConfig } from '@kubernetes/client-node';

import type { RealCluster } from '../../support/real-cluster.ts';

const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString();

/** Inline, or in the file that is named. */
function pemIn(inline: string | undefined, file: string | undefined): string {
  if (inline !== undefined) return fromBase64(inline);
  return file === undefined ? '' : readFileSync(file, 'utf8');
}

/** What the current context says about its user: a token, or a client certificate. */
function credentialsOf(config: KubeConfig, path: string): Pick<RealCluster, 'adminToken' | 'certificate'> {
  const { token = '', certData, certFile, keyData, keyFile } = config.getCurrentUser() ?? {};
  const cert = pemIn(certData, certFile);
  if (cert !== '') return { adminToken: token, certificate: { cert, key: pemIn(keyData, keyFile) } };
  if (token === '') throw new Error(`${path}: the user of the current context needs a token or a client certificate`);
  return { adminToken: token };
}

/** A cluster that somebody else runs: the current context of a kubeconfig. */
export function givenCluster(path: string, text: string): RealCluster {
  const config = new KubeConfig();
  config.loadFromString(text);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${path}: the current context names no cluster`);
  const { server, caData, caFile } = cluster;
  const caPem = pemIn(caData, caFile);
  const nothingOfOurs = { etcd: null, eks: null, auditLog: null, kubectl: null, member: null };
  return { server, caPem, ...credentialsOf(config, path), kubeconfig: path, ...nothingOfOurs };
}
