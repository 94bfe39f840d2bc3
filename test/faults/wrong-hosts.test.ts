import assert from 'node:assert/strict';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { describe, it } from 'node:test';

import { composeFunctions } from '../../infra/local/functions.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import type { World } from '../../infra/local/world.ts';
import { examine } from '../support/doctor-world.ts';
import { startWorld } from '../support/scanned-world.ts';
import { startListener } from '../support/template-wires.ts';

type Server = 'prefect' | 'kubernetes' | 'aws';

/** What keeps method and body, and what does not: clients that follow them differ. */
const redirects = [301, 302, 307, 308];

/** From now on every answer of a server sends whoever asks to another host. */
function redirectAll(world: World, server: Server, to: { status: number; port: number }): void {
  const location = `http://127.0.0.1:${to.port}/elsewhere`;
  const answer = { status: to.status, headers: { location }, body: '' };
  world[server].faults.add({ matches: () => true, fault: { kind: 'answer', answer }, times: 1_000 });
}

/** Both functions and the doctor, with a run that is due. */
async function playAll(world: World): Promise<void> {
  const { prefect, clock } = world;
  const flowId = seedFlow(prefect.state, { name: 'etl' }, clock.now());
  seedFlowRun(prefect.state, { flowId, startTime: clock.now() }, clock.now());
  const functions = composeFunctions(world);
  await functions.dispatch();
  await functions.reconcile();
  await examine(world);
}

/** Asked where the cluster is: so AWS is asked twice, for the token and for the address. */
const describedCluster = { EKS_ENDPOINT: '', EKS_CA: '', AWS_MAX_ATTEMPTS: '1' };

describe('a host to which somebody else sends the functions', () => {
  for (const server of ['prefect', 'kubernetes', 'aws'] as const) {
    for (const status of redirects) {
      it(`hears nothing when the ${server} API answers ${status}`, async () => {
        await using world = await startWorld({ env: describedCluster });
        await using elsewhere = await startListener();
        redirectAll(world, server, { status, port: elsewhere.port });

        await playAll(world);

        assert.ok(world[server].exchanges.length > 0);
        assert.equal(elsewhere.hits(), 0);
      });
    }
  }

  it('would be heard of by a client that follows', async () => {
    await using world = await startWorld();
    await using elsewhere = await startListener();
    redirectAll(world, 'prefect', { status: 307, port: elsewhere.port });

    const answer = await fetch(world.prefect.url, { method: 'POST', body: '{}' });

    assert.deepEqual([answer.status, elsewhere.hits()], [200, 1]);
  });

  it('is named by each server as it was asked to', async () => {
    await using world = await startWorld();
    redirectAll(world, 'kubernetes', { status: 308, port: 1 });

    const call = httpsRequest(`${world.kubernetes.url}/version`, { ca: world.kubernetes.caPem }).end();
    const [answer] = (await once(call, 'response')) as [IncomingMessage];

    assert.deepEqual([answer.statusCode, answer.headers.location], [308, 'http://127.0.0.1:1/elsewhere']);
    await once(answer.resume(), 'end');
  });
});
