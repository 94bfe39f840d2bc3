import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { jobs } from '../../infra/local/kubernetes-api/resources.ts';
import { aWorld, isClaim, minute, serializedOf, stateOf } from '../support/protocol-world.ts';

/** Two stacks on the same labels; the server forgets its lock, as when it is started again or runs twice. */
function twoStacks() {
  const { world, runId, agent: first } = aWorld({ STACK_ID: 'flows-first' });
  const second = world.container({ STACK_ID: 'flows-second' });
  let claims = 0;
  const crossed = async (): Promise<void> => {
    world.onPrefect = (request, forward) => {
      world.prefect.submittedLocks.clear();
      if (!isClaim(request) || (claims += 1) > 1) return forward();
      return first.dispatch().then(forward);
    };
    await second.dispatch();
    world.onPrefect = (_request, forward) => forward();
  };
  return { world, runId, first, second, crossed };
}

describe('two stacks that claim one run while the server’s lock is lost', () => {
  it('make one Job, and the claim goes back to the stack that made it', async () => {
    const { world, runId, first, second, crossed } = twoStacks();
    await crossed();
    assert.equal(world.jobsOf(runId).length, 1);
    assert.equal(serializedOf(world, runId)['context']?.['stack'], 'flows-first');
    world.clock.advance(3 * minute);
    const reports = [await first.reconcile(), await second.reconcile()];
    const done = reports.map(({ outcomes }) =>
      outcomes.filter(({ kind }) => kind !== 'warned').map(({ action }) => action),
    );
    assert.deepEqual(done, [['heartbeat'], []]);
  });

  it('and when that Job is deleted, its stack claims again', async () => {
    const { world, runId, first, second, crossed } = twoStacks();
    await crossed();
    world.cluster.table(jobs).clear();
    world.clock.advance(5 * minute);
    await second.dispatch();
    assert.equal(world.jobsOf(runId).length, 0);
    await first.dispatch();
    assert.equal(world.jobsOf(runId).length, 1);
    assert.equal(stateOf(world, runId), 'Submitted');
  });
});
