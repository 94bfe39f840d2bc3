import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Path from the root to text. The checks take such a map, so that a test can hand them a repository of its own. */
export type Sources = ReadonlyMap<string, string>;

const notOurs: ReadonlySet<string> = new Set(['node_modules', 'dist', '.serverless', '.git', '__pycache__']);
const notText = /\.(?:log|pyc|png|zip)$|^\.env$|^package-lock\.json$|(?:^|\/)go\.sum$/u;

function filesUnder(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    // In a second worktree `.git` is a file.
    if (notOurs.has(entry.name)) return [];
    if (entry.isDirectory()) return filesUnder(path);
    return entry.isFile() && !notText.test(path) ? [path] : [];
  });
}

/** Every text file of the repository: what is ignored by git and what a tool writes is left out. */
export function readRepository(): Sources {
  return new Map(filesUnder('.').map((path) => [relative('.', path), readFileSync(join(root, path), 'utf8')] as const));
}

/** The sources among them that Node runs. */
export const codeAmong = (sources: Sources): Sources =>
  new Map([...sources].filter(([path]) => /\.(?:ts|cts|cjs|mjs)$/u.test(path)));

/** What git keeps in `folder` although it is to be ignored there; nothing where git is not, as in an unpacked archive. */
export function trackedThoughIgnored(folder: string): readonly string[] {
  const { stdout } = spawnSync('git', ['ls-files', '--cached', '--ignored', '--exclude-standard'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return (stdout ?? '').split('\n').filter((path) => path !== '');
}
