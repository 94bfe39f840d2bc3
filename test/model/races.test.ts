import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { measureRaces } from './races.ts';

describe('the races that the protocol leaves open', () => {
  it('are lost now and then, and what a claim or a Failed covers is put right', async () => {
    const measured = await measureRaces(24);

    for (const race of measured) {
      assert.ok(race.lost > 0, `${race.name}: lost ${race.lost} of ${race.tries}`);
      assert.equal(race.harmed, 0, race.name);
    }
  });
});
