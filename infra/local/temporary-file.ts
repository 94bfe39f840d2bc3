import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file that only its owner may read, in a folder that goes with the disposal. */
export async function writeTemporary(name: string, text: string): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'prefect-serverless-agent-'));
  const path = join(folder, name);
  await writeFile(path, text, { mode: 0o600 });
  return { path, [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }) };
}
