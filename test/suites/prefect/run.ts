import { ensurePrefectPython } from '../../support/python.ts';
import { runSuite, runTests, testFilesIn, thisTerminal } from '../suite.ts';

const about = `Runs the real Prefect 1.4.1 (Python) against this product: its Kubernetes agent's Job generator next to ours, and
its client against the local servers and our functions. Needs Python 3.11; Prefect is installed into the cache.`;

async function run(): Promise<number> {
  await ensurePrefectPython();
  return runTests(await testFilesIn(import.meta.dirname), {});
}

process.exitCode = await runSuite({ name: 'prefect', about, run }, thisTerminal);
