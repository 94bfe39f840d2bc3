import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { cacheRoot, exists } from './cache.ts';
import { MissingTool } from './missing-tool.ts';

const run = promisify(execFile);

/** Packages that a suite needs, resolved and pinned beforehand. */
interface PythonPackages {
  /** For people: what is being installed. */
  readonly what: string;
  /** File with the pins, below test/python/. */
  readonly requirements: string;
  /** Interpreter lines for which the pins hold. */
  readonly versions: readonly string[];
}

const prefect: PythonPackages = {
  what: 'Prefect 1.4.1',
  requirements: 'requirements-prefect14.txt',
  versions: ['3.11'],
};

async function versionOf(command: string): Promise<string | null> {
  const print = 'import sys; print("%d.%d" % sys.version_info[:2])';
  return run(command, ['-c', print]).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}

async function findInterpreter({ versions }: PythonPackages): Promise<string> {
  const commands = [...versions.map((version) => `python${version}`), 'python3', 'python'];
  for (const command of commands) {
    if (versions.includes((await versionOf(command)) ?? '')) return command;
  }
  throw new MissingTool(`Python ${versions.join(' or ')} was not found as ${commands.join(', ')}.`);
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** One builder at a time; the lock of a builder that died is taken over. */
async function takeLock(lock: string): Promise<void> {
  for (;;) {
    const handle = await open(lock, 'wx').catch(() => null);
    if (handle !== null) {
      await handle.writeFile(String(process.pid));
      return handle.close();
    }
    const holder = Number(await readFile(lock, 'utf8').catch(() => ''));
    if (holder > 0 && !isAlive(holder)) await rm(lock, { force: true });
    await sleep(200);
  }
}

const requirementsOf = ({ requirements }: PythonPackages): string =>
  fileURLToPath(new URL(`../python/${requirements}`, import.meta.url));

async function build(interpreter: string, home: string, packages: PythonPackages): Promise<void> {
  const lock = `${home}.lock`;
  await takeLock(lock);
  try {
    if (await exists(join(home, 'complete'))) return;
    await rm(home, { recursive: true, force: true });
    await run(interpreter, ['-m', 'venv', home]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirementsOf(packages)];
    await run(join(home, 'bin', 'python'), install, { maxBuffer: 2 ** 26 });
    await writeFile(join(home, 'complete'), '');
  } finally {
    await rm(lock, { force: true });
  }
}

/**
 * The interpreter of a virtual environment with these packages, in the cache, named by the hash of the requirements and
 * built where it stays, because virtual environments cannot be moved. The file `complete` is written last.
 *
 * @throws MissingTool when there is no interpreter or the packages cannot be installed
 */
async function ensurePython(packages: PythonPackages): Promise<string> {
  const pins = await readFile(requirementsOf(packages));
  const home = join(cacheRoot(), 'python', createHash('sha256').update(pins).digest('hex').slice(0, 16));
  const python = join(home, 'bin', 'python');
  if ((await exists(join(home, 'complete'))) && (await exists(python))) return python;
  const interpreter = await findInterpreter(packages);
  await mkdir(join(cacheRoot(), 'python'), { recursive: true });
  try {
    await build(interpreter, home, packages);
    return python;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n', 3).join(' ') : String(cause);
    throw new MissingTool(`${packages.what} could not be installed: ${why}`, { cause });
  }
}

/** Python with the real Prefect 1.4.1. Throws MissingTool. */
export const ensurePrefectPython = async (): Promise<string> => ensurePython(prefect);

const aws: PythonPackages = {
  what: 'The AWS emulator',
  requirements: 'requirements-aws.txt',
  versions: ['3.11'],
};

/** Python with an emulator of AWS (ministack) and the linter of templates (cfn-lint). Throws MissingTool. */
export const ensureAwsPython = async (): Promise<string> => ensurePython(aws);
