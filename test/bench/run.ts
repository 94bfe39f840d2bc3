import { parseArgs } from 'node:util';

import { versionOfPackage } from '../../infra/local/version.ts';
import { MissingTool } from '../support/missing-tool.ts';
import { backPressure } from './back-pressure.ts';
import { claimBatches } from './claim-batches.ts';
import { coldStart } from './cold-start.ts';
import { counters } from './counters.ts';
import { curves } from './curves.ts';
import { fanOutCpu, fanOutSpeed } from './fan-out.ts';
import {
  hasMissed,
  measureFairly,
  verdictOf,
  type BenchOptions,
  type GoalGroup,
  type GoalKind,
  type Measurement,
  type Verdict,
} from './goal.ts';
import { imports } from './imports.ts';
import { lambdaLimits } from './lambda-limits.ts';
import { lists } from './lists.ts';
import { peer as peerGroup } from './peer.ts';
import { planners } from './planners.ts';
import { reconcile } from './reconcile.ts';
import { sizes } from './sizes.ts';
import { tick } from './tick.ts';

/** Every goal there is, in the order of the table. */
const groups: readonly GoalGroup[] = [
  counters,
  sizes,
  planners,
  claimBatches,
  lists,
  reconcile,
  coldStart,
  fanOutCpu,
  fanOutSpeed,
  tick,
  backPressure,
  imports,
  lambdaLimits,
  curves,
  peerGroup,
];

const trust: Readonly<Record<GoalKind, string>> = {
  count: 'counted: the same on every machine',
  cpu: 'CPU times and memory: a miss is measured once more in the end',
  wall: 'times on the clock: a miss is measured once more in the end',
};

const usage = `Measures the functions goal by goal: against the local servers, and against the stock client in the same run.

Usage: npm run bench [-- OPTION...]

  --only GROUP,...  ${groups.map(({ name }) => name).join(', ')} (default: all)
  --peer            measure what the functions replace as well: the agent of Prefect 1.4.1, with Python 3.11
  --svg FILE        draw the curves into this file
  --json            one JSON object a line: npm run --silent bench -- --json
  --help            this text
  --version         the version

${groups.map(({ name, about, kind }) => `${name}: ${about} (${trust[kind]})`).join('\n')}

Exit status: 0 when every goal is met, 1 when one is missed or a tool for --peer is, 2 for bad usage. Writes no file but that
of --svg. Times mean something only on a machine that does nothing else.
`;

/** Bad usage: the message is all there is to say. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface Wanted {
  readonly groups: readonly GoalGroup[];
  readonly json: boolean;
  readonly peer: boolean;
  readonly svg: string | null;
  readonly text: string | null;
}

function parseFlags(args: readonly string[]) {
  try {
    const options = {
      only: { type: 'string' },
      peer: { type: 'boolean', default: false },
      svg: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'The arguments cannot be read.', { cause: error });
  }
}

function groupNamed(name: string): GoalGroup {
  const found = groups.find((group) => group.name === name);
  if (found !== undefined) return found;
  throw new UsageError(`There is no group "${name}": name ${groups.map((group) => group.name).join(', ')}.`);
}

/** A flag for one group says nothing to the others. */
function assertUseful(wanted: readonly GoalGroup[], { peer, svg }: { peer: boolean; svg?: string }): void {
  const uses = [
    { flag: '--svg', isGiven: svg !== undefined, group: curves },
    { flag: '--peer', isGiven: peer, group: peerGroup },
  ];
  const idle = uses.find(({ isGiven, group }) => isGiven && !wanted.includes(group));
  if (idle !== undefined) throw new UsageError(`${idle.flag} does nothing without the group ${idle.group.name}.`);
}

function wantedBy(args: readonly string[]): Wanted {
  const flags = parseFlags(args);
  const { only, peer, svg, json, help, version } = flags;
  const wanted = only?.split(',').map(groupNamed) ?? groups;
  assertUseful(wanted, flags);
  const text = version ? `${versionOfPackage()}\n` : null;
  return { groups: wanted, peer, svg: svg ?? null, json, text: help ? usage : text };
}

const figureOf = ({ figure, unit }: Measurement): string => (figure === null ? '-' : `${figure} ${unit}`);

const columns = (measurement: Measurement): readonly string[] => [
  verdictOf(measurement),
  measurement.goal,
  figureOf(measurement),
  `${measurement.atLeast === true ? '≥' : '≤'} ${measurement.limit}`,
  measurement.spread === undefined ? '' : `${measurement.spread[0]} to ${measurement.spread[1]}`,
  measurement.because,
];

/** Lines of cells, each column as wide as its widest cell. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return lines.map((line) => `  ${line.trimEnd()}\n`).join('');
}

const jsonOf = (group: GoalGroup, measurements: readonly Measurement[]): string =>
  measurements
    .map((measurement) => JSON.stringify({ group: group.name, ...measurement, verdict: verdictOf(measurement) }))
    .map((line) => `${line}\n`)
    .join('');

/** Figures that are no goals, with the names of their columns on top. */
function shown(group: GoalGroup, json: boolean): BenchOptions['show'] {
  return (rows) => {
    const heads = Object.keys(rows[0] ?? {});
    const cells = rows.map((row) => heads.map((head) => String(row[head])));
    const lines = rows.map((row) => `${JSON.stringify({ group: group.name, ...row })}\n`).join('');
    process.stdout.write(json ? lines : `${tableOf([heads, ...cells])}\n`);
  };
}

/** The whole run ends within ten minutes, except with a peer that takes ten milliseconds for a Job. */
const limitMs = 540_000;

/** Measures one group and prints it. */
async function runGroup(group: GoalGroup, { json, peer, svg }: Wanted): Promise<readonly Measurement[]> {
  if (!json) process.stdout.write(`${group.name}: ${group.about}\n`);
  const measurements = await group.measure({ peer, svg, show: shown(group, json) });
  process.stdout.write(json ? jsonOf(group, measurements) : `${tableOf(measurements.map(columns))}\n`);
  return measurements;
}

/** One line at the end: what somebody wants to know who comes back after ten minutes. */
function summaryOf(measurements: readonly Measurement[], ms: number): string {
  const verdicts = measurements.map(verdictOf);
  const count = (wanted: Verdict): string => `${verdicts.filter((each) => each === wanted).length} ${wanted}`;
  return `${verdicts.length} goals: ${count('met')}, ${count('MISSED')}, ${count('not measured')}, in ${Math.round(ms / 1_000)} s.\n`;
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = wantedBy(args);
  if (wanted.text !== null) {
    process.stdout.write(wanted.text);
    return 0;
  }
  const begun = performance.now();
  const measured = await measureFairly(wanted.groups, {
    now: () => performance.now(),
    limitMs,
    measure: (group) => runGroup(group, wanted),
  });
  const all = measured.flatMap(({ measurements }) => measurements);
  if (!wanted.json) process.stdout.write(summaryOf(all, performance.now() - begun));
  return hasMissed(all) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError || error instanceof MissingTool)) throw error;
  const advice = error instanceof UsageError ? ' See --help.' : '';
  process.stderr.write(`${error.message.replace(/\.?$/u, '.')}${advice}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
