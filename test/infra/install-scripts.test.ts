import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, mkdtempDisposable, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';

import { exists } from '../support/cache.ts';

const root = path.join(import.meta.dirname, '../..');

/** npm with nothing of this user's, and without a registry; resolves to its status and all that it said. */
async function npm(folder: string, ...args: readonly string[]): Promise<{ code: unknown; said: string }> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
  return promisify(execFile)('npm', args, { cwd: folder, env }).then(
    ({ stdout, stderr }) => ({ code: 0, said: `${stdout}${stderr}` }),
    (error: unknown) => {
      const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
      return { code, said: `${stdout}${stderr}` };
    },
  );
}

type Allowed = Readonly<Record<string, boolean>>;

interface Own {
  readonly allowScripts: Allowed;
}

/**
 * A project with our settings that depends on a package whose script leaves a file, in a tarball; with what is decided
 * about that script.
 */
async function projectWith(t: TestContext, decided: (tarball: string) => Allowed): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'install-scripts-'));
  t.after(() => rm(folder, { recursive: true }));
  const newcomer = {
    name: 'newcomer',
    version: '1.0.0',
    scripts: { postinstall: `node -e "fs.writeFileSync(process.env.INIT_CWD + '/marker', '')"` },
  };
  await mkdir(path.join(folder, newcomer.name));
  await writeFile(path.join(folder, newcomer.name, 'package.json'), JSON.stringify(newcomer));
  await npm(folder, 'pack', './newcomer');
  const tarball = `file:${folder}/newcomer-1.0.0.tgz`;
  const { allowScripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as Own;
  const manifest = { dependencies: { newcomer: tarball }, allowScripts: { ...allowScripts, ...decided(tarball) } };
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest));
  await npm(folder, 'install', '--package-lock-only', '--ignore-scripts', '--offline');
  await copyFile(path.join(root, '.npmrc'), path.join(folder, '.npmrc'));
  return folder;
}

/** What npm ci ends with, whether the script has run, and what npm said. */
async function installed(folder: string): Promise<{ code: unknown; hasRun: boolean; said: string }> {
  const { code, said } = await npm(folder, 'ci', '--offline');
  return { code, hasRun: await exists(path.join(folder, 'marker')), said };
}

/** Whether npm knows the setting. Asked where no .npmrc is: there it gives the default of what it knows. */
async function isStrictKnown(): Promise<boolean> {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'no-settings-'));
  const { said } = await npm(folder.path, 'config', 'get', 'strict-allow-scripts');
  return said.trim() !== 'undefined';
}

const skip = (await isStrictKnown()) ? false : 'npm before 11.16 runs every script';

describe('npm ci with the settings of this repository', { skip }, () => {
  it('fails before a script runs that nobody has decided about', async (t) => {
    const { code, hasRun, said } = await installed(await projectWith(t, () => ({})));

    assert.deepEqual([code, hasRun], [1, false], said);
    assert.match(said, /ESTRICTALLOWSCRIPTS[^]+newcomer@1\.0\.0/u);
  });

  it('runs a script that is allowed', async (t) => {
    const { code, hasRun, said } = await installed(await projectWith(t, (tarball) => ({ [tarball]: true })));

    assert.deepEqual([code, hasRun], [0, true], said);
  });

  it('passes over a script that is refused', async (t) => {
    const { code, hasRun, said } = await installed(await projectWith(t, (tarball) => ({ [tarball]: false })));

    assert.deepEqual([code, hasRun], [0, false], said);
  });
});
