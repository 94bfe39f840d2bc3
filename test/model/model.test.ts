import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { explore } from './explore.ts';
import { prove, smallScopes } from './scopes.ts';
import { Ticks } from './tick.ts';
import { partsOf, variants } from './variants.ts';

describe('every order of what may happen', () => {
  for (const scope of smallScopes) {
    it(`keeps U, F and L: ${scope.name}`, async () => {
      const { found, states, longestSeconds } = await prove(scope);

      assert.deepEqual(found, []);
      assert.ok(states > 300 && Number(longestSeconds) > 0, `${states} states, right after ${longestSeconds} s`);
    });
  }
});

describe('a rule broken in the real ticks', () => {
  for (const variant of variants) {
    const { name, violates, start, windows } = variant;

    it(`violates ${violates}: ${name}`, async () => {
      const ticks = new Ticks(partsOf(variant));
      const { found } = await explore({ start, ticks, windows, until: violates });

      assert.deepEqual(
        found.map(({ invariant }) => invariant),
        [violates],
      );
    });
  }

  // The one with open windows takes longer, and is one of the scopes of npm run model.
  const small = variants.filter(({ windows }) => windows === 'closed');
  for (const [start, names] of Map.groupBy(small, ({ start }) => start)) {
    it(`does no harm where it is kept: ${names.map(({ name }) => name).join('; ')}`, async () => {
      const { found } = await explore({ start, ticks: new Ticks(), windows: 'closed', until: null });

      assert.deepEqual(found, []);
    });
  }
});
