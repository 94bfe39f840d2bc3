import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';

import { finished, type Finished } from '../../support/command.ts';
import { cluster, namespace, refusedByEmulator, type AwsWorld } from './aws-world.ts';

const root = path.join(import.meta.dirname, '../../..');

/** Runs `serverless` against the account of this world. */
export async function serverless({ env }: AwsWorld, ...args: readonly string[]): Promise<Finished> {
  const cli = path.join(root, 'node_modules/.bin/serverless');
  const child = spawn(process.execPath, [cli, ...args], { cwd: root, env });
  // `invoke` reads its event from there, unless somebody says that there is none.
  child.stdin.end();
  return finished(child);
}

/** The same, with all that it said; fails when the command does. */
export async function succeed(world: AwsWorld, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await serverless(world, ...args);
  assert.equal(status, 0, `serverless ${args.join(' ')}\n${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

/** Deploys the stack with these params beside those that it needs; gives what was said, outputs included. */
export async function deploy(world: AwsWorld, params: Readonly<Record<string, string>>): Promise<string> {
  const given = {
    eksClusterName: cluster,
    prefectApi: world.prefect.url,
    namespace,
    podTokenSecret: 'prefect/api-key',
  };
  // Without an access entry, the cluster's own RBAC knows the group all the same.
  const options = Object.entries({ ...given, ...refusedByEmulator, ...params });
  return succeed(world, 'deploy', '--verbose', ...options.flatMap(([name, value]) => ['--param', `${name}=${value}`]));
}
