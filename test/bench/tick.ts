import { bundleAll, warmRun } from './bundled.ts';
import { interleaved, median, ratios, rounded, type GoalGroup } from './goal.ts';
import { startLab } from './lab/start.ts';

const due = 1_000;
const latencyMs = 5;
const rounds = 5;

/** From the poll to the last Job, against a program that sends the same requests and does nothing else. */
export const tick: GoalGroup = {
  name: 'tick',
  about: `a warm dispatch of ${due} runs with ${latencyMs} ms of latency, median of ${rounds} fresh processes each`,
  kind: 'wall',
  measure: async () => {
    await using programs = await bundleAll();
    await using lab = await startLab({ runs: 0, jobs: 0, latencyMs });
    const { dispatch, floor } = programs;
    const seen = await interleaved(
      { ours: () => warmRun(dispatch, lab, due), floor: () => warmRun(floor, lab, due) },
      rounds,
    );
    const ms = (name: 'ours' | 'floor') => seen[name].map((one) => one.ms);
    const cpu = (name: 'ours' | 'floor') => rounded(median(seen[name].map(({ cpuMs }) => cpuMs)) / due);
    return [
      {
        goal: `whole tick of ${due} runs / the same requests by hand`,
        ...ratios(ms('ours'), ms('floor')),
        unit: 'ratio',
        limit: 1.5,
        because: `${rounded(median(ms('ours')))} ms against ${rounded(median(ms('floor')))} ms; CPU a Job ${cpu('ours')} against ${cpu('floor')} ms`,
      },
    ];
  },
};
