import { serve, type LocalServer } from '../serve.ts';
import { makeServingCertificate } from './certificates.ts';
import { createClusterState, tokenOf } from './cluster.ts';
import { handle } from './handle.ts';
import type { ClusterState } from './state.ts';

export interface KubernetesApiOptions {
  /** Time of the world. */
  readonly now: () => Date;
  /** A cluster made before; an empty one otherwise. */
  readonly state?: ClusterState;
  readonly latencyMs?: number;
  readonly port?: number;
}

/** The local Kubernetes API under HTTPS (HTTP/2 and 1.1). */
export interface KubernetesApi extends LocalServer {
  readonly state: ClusterState;
  /** Certificate of the authority that signed the serving certificate. */
  readonly caPem: string;
  /** A kubeconfig (JSON, which is YAML) for a user with a static token; throws for any other. */
  kubeconfig(user: string): string;
}

/** Starts the local Kubernetes API on loopback. Controllers and pods stand still until somebody steps them. */
export async function startKubernetesApi(options: KubernetesApiOptions): Promise<KubernetesApi> {
  const state = options.state ?? createClusterState({ seed: 1, now: options.now() });
  const { caPem, ...tls } = await makeServingCertificate();
  const server = await serve({
    handle: (request, now) => handle(state, request, now),
    now: options.now,
    tls,
    ...(options.latencyMs === undefined ? {} : { latencyMs: options.latencyMs }),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  const kubeconfig = (user: string): string =>
    kubeconfigText({ server: server.url, caPem, user, token: tokenOf(state, user) });
  return { ...server, state, caPem, kubeconfig };
}

/** A kubeconfig with one cluster, one user and one context, all named `local`. */
export function kubeconfigText(access: { server: string; caPem: string; user: string; token: string }): string {
  const cluster = {
    server: access.server,
    'certificate-authority-data': Buffer.from(access.caPem).toString('base64'),
  };
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'local',
      clusters: [{ name: 'local', cluster }],
      users: [{ name: access.user, user: { token: access.token } }],
      contexts: [{ name: 'local', context: { cluster: 'local', user: access.user, namespace: 'default' } }],
    },
    null,
    2,
  );
}
