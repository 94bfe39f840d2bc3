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

type Env = Readonly<Record<string, string>>;

/** As on a build server: no credentials, no region, nothing of this shell's environment. Gives what it printed. */
export async function serverless(home: string, args: readonly string[], wish: Env = {}): Promise<string> {
  const env = { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, HOME: home, ...wish };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [cli, ...args], { cwd: root, env });
  return args[0] === 'package' ? `${stdout}${stderr}` : stdout;
}

/** What `serverless package` left in a folder of its own, which goes when this does. */
export interface Package extends AsyncDisposable {
  readonly folder: string;
  readonly template: Template;
  /** What the command said. */
  readonly said: string;
}

/** Packages with these options. Rejects with `stdout` and `code` of the process when it fails. */
export async function packageWith(options: readonly string[], env: Env = {}): Promise<Package> {
  const folder = await mkdtemp(path.join(tmpdir(), 'package-'));
  const remove = async (): Promise<void> => rm(folder, { recursive: true });
  try {
    const said = await serverless(folder, ['package', '--package', folder, ...options], env);
    const text = await readFile(path.join(folder, 'cloudformation-template-update-stack.json'), 'utf8');
    return { folder, said, template: JSON.parse(text) as Template, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
