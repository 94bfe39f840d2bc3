import { describe, it } from 'node:test';

import { edges, fixedSeed, shareOf } from './edges.ts';

/** What `npm run test:fuzz` asks for; `npm test` takes a sample. */
const { FUZZ_CASES = '1500', FUZZ_SEEDS = String(fixedSeed) } = process.env;
const seeds = FUZZ_SEEDS.split(',').map(Number);

describe('what a liar sends', () => {
  for (const seed of seeds) {
    for (const { name, share, check } of edges) {
      const numRuns = shareOf(Number(FUZZ_CASES) / seeds.length, share);
      it(`does no harm to ${name}: ${numRuns} cases of seed ${seed}`, async () => {
        await check({ numRuns, seed });
      });
    }
  }
});
