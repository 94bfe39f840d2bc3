import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import type { Template } from './cloudformation.ts';

const root = path.join(import.meta.dirname, '../..');
const cli = path.join(root, 'node_modules/.bin/serverless');

/** The params that every stack needs. */
export const requiredParams = {
  prefectApi: 'https://prefect.example',
  eksClusterName: 'prod',
  podTokenSecret: 'prefect/api-key',
};

/** Params as they are typed. */
export const typed = (values: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(values).flatMap(([name, value]) => ['--param', `${name}=${value}`]);

/** As on a build server: no credentials, no region, nothing of this shell's environment. Gives what it printed. */
export async function serverless(home: string, args: readonly string[]): Promise<string> {
  const env = { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, HOME: home };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { cwd: root, env });
  return stdout;
}

/** What `serverless package` left in a folder of its own, which goes when this does. */
export interface Package extends AsyncDisposable {
  readonly folder: string;
  readonly template: Template;
}

/** Packages with these options. Rejects with `stdout` and `code` of the process when it fails. */
export async function packageWith(options: readonly string[]): Promise<Package> {
  const folder = await mkdtemp(path.join(tmpdir(), 'package-'));
  const remove = async (): Promise<void> => rm(folder, { recursive: true });
  try {
    await serverless(folder, ['package', '--package', folder, ...options]);
    const text = await readFile(path.join(folder, 'cloudformation-template-update-stack.json'), 'utf8');
    return { folder, template: JSON.parse(text) as Template, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
