import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const requirements = fileURLToPath(new URL('../python/requirements-prefect14.txt', import.meta.url));

/** The interpreter line for which the requirements were resolved. */
const wantedVersion = '3.11';

export type PythonResult = { readonly python: string } | { readonly missing: string };

const exists = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Where suites keep what they install; safe to delete at any time. */
export function cacheRoot(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'prefect-serverless-agent');
}

async function versionOf(command: string): Promise<string | null> {
  const print = 'import sys; print("%d.%d" % sys.version_info[:2])';
  return run(command, ['-c', print]).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}

async function findInterpreter(): Promise<string | null> {
  for (const command of [`python${wantedVersion}`, 'python3', 'python']) {
    if ((await versionOf(command)) === wantedVersion) return command;
  }
  return null;
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

async function build(interpreter: string, home: string): Promise<void> {
  const lock = `${home}.lock`;
  await takeLock(lock);
  try {
    if (await exists(join(home, 'complete'))) return;
    await rm(home, { recursive: true, force: true });
    await run(interpreter, ['-m', 'venv', home]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
    await run(join(home, 'bin', 'python'), install, { maxBuffer: 2 ** 26 });
    await writeFile(join(home, 'complete'), '');
  } finally {
    await rm(lock, { force: true });
  }
}

/**
 * Python with the real Prefect 1.4.1, in a virtual environment in the cache, named by the hash of the requirements and
 * built where it stays, because virtual environments cannot be moved. The file `complete` is written last.
 *
 * @returns `missing` with a sentence when there is no interpreter or the packages cannot be installed.
 */
export async function ensurePrefectPython(): Promise<PythonResult> {
  const hash = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 16);
  const home = join(cacheRoot(), 'python', hash);
  const python = join(home, 'bin', 'python');
  if ((await exists(join(home, 'complete'))) && (await exists(python))) return { python };
  const interpreter = await findInterpreter();
  if (interpreter === null)
    return { missing: `Python ${wantedVersion} was not found as python3.11, python3 or python.` };
  await mkdir(join(cacheRoot(), 'python'), { recursive: true });
  try {
    await build(interpreter, home);
    return { python };
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 3).join(' ') : String(error);
    return { missing: `Prefect 1.4.1 could not be installed: ${why}` };
  }
}
