import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { buildScenario, defaultRuns } from '../../infra/local/scenario.ts';

describe('scenario', () => {
  it('has every kind of run once by default', () => {
    const kinds = buildScenario(defaultRuns).map(({ flow }) => flow);

    assert.deepEqual(kinds, [
      'success',
      'task-failure',
      'exit-1',
      'out-of-memory',
      'image-never-pulls',
      'cancelled-pending',
      'cancelled-running',
      'retry-due',
      'foreign-labels',
      'due-later',
      'not-due-yet',
      'unreadable-run-config',
    ]);
  });

  it('repeats the kinds in turn, under names of their own', () => {
    const names = buildScenario(40).map(({ name }) => name);

    assert.equal(new Set(names).size, 40);
    assert.deepEqual([names[0], names[12], names[39]], ['success', 'success-2', 'out-of-memory-4']);
  });

  it('lets everything that can be over be over after six ticks with 40 runs', () => {
    assert.ok(buildScenario(40).every(({ expect }) => expect.afterTicks <= 6));
  });

  it('moves whole batches by whole minutes, so that no tick polls more than it may', () => {
    const { 0: first, 240: second } = buildScenario(241);
    assert.ok(first !== undefined && second !== undefined);

    assert.equal(second.flow, first.flow);
    assert.equal(second.dueAtMs - first.dueAtMs, 60_000);
    assert.equal(second.expect.afterTicks - first.expect.afterTicks, 1);
  });
});
