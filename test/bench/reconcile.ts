import { bundleAll, warmReconcileRun } from './bundled.ts';
import { interleaved, median, ratios, rounded, type GoalGroup } from './goal.ts';
import { startLab } from './lab/start.ts';
import { runProgram } from './programs/run-program.ts';

const jobs = 5_000;
const rounds = 5;

/** The tick that finds nothing to do, which is nearly every one: what it reads is what it costs. */
export const reconcile: GoalGroup = {
  name: 'reconcile',
  about: `a warm reconcile of ${jobs} Jobs, their pods and their runs, median of ${rounds} fresh processes each`,
  kind: 'cpu',
  measure: async () => {
    await using programs = await bundleAll();
    await using lab = await startLab({ runs: jobs, runState: 'Submitted', jobs, latencyMs: 0 });
    const { kubernetes: endpoint, prefect, caPem } = lab.urls;
    const task = { way: 'parse-all', endpoint, prefect, caPem, jobs, concurrency: 1 };
    const done = await interleaved(
      {
        ours: async () => (await warmReconcileRun(programs.reconcile, lab, jobs)).cpuMs,
        parse: async () => (await runProgram('lists', task)).cpuMs,
      },
      rounds,
    );
    return [
      {
        goal: `CPU of a reconcile of ${jobs} Jobs and pods / JSON.parse of the same answers`,
        ...ratios(done.ours, done.parse),
        unit: 'ratio',
        limit: 1.8,
        because: `${rounded(median(done.ours))} ms against ${rounded(median(done.parse))} ms`,
      },
    ];
  },
};
