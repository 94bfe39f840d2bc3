import { ensureAwsPython } from '../../support/python.ts';
import { runSuite, runTests, testFilesIn, thisTerminal } from '../suite.ts';

const about = `Deploys the stack to an emulator of AWS (ministack, with its IAM policies in force) against the local Prefect and
Kubernetes APIs: secret, invocations, doctor, schedule, logs, update and removal, twice; then takes actions away from
its roles. Lints the packaged templates with cfn-lint, and parses each aws command within a sentence of README and
guides. Needs Python 3.11; emulator and linter are installed into the cache.`;

async function run(): Promise<number> {
  await ensureAwsPython();
  // One after the other: each packages, into the one folder that serverless.yml names.
  for (const file of await testFilesIn(import.meta.dirname)) {
    const status = await runTests([file], {});
    if (status !== 0) return status;
  }
  return 0;
}

process.exitCode = await runSuite({ name: 'aws', about, run }, thisTerminal);
