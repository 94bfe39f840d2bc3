import { startContainer } from '../support/lambda-container.ts';
import { bundleAll } from './bundled.ts';
import { interleaved, median, ratios, rounded, type GoalGroup } from './goal.ts';

/** Fresh processes for each bundle. */
const rounds = 7;

async function importMs(file: string): Promise<number> {
  await using container = await startContainer(file, {});
  return container.started.importMs;
}

/** Goals 1 and 2: what loading costs, against the stock client's bundle and against the floor. */
export const imports: GoalGroup = {
  name: 'imports',
  about: `import of each bundle, median of ${rounds} fresh processes each`,
  kind: 'wall',
  measure: async () => {
    await using programs = await bundleAll();
    const { dispatch, reconcile, stock, floor } = programs;
    const timed = (file: string) => () => importMs(file);
    const times = await interleaved(
      { dispatch: timed(dispatch), reconcile: timed(reconcile), stock: timed(stock), floor: timed(floor) },
      rounds,
    );
    const of = (name: 'dispatch' | 'reconcile', other: 'stock' | 'floor') => ({
      ...ratios(times[name], times[other]),
      unit: 'ratio',
      because: `${rounded(median(times[name]))} ms against ${rounded(median(times[other]))} ms`,
    });
    return [
      { goal: 'import time of dispatch / stock client', ...of('dispatch', 'stock'), limit: 0.45 },
      { goal: 'import time of reconcile / stock client', ...of('reconcile', 'stock'), limit: 0.45 },
      { goal: 'import time of dispatch / floor', ...of('dispatch', 'floor'), limit: 6 },
    ];
  },
};
