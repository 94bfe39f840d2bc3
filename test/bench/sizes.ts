import { stat } from 'node:fs/promises';

import { bundleAll } from './bundled.ts';
import type { GoalGroup } from './goal.ts';

const functionNames = ['dispatch', 'reconcile'] as const;

/** The largest file that an idle tick may load. */
const largestKb = 1_000;

const kilobytes = async (file: string): Promise<number> => Math.round((await stat(file)).size / 1000);

export const sizes: GoalGroup = {
  name: 'sizes',
  about: 'what a cold start has to read',
  kind: 'count',
  measure: async () => {
    await using programs = await bundleAll();
    const because = `stock client: ${await kilobytes(programs.stock)} kB`;
    return await Promise.all(
      functionNames.map(async (name) => ({
        goal: `size of what an idle tick of ${name} loads`,
        figure: await kilobytes(programs[name]),
        unit: 'kB',
        limit: largestKb,
        because,
      })),
    );
  },
};
