import { functionLimitMs } from '../../functions/limits.ts';
import type { Invoked } from '../support/lambda-container.ts';
import { bundleAll, reconcileRun, warmRun, type Programs } from './bundled.ts';
import { interleaved, median, ratios, rounded, type GoalGroup, type Measurement } from './goal.ts';
import { startLab, type Lab } from './lab/start.ts';
import { withCpuShare, withDescriptors, withSmallHeap, type CpuShare } from './limited.ts';

const rounds = 5;
const latencyMs = 5;
const megabyte = 1024 * 1024;

/** Lambda's quota of open files and sockets in one environment. */
const descriptors = 1_024;

/** What 512 MB get of a CPU: Lambda gives a whole one at 1,769 MB. */
const share = 0.29;

/** A tick may take so much of its invocation. */
const tickMs = functionLimitMs / 5;

/** What Lambda's own runtime adds to an empty process of Node 24: 75 to 79 MB are used there, 42.5 MB here. */
export const runtimeMb = 33;

/** Memory settings, and what they are to hold. */
const memories = [
  { megabytes: 256, size: 5_000 },
  { megabytes: 512, size: 10_000 },
] as const;

const labOf = (jobs: number): Promise<Lab> => startLab({ runs: jobs, runState: 'Submitted', jobs, latencyMs });

async function descriptorGoals({ dispatch }: Programs): Promise<readonly Measurement[]> {
  const runs = 2_000;
  await using lab = await startLab({ runs: 0, jobs: 0, latencyMs });
  await warmRun(dispatch, { ...lab, launch: withDescriptors(descriptors) }, runs);
  const { created, connections } = await lab.report();
  const because = `with ${descriptors} descriptors`;
  return [
    {
      goal: `Jobs created by a dispatch of ${runs} runs`,
      figure: created,
      unit: 'Jobs',
      limit: runs,
      atLeast: true,
      because,
    },
    { goal: `connections to the API server of it`, figure: connections, unit: 'connections', limit: 1, because },
  ];
}

const megabytesOf = (seen: readonly Invoked[]): readonly number[] =>
  seen.map(({ peakRssBytes }) => peakRssBytes / megabyte);

function memoryGoal(what: string, memory: number, seen: readonly Invoked[]): Measurement {
  const used = megabytesOf(seen);
  return {
    goal: `memory of ${what}, function of ${memory} MB`,
    figure: rounded(median(used)),
    spread: [rounded(Math.min(...used)), rounded(Math.max(...used))],
    unit: 'MB',
    limit: memory - runtimeMb,
    because: `${memory} MB less ${runtimeMb} MB of Lambda's runtime`,
  };
}

/** Goals 10 and 12, and that both functions fit. */
async function dispatchMemory({ dispatch, floor }: Programs): Promise<readonly Measurement[]> {
  await using lab = await startLab({ runs: 0, jobs: 0, latencyMs });
  const [small, large] = memories;
  const run = (file: string, runs: number) => async () => {
    const answer = await warmRun(file, { ...lab, launch: withSmallHeap }, runs);
    return { ...answer, connections: (await lab.report()).connections };
  };
  const seen = await interleaved(
    { small: run(dispatch, small.size), floor: run(floor, small.size), large: run(dispatch, large.size) },
    rounds,
  );
  const ours = [...seen.small, ...seen.large];
  return [
    memoryGoal(`a dispatch of ${small.size} runs`, small.megabytes, seen.small),
    memoryGoal(`a dispatch of ${large.size} runs`, large.megabytes, seen.large),
    {
      goal: `memory of a dispatch of ${small.size} runs / floor`,
      ...ratios(megabytesOf(seen.small), megabytesOf(seen.floor)),
      unit: 'ratio',
      limit: 1.3,
      because: `${rounded(median(megabytesOf(seen.small)))} MB against ${rounded(median(megabytesOf(seen.floor)))} MB`,
    },
    {
      goal: `connections to the API server, dispatch of up to ${large.size} runs`,
      figure: Math.max(...ours.map(({ connections }) => connections)),
      unit: 'connections',
      limit: 1,
      because: 'one per invocation',
    },
  ];
}

async function reconcileMemory({ reconcile }: Programs): Promise<readonly Measurement[]> {
  const goals: Measurement[] = [];
  for (const { megabytes, size: jobs } of memories) {
    await using lab = await labOf(jobs);
    const seen: Invoked[] = [];
    for (let round = 0; round < rounds; round += 1)
      seen.push(await reconcileRun(reconcile, { ...lab, launch: withSmallHeap }, jobs));
    goals.push(memoryGoal(`a reconcile of ${jobs} Jobs and pods`, megabytes, seen));
  }
  return goals;
}

/** A process that got more of the CPU than its share was not held to it: then its time says nothing. */
function assertHeld({ cpuMs, ms }: Invoked, by: string): void {
  if (cpuMs / ms > share * 1.5)
    throw new Error(`${by} gave ${rounded(cpuMs / ms)} of a CPU where ${share} were asked for.`);
}

function timeGoal(what: string, held: { by: string; seen: readonly Invoked[] } | string): Measurement {
  const goal = { goal: `time of ${what} with ${share} of a CPU`, unit: 's', limit: tickMs / 1_000 };
  if (typeof held === 'string') return { ...goal, figure: null, because: `no means to share a CPU out: ${held}` };
  const { by, seen } = held;
  for (const one of seen) assertHeld(one, by);
  const seconds = seen.map(({ ms }) => ms / 1_000);
  const [least, most] = [rounded(Math.min(...seconds)), rounded(Math.max(...seconds))];
  return {
    ...goal,
    figure: rounded(median(seconds)),
    spread: [least, most],
    because: `a fifth of an invocation; ${by}`,
  };
}

async function timesWithin(
  { dispatch, reconcile }: Programs,
  { by, launch }: CpuShare,
): Promise<readonly Measurement[]> {
  const [runs, jobs] = [1_000, 5_000];
  await using due = await startLab({ runs: 0, jobs: 0, latencyMs });
  await using full = await labOf(jobs);
  const seen = await interleaved(
    {
      dispatch: () => warmRun(dispatch, { ...due, launch }, runs),
      reconcile: () => reconcileRun(reconcile, { ...full, launch }, jobs),
    },
    rounds,
  );
  return [
    timeGoal(`a dispatch of ${runs} runs`, { by, seen: seen.dispatch }),
    timeGoal(`a reconcile of ${jobs} Jobs and pods`, { by, seen: seen.reconcile }),
  ];
}

async function cpuGoals(programs: Programs): Promise<readonly Measurement[]> {
  const found = await withCpuShare(share);
  if (typeof found === 'string') return [timeGoal('a dispatch', found), timeGoal('a reconcile', found)];
  await using held = found;
  return await timesWithin(programs, held);
}

/** What Lambda allows: descriptors, a share of a CPU, and memory. */
export const lambdaLimits: GoalGroup = {
  name: 'lambda-limits',
  about: `ticks within ${descriptors} descriptors, ${share} of a CPU, and ${memories.map(({ megabytes }) => megabytes).join(' and ')} MB, median of ${rounds} fresh processes each`,
  kind: 'wall',
  measure: async (): Promise<readonly Measurement[]> => {
    await using programs = await bundleAll();
    return [
      ...(await descriptorGoals(programs)),
      ...(await cpuGoals(programs)),
      ...(await dispatchMemory(programs)),
      ...(await reconcileMemory(programs)),
    ];
  },
};
