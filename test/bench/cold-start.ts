import { bundleAll, coldRun } from './bundled.ts';
import { showColdProfile } from './cold-profile.ts';
import { interleaved, median, ratios, rounded, type GoalGroup, type Measurement } from './goal.ts';
import { startLab } from './lab/start.ts';

const due = 20;
const rounds = 7;
const megabyte = 1024 * 1024;

/** Goals 4 and 5: a fresh process with a few due runs, from its start to its answer. */
export const coldStart: GoalGroup = {
  name: 'cold-start',
  about: `a cold dispatch of ${due} runs, median of ${rounds} fresh processes each`,
  kind: 'cpu',
  measure: async ({ show }): Promise<readonly Measurement[]> => {
    await showColdProfile(due, show);
    await using programs = await bundleAll();
    await using lab = await startLab({ runs: 0, jobs: 0, latencyMs: 0 });
    const { dispatch, floor, nothing } = programs;
    const seen = await interleaved(
      {
        ours: () => coldRun(dispatch, lab, due),
        floor: () => coldRun(floor, lab, due),
        nothing: () => coldRun(nothing, lab, 0),
      },
      rounds,
    );
    // A process of Node costs the same whoever runs in it: it is left out on both sides.
    const base = median(seen.nothing.map(({ processCpuMs }) => processCpuMs));
    const cpu = (name: 'ours' | 'floor') => seen[name].map(({ processCpuMs }) => processCpuMs - base);
    const emptyMb = median(seen.nothing.map(({ peakRssBytes }) => peakRssBytes)) / megabyte;
    const grown = seen.ours.map(({ peakRssBytes }) => peakRssBytes / megabyte - emptyMb);
    return [
      {
        goal: `CPU of a cold dispatch of ${due} runs / floor`,
        ...ratios(cpu('ours'), cpu('floor')),
        unit: 'ratio',
        limit: 2.2,
        because: `${rounded(median(cpu('ours')))} ms against ${rounded(median(cpu('floor')))} ms, beside ${rounded(base)} ms of an empty process`,
      },
      {
        goal: `memory of it above an empty process`,
        figure: rounded(median(grown)),
        spread: [rounded(Math.min(...grown)), rounded(Math.max(...grown))],
        unit: 'MB',
        limit: 50,
        because: `empty: ${rounded(emptyMb)} MB`,
      },
    ];
  },
};
