import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { play, queueing, seated } from '../support/busy-server.ts';

describe('an API server that takes so many requests at a time', () => {
  const jobs = 2_000;
  const latencyMs = 20;
  const cases: Record<string, { seats: number; setting: number; atATime: number }> = {
    'far fewer than the setting': { seats: 8, setting: 32, atATime: 8 },
    'half of the setting': { seats: 16, setting: 32, atATime: 16 },
    'as EKS gives to one user': { seats: 49, setting: 64, atATime: 49 },
    'more than the setting: the setting is the limit': { seats: 49, setting: 32, atATime: 32 },
  };
  for (const [name, { seats, setting, atATime }] of Object.entries(cases)) {
    it(name, async () => {
      const { ms, created, rejected, mostInFlight } = await play(seated(seats, latencyMs), jobs, setting);
      assert.equal(created, jobs);
      assert.ok(mostInFlight <= setting, `${mostInFlight} in flight`);
      assert.ok(rejected / (jobs + rejected) <= 0.05, `${rejected} rejected`);
      assert.equal(rejected === 0, seats >= setting);
      const best = (jobs / atATime) * latencyMs;
      // A burst of refusals costs everybody the second that the server asked for; there is one.
      assert.ok(ms <= best + 1_250, `${ms} ms where ${best} ms would do`);
    });
  }

  it('and one that takes them one after another: fewer are in flight, and none later for it', async () => {
    const { ms, created, sizeAtTheEnd } = await play(queueing(50), 500, 32);
    assert.equal(created, 500);
    assert.equal(ms, 25_000);
    assert.ok(sizeAtTheEnd < 24, `${sizeAtTheEnd} at the end`);
  });

  it('turns away no create for good when fewer than the setting are waiting: a first wave is small', async () => {
    const { ms, created, rejected } = await play(seated(8, latencyMs), 25, 64);
    assert.deepEqual([created, rejected], [25, 25 - 8]);
    assert.ok(ms < 1_250, `${ms} ms`);
  });

  it('a slow webhook is not taken for load', async () => {
    const { sizeAtTheEnd, rejected } = await play(seated(100, 1_500), 200, 32);
    assert.deepEqual([sizeAtTheEnd, rejected], [32, 0]);
  });
});
