import { ensureAwsPython } from '../../support/python.ts';
import { runSuite, runTests, testFilesIn, thisTerminal } from '../suite.ts';

const about = `Packages the stack as it is deployed in the ways that the README names, and lints each template with cfn-lint.
Needs Python 3.11; cfn-lint is installed into the cache.`;

async function run(): Promise<number> {
  await ensureAwsPython();
  return runTests(await testFilesIn(import.meta.dirname), {});
}

process.exitCode = await runSuite({ name: 'aws', about, run }, thisTerminal);
