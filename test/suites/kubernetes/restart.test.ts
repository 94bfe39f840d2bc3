import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { createPrefectState } from '../../../infra/local/prefect-api/state.ts';
import { readFlowRun } from '../../../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun, seedTenant } from '../../../infra/local/prefect-api/seed.ts';
import { startPrefectApi } from '../../../infra/local/prefect-api/server.ts';
import { agentGroup, rbacOf } from '../../../infra/rbac.ts';
import { connectHttp } from '../../../functions/prefect/http.ts';
import type { ApiSession } from '../../../functions/kubernetes/session.ts';
import { itemsOf, jobsPath, type ContractCluster } from '../../contract/kubernetes.cluster.ts';
import { matrixRow } from '../../faults/matrix.ts';
import { resolveBinaries } from '../../kube/binaries.ts';
import { startControlPlane, type ControlPlane } from '../../kube/control-plane.ts';
import { startEksWebhook } from '../../kube/eks-webhook.ts';
import { realCluster, type EksLogin, type RealCluster } from '../../support/real-cluster.ts';
import { applyManifest, isAllowed, openNamespace } from '../../support/real-namespace.ts';
import { realFunctions, ShiftedClock } from '../../support/real-world.ts';

const minute = 60_000;

/** A control plane of its own: the others' must not fall over under them. */
async function startPlane({ clusterId, ...key }: EksLogin) {
  await using started = new AsyncDisposableStack();
  const binaries = await resolveBinaries(() => undefined);
  const arn = 'arn:aws:sts::123456789012:assumed-role/prefect-serverless-agent/suite';
  const role = { ...key, arn, username: agentGroup, groups: [agentGroup] };
  const webhook = started.use(await startEksWebhook(binaries['eks-token-verifier'], { clusterId, keys: [role] }));
  const plane = started.use(await startControlPlane({ binaries, apiserverFlags: webhook.apiserverFlags }));
  const all = started.move();
  return { plane, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

function clusterOf({ server, caPem, adminToken, kubeconfig, etcd }: ControlPlane, eks: EksLogin | null): RealCluster {
  return { server, caPem, adminToken, kubeconfig, etcd, eks, auditLog: null, kubectl: null, member: null };
}

async function openStage(plane: ControlPlane): Promise<ContractCluster> {
  const at = await openNamespace(clusterOf(plane, null), 'restart');
  for (const manifest of rbacOf(at.namespace)) await applyManifest(at, { ...manifest });
  const right = { apiGroup: 'batch', resource: 'jobs', verb: 'list' };
  await at.until('the binding works', async () => ((await isAllowed(at, right)) ? true : null));
  return at;
}

/** Kills the API server and starts it again when the first Job is created: before the request, or after its effect. */
function restarting(plane: ControlPlane, when: 'before' | 'after'): (session: ApiSession) => ApiSession {
  let isDone = false;
  return (session) => ({
    ...session,
    send: async (request) => {
      if (isDone || request.method !== 'POST') return session.send(request);
      isDone = true;
      if (when === 'after') await session.send(request);
      await plane.restartApiserver();
      return session.send(request);
    },
  });
}

describe('the real API server is killed and comes back', () => {
  const { eks } = realCluster();
  // A given cluster is not ours to kill.
  if (eks === null) return;

  for (const when of ['before', 'after'] as const) {
    matrixRow(22, `a real one, SIGKILL ${when} a create`, async () => {
      await using own = await startPlane(eks);
      const { plane } = own;
      const at = await openStage(plane);
      const clock = new ShiftedClock();
      const state = createPrefectState({ seed: at.namespace });
      const due = new Date(clock.now().getTime() - minute);
      seedTenant(state, {}, due);
      const flowId = seedFlow(state, { name: 'etl' }, due);
      const runs = [1, 2, 3].map(() => seedFlowRun(state, { flowId, startTime: due }, due));
      await using api = await startPrefectApi({ state, now: () => clock.now() });
      const functions = realFunctions({
        cluster: clusterOf(plane, eks),
        eks,
        namespace: at.namespace,
        clock,
        prefectUrl: api.url,
        openHttp: (ca) => connectHttp({ ca }),
        around: restarting(plane, when),
      });

      // A server that has just come back may say 403 until it knows its roles (seen with 1.35): that ends the claiming and
      // fails nobody.
      await functions.dispatch();
      for (const id of runs) assert.match(readFlowRun(state, id)?.state ?? '', /^(?:Scheduled|Submitted)$/u);
      clock.advance(3 * minute);
      const { problem } = await functions.dispatch();

      assert.equal(problem, null);
      assert.equal(itemsOf(await at.call(`GET ${jobsPath(at)}`)).length, 3);
      for (const id of runs) assert.equal(readFlowRun(state, id)?.state, 'Submitted');
    });
  }
});
