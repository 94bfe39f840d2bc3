import type { V1Job } from '@kubernetes/client-node';

import { connectKubernetes } from '../../functions/kubernetes/gateway.ts';
import type { KubernetesGateway, KubernetesOptions } from '../../functions/kubernetes/contract.ts';
import { keyAnnotation, runIdLabel, stackLabel } from '../../functions/core/job-identity.ts';
import type { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import { Secret as SecretValue } from '../../functions/secret.ts';
import { addUser, applyManifests, createClusterState } from '../../infra/local/kubernetes-api/cluster.ts';
import { startKubernetesApi, type KubernetesApi } from '../../infra/local/kubernetes-api/start.ts';
import type { Authenticate } from '../../infra/local/kubernetes-api/state.ts';
import { agentGroup, rbacOf } from '../../infra/rbac.ts';
import { aRunId, STACK } from './builders.ts';
import { aClock, type TestClock } from './clients.ts';
import { T0 } from './time.ts';

export const NAMESPACE = 'flows';

/** The local Kubernetes API with our printed manifests applied, and gateways to it with our group's rights. */
export interface ClusterWorld extends AsyncDisposable {
  readonly api: KubernetesApi;
  readonly clock: TestClock;
  readonly token: Secret;
  /** A token of somebody who may do everything: the test's own hands. */
  readonly admin: KubernetesGateway;
  connect(wish?: Partial<KubernetesOptions>): KubernetesGateway;
}

export async function startClusterWorld(wish: { authenticate?: Authenticate } = {}): Promise<ClusterWorld> {
  const clock = aClock();
  const state = createClusterState({ seed: 7, now: T0, namespaces: [NAMESPACE], ...wish });
  applyManifests(state, rbacOf(NAMESPACE), T0);
  const token = new SecretValue(addUser(state, { user: 'agent', groups: [agentGroup] }));
  const root = new SecretValue(addUser(state, { user: 'root', groups: ['system:masters'] }));
  const api = await startKubernetesApi({ now: () => clock.now(), state });
  const open: KubernetesGateway[] = [];
  const connect = (options: Partial<KubernetesOptions> = {}): KubernetesGateway => {
    const gateway = connectKubernetes({
      address: { endpoint: api.url, ca: api.caPem },
      token: constant(token),
      namespace: NAMESPACE,
      stackId: STACK,
      clock,
      ...options,
    });
    open.push(gateway);
    return gateway;
  };
  return {
    api,
    clock,
    token,
    admin: connect({ token: constant(root) }),
    connect,
    [Symbol.asyncDispose]: async () => {
      for (const gateway of open) gateway.close();
      await api.close();
    },
  };
}

interface JobWish {
  readonly run?: number;
  readonly key?: string;
  readonly stack?: string;
  readonly spec?: Record<string, unknown>;
}

/** A Job as dispatch creates it; the smallest that the API server takes. */
export function aManifest(name: string, { run = 1, key = '1', stack = STACK, spec = {} }: JobWish = {}): V1Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      labels: { [runIdLabel]: aRunId(run), [stackLabel]: stack },
      annotations: { [keyAnnotation]: key },
    },
    spec: {
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'flow', image: 'prefect:1.4.1' }] } },
      ...spec,
    },
  };
}
