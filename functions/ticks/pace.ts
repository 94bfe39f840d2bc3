/** How many claims go into one wave: 25 to begin, doubled while the server is quick, halved when it is not. */
const firstWave = 25;
const largestWave = 200;
const smallestWave = 5;
const quickMs = 1_000;
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
