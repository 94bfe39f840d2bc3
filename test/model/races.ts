import type { WitnessedState } from '../faults/witness.ts';
import { table } from '../../infra/readme/table.ts';
import { Random } from '../soak/random.ts';
import { aRun, aScenario, works } from '../soak/scenario-example.ts';
import type { Act, RunActKind, Scenario, Strike } from '../soak/scenario.ts';
import { simulate, type SimulationResult } from '../soak/simulate.ts';

/** A race that the protocol leaves open, played many times in the worlds of the soak at random instants. */
interface Race {
  readonly name: string;
  readonly scenario: (seed: number) => Scenario;
  /** It was lost: ours lies over what came a moment before. */
  readonly isLost: (result: SimulationResult) => boolean;
  /** How often, given the share of tries that lost it. */
  readonly often: (share: number) => string;
  readonly seen: string;
}

const second = 1_000;
const minute = 60 * second;
/** When the soak invokes dispatch and reconcile for the first time. */
const dispatchAt = second;
const reconcileAt = 31 * second;
/** A pod that waits for a node is given up by the first tick of reconcile after its grace of ten minutes. */
const givenUpMs = reconcileAt + 10 * minute;
/** Reconcile has given the write up by then, and cannot know what becomes of it. */
const lateFailed: Strike = {
  row: 14,
  on: 'fail',
  notBeforeMs: 0,
  passes: 0,
  times: 1,
  effect: { kind: 'late', ms: 50 * second },
};
/** Lazarus takes a run after ten minutes without a heartbeat; a reconcile that works has failed it by then. */
const away: Act = { row: 30, kind: 'reconcile-stopped', atMs: 20 * second, forMs: 12 * minute };
const backAt = 12 * minute + reconcileAt;
/** Long enough for every race to be over, and for what comes of it. */
const hours = 0.1;

/** The first row of the run that is ours and of this state lies on a row of others of that state. */
function liesOver({ witnessed }: SimulationResult, state: string, below: RegExp): boolean {
  const history: readonly WitnessedState[] = witnessed.runs[0]?.history ?? [];
  return history.some((row, place) => {
    const before = history[place - 1];
    return row.state === state && row.stack !== null && before?.stack === null && below.test(before.state);
  });
}

const within = (random: Random, from: number): number => from + random.whole(0, second - 1);
const onRun = (kind: RunActKind, atMs: number): Act => ({ row: 38, kind, run: 0, atMs });

const small = new Intl.NumberFormat('en', { maximumSignificantDigits: 1, notation: 'standard' });
/** One run in a hundred is cancelled in the minute in which this happens to it. */
const perRun = (share: number): string =>
  `${small.format((share / 60) * 0.01 * 1_000_000)} in a million runs, if one in a hundred is cancelled in that minute`;

const races: readonly Race[] = [
  {
    name: 'a claim lands over a cancel',
    scenario: (seed) => aScenario({ seed, hours, acts: [onRun('cancel', within(new Random(seed), dispatchAt))] }),
    isLost: (result) => liesOver(result, 'Submitted', /^Cancel/u),
    often: perRun,
    seen: 'metric `claim_overwrote`; outcome `restored`',
  },
  {
    name: 'our Failed lands over a cancel',
    scenario: (seed) => {
      const runs = [aRun({ plays: [works(5 * second, 'exit-1')] })];
      return aScenario({ seed, hours, runs, acts: [onRun('cancel', within(new Random(seed), reconcileAt))] });
    },
    isLost: (result) => liesOver(result, 'Failed', /^Cancel/u),
    often: (share) => `${perRun(share)}, of those whose Job failed`,
    seen: 'metric `claim_overwrote`; outcome `restored`',
  },
  {
    name: 'our Failed lands over the Scheduled of Lazarus',
    scenario: (seed) => {
      const runs = [aRun({ plays: [{ kind: 'never-starts', why: 'image' }] })];
      const lazarus = { row: 32, kind: 'lazarus', atMs: within(new Random(seed), backAt), forMs: 0 } as const;
      return aScenario({ seed, hours: 0.4, runs, acts: [away, lazarus] });
    },
    isLost: (result) => liesOver(result, 'Failed', /^Scheduled$/u),
    often: (share) =>
      `${Math.round(share * 100)} % of the rounds of Lazarus in that second, after ten minutes without reconcile`,
    seen: 'metric `claim_overwrote`; outcome `restored`',
  },
  {
    name: 'a Failed that Prefect takes 50 s late lands on a pod that has started',
    scenario: (seed) => {
      const afterMs = givenUpMs + new Random(seed).whole(0, minute - 1);
      const runs = [aRun({ plays: [{ kind: 'heals', why: 'no-node', afterMs, workMs: 4 * minute }] })];
      return aScenario({ seed, hours: 0.4, runs, strikes: [lateFailed] });
    },
    isLost: (result) => liesOver(result, 'Failed', /^Running$/u),
    often: (share) => `${Math.round(share * 100)} % of such writes, of runs that get a node in that minute after all`,
    seen: 'rule `our-write-covers-a-newer-state` in the log',
  },
];

/** What came of the tries of one race. */
export interface Measured {
  readonly name: string;
  readonly tries: number;
  readonly lost: number;
  /** Lost ones after which the checker still finds something wrong at the end. */
  readonly harmed: number;
  readonly row: readonly string[];
}

async function measure({ name, scenario, isLost, often, seen }: Race, tries: number): Promise<Measured> {
  let lost = 0;
  let harmed = 0;
  for (let seed = 1; seed <= tries; seed += 1) {
    const result = await simulate(scenario(seed));
    if (!isLost(result)) continue;
    lost += 1;
    harmed += Number(result.violations.length > 0);
  }
  const share = lost / tries;
  const row = [name, String(tries), String(lost), String(harmed), lost === 0 ? 'not once' : often(share), seen];
  return { name, tries, lost, harmed, row };
}

/** Plays every race so many times, from the same seeds. */
export async function measureRaces(tries: number): Promise<readonly Measured[]> {
  const measured: Measured[] = [];
  for (const race of races) measured.push(await measure(race, tries));
  return measured;
}

export const raceTable = (measured: readonly Measured[]): string =>
  table(
    ['race', 'tries', 'lost', 'wrong in the end', 'in a life', 'how it is seen'],
    measured.map(({ row }) => row),
  );
