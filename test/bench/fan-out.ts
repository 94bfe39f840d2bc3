import { interleaved, median, ratios, rounded, type GoalGroup, type Measurement } from './goal.ts';
import { startLab, type Lab } from './lab/start.ts';
import type { Done } from './programs/contract.ts';
import { runProgram } from './programs/run-program.ts';

const rounds = 5;
const jobs = 2_000;

type Way = 'ours' | 'rawHttp2' | 'undiciPool';

interface Setting {
  readonly latencyMs: number;
  readonly concurrency: number;
}

async function createIn(lab: Lab, way: Way, { concurrency }: Setting): Promise<Done> {
  await lab.reset(0);
  const { kubernetes: endpoint, caPem } = lab.urls;
  const done = await runProgram('fan-out', { way, endpoint, caPem, jobs, concurrency });
  const { created } = await lab.report();
  if (created !== jobs) throw new Error(`${way} created ${created} of ${jobs} Jobs.`);
  return done;
}

async function measuredIn(setting: Setting): Promise<Readonly<Record<Way, readonly Done[]>>> {
  await using lab = await startLab({ runs: 0, jobs: 0, latencyMs: setting.latencyMs });
  const by = (way: Way) => () => createIn(lab, way, setting);
  // Awaited here: the lab must not end before its programs have.
  return await interleaved({ ours: by('ours'), rawHttp2: by('rawHttp2'), undiciPool: by('undiciPool') }, rounds);
}

const at = ({ latencyMs, concurrency }: Setting): string => `${latencyMs} ms, ${concurrency} at a time`;

const perJob = (done: readonly Done[]): readonly number[] => done.map(({ cpuMs }) => cpuMs / jobs);
const perSecond = (done: readonly Done[]): readonly number[] => done.map(({ ms }) => (jobs * 1_000) / ms);

const middle: Setting = { latencyMs: 5, concurrency: 32 };
const far: Setting = { latencyMs: 20, concurrency: 64 };

/** Goals 6 and 7. */
export const fanOutCpu: GoalGroup = {
  name: 'fan-out-cpu',
  about: `CPU of ${jobs} creates at ${at(middle)}, median of ${rounds} fresh processes each`,
  kind: 'cpu',
  measure: async (): Promise<readonly Measurement[]> => {
    const done = await measuredIn(middle);
    const against = (way: 'rawHttp2' | 'undiciPool') => ({
      ...ratios(perJob(done.ours), perJob(done[way])),
      unit: 'ratio',
      because: `${rounded(median(perJob(done.ours)))} ms a Job against ${rounded(median(perJob(done[way])))} ms`,
    });
    return [
      { goal: 'CPU of a create / node:http2 by hand', ...against('rawHttp2'), limit: 1.7 },
      { goal: 'CPU of a create / a pool of undici over HTTP/1.1', ...against('undiciPool'), limit: 1.2 },
    ];
  },
};

const p99 = ({ latencies }: Done): number =>
  latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? 0;

/** Goals 8 and 9. */
export const fanOutSpeed: GoalGroup = {
  name: 'fan-out-speed',
  about: `${jobs} creates at ${at(middle)} and at ${at(far)}, median of ${rounds} fresh processes each`,
  kind: 'wall',
  measure: async (): Promise<readonly Measurement[]> => {
    const speeds: Measurement[] = [];
    for (const setting of [middle, far]) {
      const done = await measuredIn(setting);
      const [ours, raw] = [perSecond(done.ours), perSecond(done.rawHttp2)];
      speeds.push({
        goal: `Jobs a second / node:http2 by hand, ${at(setting)}`,
        ...ratios(ours, raw),
        unit: 'ratio',
        limit: 0.8,
        atLeast: true,
        because: `${rounded(median(ours))} against ${rounded(median(raw))}`,
      });
      if (setting !== far) continue;
      const latencies = done.ours.map(p99);
      speeds.push({
        goal: `99 of 100 creates / the latency, ${at(setting)}`,
        ...ratios(
          latencies,
          latencies.map(() => setting.latencyMs),
        ),
        unit: 'ratio',
        limit: 4,
        because: `${rounded(median(latencies))} ms`,
      });
    }
    return speeds;
  },
};
