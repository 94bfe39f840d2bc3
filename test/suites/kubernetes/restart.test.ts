import assert from 'node:assert/strict';
import { describe } from 'node:test';

import type { ApiSession } from '../../../functions/kubernetes/session.ts';
import { itemsOf, jobsPath } from '../../contract/kubernetes.cluster.ts';
import { matrixRow } from '../../faults/matrix.ts';
import type { ControlPlane } from '../../kube/control-plane.ts';
import { realCluster } from '../../support/real-cluster.ts';
import { openAgentNamespace } from '../../support/real-namespace.ts';
import { startOwnPlane } from '../../support/real-plane.ts';
import { setStage } from '../../support/real-stage.ts';

const minute = 60_000;

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
      await using own = await startOwnPlane(eks);
      const { plane, cluster } = own;
      const at = await openAgentNamespace(cluster, 'restart');
      await using stage = await setStage({ cluster, eks, at, runs: 3, around: restarting(plane, when) });
      const { clock, functions, runs } = stage;

      // A server that has just come back may say 403 until it knows its roles (seen with 1.35): that ends the claiming and
      // fails nobody.
      await functions.dispatch();
      for (const id of runs) assert.match(stage.run(id).state, /^(?:Scheduled|Submitted)$/u);
      clock.advance(3 * minute);
      const { problem } = await functions.dispatch();

      assert.equal(problem, null);
      assert.equal(itemsOf(await at.call(`GET ${jobsPath(at)}`)).length, 3);
      for (const id of runs) assert.equal(stage.run(id).state, 'Submitted');
    });
  }
});
