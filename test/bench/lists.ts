import { interleaved, median, ratios, rounded, type GoalGroup } from './goal.ts';
import { startLab } from './lab/start.ts';
import { runProgram } from './programs/run-program.ts';

const jobs = 5_000;
const rounds = 5;
const megabyte = 1024 * 1024;

/** Goals 13 and 14. */
export const lists: GoalGroup = {
  name: 'lists',
  about: `the list of ${jobs} Jobs, median of ${rounds} fresh processes each`,
  kind: 'cpu',
  measure: async () => {
    await using lab = await startLab({ runs: 0, jobs, latencyMs: 0 });
    const { kubernetes: endpoint, caPem } = lab.urls;
    const by = (way: string) => () => runProgram('lists', { way, endpoint, caPem, jobs, concurrency: 1 });
    const done = await interleaved({ ours: by('ours'), parse: by('parse') }, rounds);
    const cpu = (name: 'ours' | 'parse') => done[name].map(({ cpuMs }) => cpuMs);
    const grown = done.ours.map(({ grownBytes }) => grownBytes / megabyte);
    return [
      {
        goal: `CPU of listing ${jobs} Jobs / JSON.parse of the same pages`,
        ...ratios(cpu('ours'), cpu('parse')),
        unit: 'ratio',
        limit: 1.8,
        because: `${rounded(median(cpu('ours')))} ms against ${rounded(median(cpu('parse')))} ms`,
      },
      {
        goal: `memory it takes above the start`,
        figure: rounded(median(grown)),
        spread: [rounded(Math.min(...grown)), rounded(Math.max(...grown))],
        unit: 'MB',
        limit: 75,
        because: 'pages of 500, each reduced before the next',
      },
    ];
  },
};
