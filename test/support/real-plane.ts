import { agentGroup } from '../../infra/rbac.ts';
import { resolveBinaries } from '../kube/binaries.ts';
import { startControlPlane, type ControlPlane } from '../kube/control-plane.ts';
import { startEksWebhook } from '../kube/eks-webhook.ts';
import type { EksLogin, RealCluster } from './real-cluster.ts';

/** A control plane for one test, and how its functions see it. */
export interface OwnPlane extends AsyncDisposable {
  readonly plane: ControlPlane;
  readonly cluster: RealCluster;
}

/** The store's past is to be forgotten on request, so lists of Jobs must come from the store and not from a cache. */
export const noJobCache = '--watch-cache-sizes=jobs.batch#0';

/** Starts a control plane to do harm to: the others' must not suffer under them. */
export async function startOwnPlane(eks: EksLogin, flags: readonly string[] = []): Promise<OwnPlane> {
  await using started = new AsyncDisposableStack();
  const binaries = await resolveBinaries(() => undefined);
  const { clusterId, ...key } = eks;
  const arn = 'arn:aws:sts::123456789012:assumed-role/prefect-serverless-agent/suite';
  const role = { ...key, arn, username: agentGroup, groups: [agentGroup] };
  const webhook = started.use(await startEksWebhook(binaries['eks-token-verifier'], { clusterId, keys: [role] }));
  const apiserverFlags = [...webhook.apiserverFlags, ...flags];
  const plane = started.use(await startControlPlane({ binaries, apiserverFlags }));
  const { server, caPem, adminToken, kubeconfig, etcd } = plane;
  const access = { server, caPem, adminToken, kubeconfig, etcd };
  const all = started.move();
  return {
    plane,
    cluster: { ...access, eks, auditLog: null, kubectl: null, member: null },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
