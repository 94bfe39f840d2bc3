import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { LocalResponse } from '../../infra/local/http.ts';
import { addEvent } from '../../infra/local/kubernetes-api/events.ts';
import { pods } from '../../infra/local/kubernetes-api/resources.ts';
import { patient } from '../support/clients.ts';
import { NAMESPACE, startClusterWorld, type ClusterWorld } from '../support/cluster-world.ts';
import { T0 } from '../support/time.ts';

describe('listEvents', () => {
  /** So many events about a pod, the last two of which matter to somebody. */
  function say(world: ClusterWorld, count: number): void {
    const about = {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { ...world.api.state.newMetadata(pods, { name: 'p', namespace: NAMESPACE }, T0) },
    };
    const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
      addEvent(world.api.state, { about, type, reason, message, source: 'test' }, T0);
    for (let n = 2; n < count; n += 1) say('Normal', 'Pulled', `image ${n}`);
    say('Normal', 'NotTriggerScaleUp', 'max node group size reached');
    say('Warning', 'FailedScheduling', 'no node');
  }
  const requestsOf = (world: ClusterWorld) =>
    world.api.exchanges.map(({ request }) => new URL(request.path, 'https://x').searchParams.get('fieldSelector'));

  it('reads all of them, as long as they fit into four pages', async () => {
    await using world = await startClusterWorld();
    say(world, 2_000);

    const { events, isWhole } = await world.connect().listEvents(patient());

    assert.deepEqual([events.length, isWhole], [2_000, true]);
    assert.deepEqual(requestsOf(world), [null, null, null, null]);
  });

  it('reads what went wrong where there are more, and gives up after the first page', async () => {
    await using world = await startClusterWorld();
    say(world, 2_001);

    const { events, isWhole } = await world.connect().listEvents(patient());

    assert.deepEqual(
      [events.map(({ reason }) => reason).toSorted(), isWhole],
      [['FailedScheduling', 'NotTriggerScaleUp'], false],
    );
    assert.deepEqual(requestsOf(world), [null, 'type=Warning', 'reason=NotTriggerScaleUp']);
  });

  it('takes a list for too long of which the server does not say how long it is', async () => {
    await using world = await startClusterWorld();
    say(world, 501);
    const rewrite = (answer: LocalResponse) => ({
      ...answer,
      body: answer.body.replace(/,"remainingItemCount":\d+/u, ''),
    });
    world.api.faults.add({ matches: ({ path }) => path.includes('/events?'), fault: { kind: 'rewrite', rewrite } });

    const { events, isWhole } = await world.connect().listEvents(patient());

    assert.deepEqual([events.length, isWhole], [2, false]);
  });
});
