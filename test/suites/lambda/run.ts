import { ensureRuntimeClient } from '../../lambda/runtime-client.ts';
import { runSuite, runTests, testFilesIn, thisTerminal } from '../suite.ts';

const about = `Runs both bundles under AWS's own runtime interface client for Node (aws-lambda-ric), against the local servers: cold,
warm, failing, killed at the time limit, frozen and thawed, and several at once. The client is fetched from the npm
registry into the cache and checked against the pinned hash; none of its scripts run.`;

async function run(): Promise<number> {
  await ensureRuntimeClient();
  return runTests(await testFilesIn(import.meta.dirname), {});
}

process.exitCode = await runSuite({ name: 'lambda', about, run }, thisTerminal);
