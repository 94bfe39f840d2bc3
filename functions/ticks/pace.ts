/** How many claims go into one wave: 25 to begin, doubled while the server is quick, halved when it is not. */
const firstWave = 25;
const largestWave = 200;
const smallestWave = 5;

/**
 * From `npm run bench -- --only claim-batches`: at the costs of a real gateway 25 claims take 1.7 s, 50 take 3.3 s and
 * are 0.94 as many in a second as 200, which take 12.9 s of the 15 s that a request may take. A quick batch doubled is not
 * a slow one.
 */
const quickMs = 2_000;
const slowMs = 5_000;

export interface Pace {
  readonly size: number;
}

export const startingPace: Pace = { size: firstWave };

/** The next wave's size, from how long the last claim batch took and whether its answer could be read. */
export function nextPace(pace: Pace, last: { readonly milliseconds: number; readonly readable: boolean }): Pace {
  if (!last.readable || last.milliseconds > slowMs) return { size: Math.max(smallestWave, Math.floor(pace.size / 2)) };
  return last.milliseconds < quickMs ? { size: Math.min(largestWave, pace.size * 2) } : pace;
}
