import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { faultTable, suitesOfRows, testFilesOfRows } from '../../infra/readme/fault-matrix.ts';
import { faultRows } from '../../infra/readme/fault-rows.ts';
import { runSuite, thisTerminal } from '../suites/suite.ts';
import { byRow, gapsIn, resultsIn, withResults } from './row-results.ts';

const about = `Runs the tests of the fault matrix: in memory, over sockets, with the crashes and orders of which npm test plays the same
sample, and on a real control plane (see npm run test:kubernetes -- --help for what that wants). Then prints the
matrix with how many tests of each row passed in each suite, and writes it to infra/guides/fault-matrix.md. Fails when a
test does, when a row has no test, or when a suite that plays a row said nothing of it.`;

const root = join(import.meta.dirname, '../..');
const kept = join(root, 'infra/readme/fault-results.ts');

/** Runs a command, shows what it prints, and resolves to that. How it ends says nothing: its tests are judged one by one. */
async function heard(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    process.stdout.write(chunk);
  });
  await once(child, 'close');
  return Buffer.concat(chunks).toString();
}

const commands: Readonly<Record<string, readonly [command: string, ...args: string[]]>> = {
  kubernetes: ['npm', 'run', '--silent', 'test:kubernetes', '--', '--required'],
};

async function outputOf(suite: string, files: readonly string[]): Promise<string> {
  const [command, ...args] = commands[suite] ?? [process.execPath, '--test', '--test-reporter=spec', ...files];
  return heard(command, args);
}

async function run(say: (line: string) => void): Promise<number> {
  const suites = new Map<string, ReturnType<typeof resultsIn>>();
  for (const [suite, files] of testFilesOfRows()) suites.set(suite, resultsIn(await outputOf(suite, files)));
  const found = byRow(suites);
  process.stdout.write(`${faultTable(found)}\n`);
  writeFileSync(kept, withResults(readFileSync(kept, 'utf8'), found));
  await heard('npm', ['run', '--silent', 'readme:tables']);
  const gaps = gapsIn(found, { rows: faultRows.map(({ row }) => row), played: suitesOfRows() });
  for (const gap of gaps) say(gap);
  return gaps.length === 0 ? 0 : 1;
}

process.exitCode = await runSuite({ name: 'matrix', about, run }, thisTerminal);
