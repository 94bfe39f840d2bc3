import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { explore } from './explore.ts';
import { prove, smallScopes } from './scopes.ts';
import { Ticks } from './tick.ts';
import { variants, type Variant } from './variants.ts';

describe('every order of what may happen', () => {
  for (const scope of smallScopes) {
    it(`keeps U, F and L: ${scope.name}`, async () => {
      const { found, states, longestSeconds } = await prove(scope);

      assert.deepEqual(found, []);
      assert.ok(states > 300 && Number(longestSeconds) > 0, `${states} states, right after ${longestSeconds} s`);
    });
  }
});

describe('a rule that is broken in the guide', () => {
  const explored = new Set(smallScopes.map(({ start }) => JSON.stringify(start)));
  // Those that take longer are within the scopes of npm run model.
  const isSmall = ({ start, windows }: Variant): boolean =>
    windows === 'closed' && start.left.lazarus === 0 && !explored.has(JSON.stringify(start));
  for (const [start, names] of Map.groupBy(variants.filter(isSmall), ({ start }) => start)) {
    it(`does no harm where it is kept: ${names.map(({ name }) => name).join('; ')}`, async () => {
      const { found } = await explore({ start, ticks: new Ticks(), windows: 'closed', until: null });

      assert.deepEqual(found, []);
    });
  }
});
