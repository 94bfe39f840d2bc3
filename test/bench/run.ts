import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { imports, sizes } from './bundles.ts';
import { counters } from './counters.ts';
import { isMet, type GoalGroup, type Measurement } from './goal.ts';
import { planners } from './planners.ts';

/** Every goal there is, in the order of the table. */
const groups: readonly GoalGroup[] = [counters, planners, sizes, imports];

const usage = `Measures the functions goal by goal: against the local servers, and against the stock client in the same run.

Usage: npm run bench [-- OPTION...]

  --only GROUP,...  ${groups.map(({ name }) => name).join(', ')} (default: all)
  --json            one JSON object a line: npm run --silent bench -- --json
  --help            this text
  --version         the version

${groups.map(({ name, about, isExact }) => `${name}: ${about}${isExact ? '' : ' (depends on the machine: never fails the run)'}`).join('\n')}

Exit status: 0 when every exact goal is met, 1 when one is not, 2 for bad usage. Writes no files.
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

function versionText(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return `${manifest.version}\n`;
}

function wantedBy(args: readonly string[]): Wanted {
  const { only, json, help, version } = parseFlags(args);
  const text = version ? versionText() : null;
  return { groups: only?.split(',').map(groupNamed) ?? groups, json, text: help ? usage : text };
}

const verdictOf = (measurement: Measurement): string => (isMet(measurement) ? 'met' : 'MISSED');

const columns = ({ goal, figure, unit, limit, because }: Measurement): readonly string[] => [
  goal,
  `${figure} ${unit}`,
  `≤ ${limit}`,
  because,
];

/** Lines of cells, each column as wide as its widest cell, with the verdict in front. */
function tableOf(measurements: readonly Measurement[]): string {
  const rows = measurements.map((measurement) => [verdictOf(measurement), ...columns(measurement)]);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return lines.map((line) => `  ${line.trimEnd()}\n`).join('');
}

const jsonOf = (group: GoalGroup, measurements: readonly Measurement[]): string =>
  measurements
    .map((measurement) => JSON.stringify({ group: group.name, ...measurement, met: isMet(measurement) }))
    .map((line) => `${line}\n`)
    .join('');

/** Measures one group, prints it, and says whether the run may still pass. */
async function runGroup(group: GoalGroup, json: boolean): Promise<boolean> {
  if (!json) process.stdout.write(`${group.name}: ${group.about}\n`);
  const measurements = await group.measure();
  process.stdout.write(json ? jsonOf(group, measurements) : `${tableOf(measurements)}\n`);
  return !group.isExact || measurements.every(isMet);
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = wantedBy(args);
  if (wanted.text !== null) {
    process.stdout.write(wanted.text);
    return 0;
  }
  let mayPass = true;
  for (const group of wanted.groups) mayPass = (await runGroup(group, wanted.json)) && mayPass;
  return mayPass ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message.replace(/\.?$/u, '.')} See --help.\n`);
  process.exitCode = 2;
}
