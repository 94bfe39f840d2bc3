import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { withTables } from '../../infra/readme/tables.ts';
import { versionOfPackage } from '../../infra/local/version.ts';
import { guidePath, scopeRow, scopeTable, variantSections } from './guide.ts';
import { measureRaces, raceTable } from './races.ts';
import { fullScopes, prove, smallScopes } from './scopes.ts';

const usage = `Explores the two real ticks against a small world, in every order of what may happen: two dispatchers, reconcile, a pod, a
user, crashes, lost and late answers, a lost lock. Decides at every step whether a run has two Jobs or ends wrongly, and
from every state whether it comes right again. Then plays the races that the protocol leaves open, and counts.

Usage: npm run model [-- OPTION...]

  --guide     write what was found into ${guidePath}
  --help      this text
  --version   the version

Exit status: 0 without a violation, 1 with one, 2 for bad usage, 130 after Ctrl-C.
`;

/** Of each race, for the guide. */
const tries = 300;

const write = (text: string): void => void process.stdout.write(text);

/** Explores one scope after the other; null: one of them has a violation. */
async function rowsOf(): Promise<readonly (readonly string[])[] | null> {
  const rows: (readonly string[])[] = [];
  let isBroken = false;
  for (const scope of [...smallScopes, ...fullScopes]) {
    const proved = await prove(scope);
    rows.push(scopeRow(scope, proved));
    write(`${rows.at(-1)?.join(' · ')}\n`);
    for (const { invariant, why, trace } of proved.found) write(`${invariant}: ${why}\n  ${trace.join('\n  ')}\n`);
    isBroken ||= proved.found.length > 0;
  }
  return isBroken ? null : rows;
}

async function model(writesGuide: boolean): Promise<number> {
  const rows = await rowsOf();
  if (rows === null) return 1;
  const races = raceTable(await measureRaces(tries));
  write(`${races}\n`);
  if (!writesGuide) return 0;
  const tables = new Map([
    ['scopes', scopeTable(rows)],
    ['races', races],
    ['variants', await variantSections()],
  ]);
  await writeFile(guidePath, withTables(await readFile(guidePath, 'utf8'), tables));
  return 0;
}

function flags() {
  const options = { guide: { type: 'boolean' }, help: { type: 'boolean' }, version: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args: process.argv.slice(2), options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : 'The arguments cannot be read.'} See --help.\n`);
    return null;
  }
}

async function main(): Promise<number> {
  const given = flags();
  if (given === null) return 2;
  const { help, version, guide } = given;
  if (help !== true && version !== true) return model(guide === true);
  write(help === true ? usage : `${versionOfPackage()}\n`);
  return 0;
}

process.exitCode = await main();
