import { median, ratios, rounded, type GoalGroup, type Measurement } from './goal.ts';
import { startLab, type Lab } from './lab/start.ts';
import { runProgram } from './programs/run-program.ts';

const rounds = 5;
const windowMs = 6_000;

/** An API server that turns away what exceeds its seats, with Retry-After: 1, and who creates Jobs there. */
interface Setting {
  /** Requests that it takes at a time. */
  readonly seats: number;
  readonly latencyMs: number;
  /** CREATE_CONCURRENCY: where the pace of the functions begins, and the most. */
  readonly ours: number;
  /** Numbers in flight that stay what they are; that of the seats is the best there can be. */
  readonly fixed: readonly number[];
}

/**
 * A small server under the default, and under the largest setting what a user gets who is in no special group: 20 of 245
 * shares of 600 seats (kubernetes 1.35, apiserver, flowcontrol/bootstrap/default.go).
 */
const settings: readonly Setting[] = [
  { seats: 8, latencyMs: 20, ours: 32, fixed: [1, 4, 8, 16, 32, 64] },
  { seats: 49, latencyMs: 50, ours: 64, fixed: [32, 49, 64] },
];

/** What a program reached: Jobs a second, and the share of its requests that was refused. */
interface Reached {
  readonly perSecond: number;
  readonly rejected: number;
}

async function reach(lab: Lab, way: 'ours' | 'fixed', concurrency: number): Promise<Reached> {
  await lab.reset(0);
  const { kubernetes: endpoint, caPem } = lab.urls;
  const done = await runProgram('paced', { way, endpoint, caPem, jobs: 0, concurrency, forMs: windowMs });
  const { rejected, kubernetesRequests } = await lab.report();
  if (done.latencies.length === 0) throw new Error(`Nothing was created with ${concurrency} in flight.`);
  return { perSecond: (done.latencies.length * 1_000) / windowMs, rejected: rejected / kubernetesRequests };
}

/** All at the same time, each at a server of its own: a busy minute of the machine falls on all of them. */
async function sideBySide({ seats, latencyMs, ours, fixed }: Setting): Promise<readonly Reached[][]> {
  await using stack = new AsyncDisposableStack();
  const lab = async (): Promise<Lab> => stack.use(await startLab({ runs: 0, jobs: 0, latencyMs, seats }));
  const programs = await Promise.all(
    [ours, ...fixed].map(async (concurrency, index) => ({
      lab: await lab(),
      way: index === 0 ? ('ours' as const) : ('fixed' as const),
      concurrency,
      seen: [] as Reached[],
    })),
  );
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(
      programs.map(async (program) => program.seen.push(await reach(program.lab, program.way, program.concurrency))),
    );
  }
  return programs.map(({ seen }) => seen);
}

const speeds = (seen: readonly Reached[]): readonly number[] => seen.map(({ perSecond }) => perSecond);

async function measure(setting: Setting): Promise<readonly Measurement[]> {
  const [ours = [], ...fixed] = await sideBySide(setting);
  const medians = fixed.map((seen) => rounded(median(speeds(seen))));
  const best = medians.indexOf(Math.max(...medians));
  const rejected = ours.map((one) => one.rejected * 100);
  const at = `${setting.seats} seats, ${setting.latencyMs} ms, setting ${setting.ours}`;
  const others = setting.fixed.map((size, index) => `${size}: ${medians[index]}`).join(', ');
  return [
    {
      goal: `Jobs a second / the best fixed number in flight, ${at}`,
      ...ratios(speeds(ours), speeds(fixed[best] ?? [])),
      unit: 'ratio',
      limit: 0.5,
      atLeast: true,
      because: `${rounded(median(speeds(ours)))} a second; fixed ${others}`,
    },
    {
      goal: `requests that were refused, ${at}`,
      figure: rounded(median(rejected)),
      spread: [rounded(Math.min(...rejected)), rounded(Math.max(...rejected))],
      unit: '%',
      limit: 5,
      because: 'each refusal asks everybody to wait a second',
    },
  ];
}

/** Back-pressure: 429 lowers what is in flight, and neither too much nor too often. */
export const backPressure: GoalGroup = {
  name: 'back-pressure',
  about: `creates for ${windowMs / 1_000} s at servers that refuse what exceeds their seats, median of ${rounds} fresh processes each`,
  kind: 'wall',
  measure: async () => {
    const goals: Measurement[] = [];
    for (const setting of settings) goals.push(...(await measure(setting)));
    return goals;
  },
};
