import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import type { Template } from './cloudformation.ts';

/** A copy of the sources, and the umask of who works in it (octal). */
interface Checkout {
  readonly root: string;
  readonly umask: string;
}

const here: Checkout = { root: path.join(import.meta.dirname, '../..'), umask: '022' };
const run = promisify(execFile);

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

interface Wish {
  readonly env?: Env;
  /** Default: this one. */
  readonly checkout?: Checkout;
}

/** Runs a program with a umask, which Node can set for none but itself. */
const withUmask = async (umask: string, command: readonly string[], options: { cwd: string; env: Env }) =>
  run('/bin/sh', ['-c', 'umask "$0" && exec "$@"', umask, ...command], options);

/** As on a build server: no credentials, no region, nothing of this shell's environment. Gives what it printed. */
export async function serverless(
  home: string,
  args: readonly string[],
  { env: wish = {}, checkout: { root, umask } = here }: Wish = {},
): Promise<string> {
  const cli = path.join(root, 'node_modules/.bin/serverless');
  const env = { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, HOME: home, ...wish };
  const { stdout, stderr } = await withUmask(umask, [process.execPath, cli, ...args], { cwd: root, env });
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
export async function packageWith(options: readonly string[], wish?: Wish): Promise<Package> {
  const folder = await mkdtemp(path.join(tmpdir(), 'package-'));
  const remove = async (): Promise<void> => rm(folder, { recursive: true });
  try {
    const said = await serverless(folder, ['package', '--package', folder, ...options], wish);
    const text = await readFile(path.join(folder, 'cloudformation-template-update-stack.json'), 'utf8');
    return { folder, said, template: JSON.parse(text) as Template, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The sources at another path, as somebody checks them out whose umask lets nobody else read. Shares node_modules. */
export async function otherCheckout(): Promise<Checkout & AsyncDisposable> {
  const folder = await mkdtemp(path.join(tmpdir(), 'another place-'));
  const checkout = { root: path.join(folder, 'checkout'), umask: '077' };
  const options = { cwd: here.root, env: { PATH: '/usr/bin:/bin' } };
  const sources = ['functions', 'infra', 'package.json', 'serverless.yml', 'tsconfig.json'];
  await withUmask(checkout.umask, ['mkdir', checkout.root], options);
  await withUmask(checkout.umask, ['cp', '-R', ...sources, checkout.root], options);
  await symlink(path.join(here.root, 'node_modules'), path.join(checkout.root, 'node_modules'));
  return { ...checkout, [Symbol.asyncDispose]: async () => rm(folder, { recursive: true }) };
}
