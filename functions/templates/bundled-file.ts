import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

import { codeOf } from '../network.ts';
import { largestTemplateBytes } from './guarded-get.ts';

export type FileResult =
  | { readonly kind: 'body'; readonly text: string }
  | { readonly kind: 'refused'; readonly rule: string; readonly problem: string };

const refused = (rule: string, problem: string): FileResult => ({ kind: 'refused', rule, problem });

/** Nobody has to write the folder's name, and whoever does is understood. */
const folderName = 'infra/templates/';

const missing: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

async function readWithin(folder: string, path: string): Promise<FileResult> {
  const root = await realpath(folder);
  const real = await realpath(join(root, path));
  // A link may lead out, a path cannot.
  if (!real.startsWith(root + sep)) return refused('template-path-malformed', 'it leaves the folder of the templates');
  await using file = await open(real, 'r');
  const { size } = await file.stat();
  if (size > largestTemplateBytes) {
    return refused('template-too-large', `it is larger than ${largestTemplateBytes / 1024} KiB`);
  }
  return { kind: 'body', text: await file.readFile('utf8') };
}

/** Reads a file of the folder that is deployed with the functions, and of no other. Never throws. */
export async function readBundledFile(folder: string, path: string): Promise<FileResult> {
  try {
    return await readWithin(folder, path.startsWith(folderName) ? path.slice(folderName.length) : path);
  } catch (error) {
    const code = codeOf(error);
    const problem = missing.has(code)
      ? 'there is no such file among the deployed templates'
      : `it cannot be read (${code})`;
    return refused('template-not-found', problem);
  }
}
