import { KubeConfig } from '@kubernetes/client-node';

import type { RealCluster } from '../../support/real-cluster.ts';

const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString();

/** What the current context says about its user: a token, or a client certificate. */
function credentialsOf(config: KubeConfig, path: string): Pick<RealCluster, 'adminToken' | 'certificate'> {
  const { token = '', certData = '', keyData = '' } = config.getCurrentUser() ?? {};
  if (certData !== '')
    return { adminToken: token, certificate: { cert: fromBase64(certData), key: fromBase64(keyData) } };
  if (token === '') throw new Error(`${path}: the user of the current context needs a token or inline certificates`);
  return { adminToken: token };
}

/** A cluster that somebody else runs: the current context of a kubeconfig. */
export function givenCluster(path: string, text: string): RealCluster {
  const config = new KubeConfig();
  config.loadFromString(text);
  const cluster = config.getCurrentCluster();
  if (cluster?.caData === undefined)
    throw new Error(`${path}: the current context needs a cluster with inline CA data`);
  const { server, caData } = cluster;
  return { server, caPem: fromBase64(caData), ...credentialsOf(config, path), kubeconfig: path, etcd: null, eks: null };
}
