import { parseArgs } from 'node:util';

import { versionOfPackage } from '../../infra/local/version.ts';
import { backPressure } from './back-pressure.ts';
import { claimBatches } from './claim-batches.ts';
import { coldStart } from './cold-start.ts';
import { counters } from './counters.ts';
import { fanOutCpu, fanOutSpeed } from './fan-out.ts';
import { verdictOf, type GoalGroup, type GoalKind, type Measurement } from './goal.ts';
import { imports } from './imports.ts';
import { lists } from './lists.ts';
import { planners } from './planners.ts';
import { sizes } from './sizes.ts';
import { tick } from './tick.ts';

/** Every goal there is, in the order of the table. */
const groups: readonly GoalGroup[] = [
  counters,
  sizes,
  planners,
  claimBatches,
  lists,
  coldStart,
  fanOutCpu,
  fanOutSpeed,
  tick,
  backPressure,
  imports,
];

const trust: Readonly<Record<GoalKind, string>> = {
  count: 'counted: the same on every machine',
  cpu: 'ratios of CPU times',
  wall: 'ratios of times on the clock: a miss is measured once more',
};

const usage = `Measures the functions goal by goal: against the local servers, and against the stock client in the same run.

Usage: npm run bench [-- OPTION...]

  --only GROUP,...  ${groups.map(({ name }) => name).join(', ')} (default: all)
  --json            one JSON object a line: npm run --silent bench -- --json
  --help            this text
  --version         the version

${groups.map(({ name, about, kind }) => `${name}: ${about} (${trust[kind]})`).join('\n')}

Exit status: 0 when every goal is met, 1 when one is missed, 2 for bad usage. Writes no files. Times mean something only
on a machine that does nothing else.
`;

/** Bad usage: the message is all there is to say. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface Wanted {
  readonly groups: readonly GoalGroup[];
  readonly json: boolean;
  readonly text: string | null;
}

function parseFlags(args: readonly string[]) {
  try {
    const options = {
      only: { type: 'string' },
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

function wantedBy(args: readonly string[]): Wanted {
  const { only, json, help, version } = parseFlags(args);
  const text = version ? `${versionOfPackage()}\n` : null;
  return { groups: only?.split(',').map(groupNamed) ?? groups, json, text: help ? usage : text };
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

/** Lines of cells, each column as wide as its widest cell, with the verdict in front. */
function tableOf(measurements: readonly Measurement[]): string {
  const rows = measurements.map(columns);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return lines.map((line) => `  ${line.trimEnd()}\n`).join('');
}

const jsonOf = (group: GoalGroup, measurements: readonly Measurement[]): string =>
  measurements
    .map((measurement) => JSON.stringify({ group: group.name, ...measurement, verdict: verdictOf(measurement) }))
    .map((line) => `${line}\n`)
    .join('');

const hasMissed = (measurements: readonly Measurement[]): boolean =>
  measurements.some((measurement) => verdictOf(measurement) === 'MISSED');

/** A clock on the wall runs for the whole machine: what it shows is believed the second time. */
async function measuredFairly(group: GoalGroup): Promise<readonly Measurement[]> {
  const first = await group.measure();
  return group.kind === 'wall' && hasMissed(first) ? group.measure() : first;
}

/** Measures one group, prints it, and says whether all its goals are met. */
async function runGroup(group: GoalGroup, json: boolean): Promise<boolean> {
  if (!json) process.stdout.write(`${group.name}: ${group.about}\n`);
  const measurements = await measuredFairly(group);
  process.stdout.write(json ? jsonOf(group, measurements) : `${tableOf(measurements)}\n`);
  return !hasMissed(measurements);
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = wantedBy(args);
  if (wanted.text !== null) {
    process.stdout.write(wanted.text);
    return 0;
  }
  let isMet = true;
  for (const group of wanted.groups) isMet = (await runGroup(group, wanted.json)) && isMet;
  return isMet ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message.replace(/\.?$/u, '.')} See --help.\n`);
  process.exitCode = 2;
}
