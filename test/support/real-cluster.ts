import type { ApiAccess } from '../kube/api-call.ts';

/** Credentials of a played AWS role that the cluster's authenticator maps to the group `prefect-serverless-agent`. */
export interface EksLogin {
  readonly clusterId: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** A cluster that `npm run test:kubernetes` has started, or was given, as its test files see it. */
export interface RealCluster extends ApiAccess {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Client URL of etcd; null on a given cluster. */
  readonly etcd: string | null;
  /** Null on a given cluster: whom it lets in is not ours to say. */
  readonly eks: EksLogin | null;
  /** What our group asked of the API server, a JSON event per line; null on a given cluster. */
  readonly auditLog: string | null;
  /** Path of kubectl; null on a given cluster. */
  readonly kubectl: string | null;
  /** Client certificate of a user of our group, PEM; null on a given cluster. */
  readonly member: { readonly cert: string; readonly key: string } | null;
}

const variable = 'REAL_CLUSTER';

/** Environment by which a runner tells its test files where the cluster is. */
export const environmentFor = (cluster: RealCluster): Record<string, string> => ({
  [variable]: JSON.stringify(cluster),
});

/** The cluster of this run; throws when the file was not started by its runner. */
export function realCluster(): RealCluster {
  const text = process.env[variable] ?? '';
  if (text === '')
    throw new Error('Start this file with `npm run test:kubernetes`, which starts the cluster it needs.');
  return JSON.parse(text) as RealCluster;
}
