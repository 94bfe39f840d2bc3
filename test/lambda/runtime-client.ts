import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { cacheRoot, exists } from '../support/cache.ts';
import { MissingTool } from '../support/missing-tool.ts';

const run = promisify(execFile);

/** A package of the npm registry, pinned by what is in it. */
export interface Release {
  readonly name: string;
  readonly version: string;
  /** As the registry and lockfiles write it: `sha512-` and base64. */
  readonly integrity: string;
}

/** What AWS runs Node functions with, from AWS; without its native HTTP client, which npm would compile. */
const runtimeClient: Release = {
  name: 'aws-lambda-ric',
  version: '4.0.2',
  integrity: 'sha512-FE5Vskx7mYNnqAnWWJXUOsLp2VGgdsJsCoRLFTa8L4Yk0QVtArqR8q58yPA++QC1a73ZWJXBQ2AH31nIAv7NOQ==',
};

/** Throws unless these are the bytes of the release. */
export function checkIntegrity({ name, version, integrity }: Release, bytes: Uint8Array): void {
  const found = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  if (found !== integrity) throw new Error(`${name}@${version} is ${found}, and not the pinned ${integrity}.`);
}

async function unpack(release: Release, folder: string): Promise<string> {
  const spec = `${release.name}@${release.version}`;
  // Packing fetches the archive and runs none of its scripts, nor does it fetch what they would need.
  const { stdout } = await run('npm', ['pack', spec, '--ignore-scripts', '--silent', '--pack-destination', folder]);
  const archive = join(folder, stdout.trim());
  checkIntegrity(release, await readFile(archive));
  await run('tar', ['-xzf', archive, '-C', folder]);
  return join(folder, 'package');
}

/**
 * Entry file of the Lambda runtime interface client, from the cache; fetched with npm and checked the first time.
 *
 * @throws MissingTool when the registry cannot be reached or has something else under that version
 */
export async function ensureRuntimeClient(): Promise<string> {
  const folder = join(cacheRoot(), 'lambda');
  const home = join(folder, `${runtimeClient.name}-${runtimeClient.version}`);
  const entry = join(home, 'index.mjs');
  if (await exists(entry)) return entry;
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, 'draft-'));
  try {
    const unpacked = await unpack(runtimeClient, draft);
    // Another run may have been faster, with the same bytes.
    await rename(unpacked, home).catch(async (error: unknown) => {
      if (!(await exists(entry))) throw error;
    });
    return entry;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n', 3).join(' ') : String(cause);
    throw new MissingTool(`The Lambda runtime client could not be fetched: ${why}`, { cause });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
