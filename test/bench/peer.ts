import { ensurePrefectPython } from '../support/python.ts';
import { bundleAll, seasonedRun, type Programs } from './bundled.ts';
import { interleaved, median, ratios, rounded, type GoalGroup, type Measurement } from './goal.ts';
import { startLab, type Lab } from './lab/start.ts';
import type { Done } from './programs/contract.ts';
import { runPeer, type PeerDone } from './programs/run-peer.ts';
import { runProgram } from './programs/run-program.ts';

const rounds = 5;
const latencies = [0, 5, 20];

/** The agent takes about 10 ms for each, so this is a few seconds of its work; the functions are done with these before they have begun. */
const jobs = { agent: 150, ours: 2_000, creates: 1_000, listed: 5_000 };

/** What somebody who runs flows for a living would set, and the most that is allowed. */
const concurrency = 64;

/** What a program took for a Job: on the clock from the first create to the last, and of the CPU. */
interface PerJob {
  readonly ms: number;
  readonly cpuMs: number;
}

/** The Jobs that the server has seen created, and the CPU for one of them as it was counted by who created them. */
async function perJob(lab: Lab, created: number, cpuMs: number): Promise<PerJob> {
  const seen = await lab.report();
  if (seen.created !== created) throw new Error(`${seen.created} Jobs were created where ${created} runs were due.`);
  return { ms: seen.spanMs / (created - 1), cpuMs };
}

async function agent(python: string, lab: Lab): Promise<PerJob> {
  await lab.reset(jobs.agent);
  const done: PeerDone = await runPeer(python, lab, { act: 'create', jobs: jobs.agent });
  return perJob(lab, jobs.agent, done.cpuMs / done.jobs);
}

/** A container in its stride, as the agent is: each has done such work before. */
async function dispatch({ dispatch }: Programs, lab: Lab): Promise<PerJob> {
  const env = { ...lab.env, CREATE_CONCURRENCY: String(concurrency) };
  const { cpuMs } = await seasonedRun(dispatch, { ...lab, env }, jobs.ours);
  return perJob(lab, jobs.ours, cpuMs / jobs.ours);
}

async function creates(lab: Lab, way: 'ours' | 'stock'): Promise<PerJob> {
  await lab.reset(0);
  const { kubernetes: endpoint, caPem } = lab.urls;
  const { cpuMs }: Done = await runProgram('fan-out', { way, endpoint, caPem, jobs: jobs.creates, concurrency });
  return perJob(lab, jobs.creates, cpuMs / jobs.creates);
}

interface Against {
  readonly who: string;
  readonly faster: number;
  readonly cheaper: number;
}

/** How many times as fast one of two is, and which part of the CPU it takes. */
function compared(
  ours: readonly PerJob[],
  theirs: readonly PerJob[],
  { who, faster, cheaper }: Against,
): readonly Measurement[] {
  const perSecond = (seen: readonly PerJob[]): readonly number[] => seen.map(({ ms }) => 1_000 / ms);
  const cpu = (seen: readonly PerJob[]): readonly number[] => seen.map(({ cpuMs }) => cpuMs);
  const middle = (values: readonly number[]): number => rounded(median(values));
  return [
    {
      goal: `Jobs a second / ${who}`,
      ...ratios(perSecond(ours), perSecond(theirs)),
      unit: 'ratio',
      limit: faster,
      atLeast: true,
      because: `${middle(perSecond(ours))} against ${middle(perSecond(theirs))} a second`,
    },
    {
      goal: `CPU of a Job / ${who}`,
      ...ratios(cpu(ours), cpu(theirs)),
      unit: 'ratio',
      limit: cheaper,
      because: `${middle(cpu(ours))} ms against ${middle(cpu(theirs))} ms`,
    },
  ];
}

async function creating(python: string, programs: Programs, latencyMs: number): Promise<readonly Measurement[]> {
  await using lab = await startLab({ runs: 0, jobs: 0, latencyMs });
  const seen = await interleaved(
    {
      dispatch: () => dispatch(programs, lab),
      agent: () => agent(python, lab),
      ours: () => creates(lab, 'ours'),
      stock: () => creates(lab, 'stock'),
    },
    rounds,
  );
  return [
    ...compared(seen.dispatch, seen.agent, {
      who: `the agent of Prefect 1.4.1, ${latencyMs} ms`,
      faster: 25,
      cheaper: 0.05,
    }),
    ...compared(seen.ours, seen.stock, {
      who: `the stock client, creates alone, ${latencyMs} ms`,
      faster: 4,
      cheaper: 0.25,
    }),
  ];
}

async function listing(python: string): Promise<Measurement> {
  await using lab = await startLab({ runs: 0, jobs: jobs.listed, latencyMs: 0 });
  const { kubernetes: endpoint, caPem } = lab.urls;
  const task = { way: 'ours', endpoint, caPem, jobs: jobs.listed, concurrency: 1 };
  const seen = await interleaved(
    {
      ours: async () => (await runProgram('lists', task)).cpuMs,
      agent: async () => (await runPeer(python, lab, { act: 'list', jobs: jobs.listed })).cpuMs,
    },
    rounds,
  );
  return {
    goal: `CPU of listing ${jobs.listed} Jobs / the agent of Prefect 1.4.1`,
    ...ratios(seen.ours, seen.agent),
    unit: 'ratio',
    limit: 0.05,
    because: `${rounded(median(seen.ours))} ms against ${rounded(median(seen.agent))} ms in its pages of 20`,
  };
}

const unmeasured = { figure: null, unit: 'ratio', because: 'needs --peer, and Python 3.11' } as const;

/** The rows without the peer: what would be measured. */
const withoutPeer: readonly Measurement[] = [
  { goal: 'Jobs a second / the agent of Prefect 1.4.1', limit: 25, atLeast: true, ...unmeasured },
  { goal: 'CPU of a Job / the agent of Prefect 1.4.1', limit: 0.05, ...unmeasured },
  { goal: 'CPU of a list / the agent of Prefect 1.4.1', limit: 0.05, ...unmeasured },
];

/** Goal 15: what the functions replace, at the same servers. Installs Prefect 1.4.1 where it is not there yet. */
export const peer: GoalGroup = {
  name: 'peer',
  about: `the real agent of Prefect 1.4.1 and the stock client, median of ${rounds} fresh processes each; only with --peer`,
  kind: 'wall',
  measure: async (options): Promise<readonly Measurement[]> => {
    if (!options.peer) return withoutPeer;
    const python = await ensurePrefectPython();
    await using programs = await bundleAll();
    const goals: Measurement[] = [];
    for (const latencyMs of latencies) goals.push(...(await creating(python, programs, latencyMs)));
    return [...goals, await listing(python)];
  },
};
