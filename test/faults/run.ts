import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { runSuite, runTests, thisTerminal } from '../suites/suite.ts';

const about = `Kills the deployed bundles with SIGKILL before and after each of their requests, alone and in pairs, and lets
overlapping ticks meet in hundreds of orders; after each, clean ticks, and the checker. Then each row of the fault matrix
on a product that does not handle it, soaked worlds without each rule of reconcile, 10,000 due runs among 10,000 Jobs of
others, and 1,000 that became due while Prefect was away for an hour. npm test plays a sample of the same.
Needs nothing but Node.`;

const whole = /^(?:crash-.*|matrix-overlap|broken-rows)\.test\.ts$/u;

async function run(): Promise<number> {
  const folder = import.meta.dirname;
  const files = (await readdir(folder)).filter((name) => whole.test(name)).toSorted();
  const worlds = ['../soak/rules-needed.test.ts', '../soak/numbers.test.ts'];
  return runTests(
    [...files, ...worlds].map((name) => join(folder, name)),
    { FAULTS: 'all' },
  );
}

process.exitCode = await runSuite({ name: 'faults', about, run }, thisTerminal);
