import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** One change that makes the product wrong: a text that stands in the file exactly once, and what takes its place. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const root = new URL('../../', import.meta.url).href;
const breaks = new Map<string, readonly Edit[]>();
const mark = 'broken';

/** Tests of a broken file are not run by loading it: whoever broke it plays them. */
const gatheredTests = new URL('test/faults/gathered-tests.ts', root).href;

const markOf = (url: string | undefined): string | null =>
  url === undefined ? null : new URL(url, root).searchParams.get(mark);

/** Modules of this repository that a broken one loads are loaded afresh, with the same mark; packages are not. */
function marked(url: string, name: string): string {
  if (!url.startsWith(root) || url.includes('/node_modules/')) return url;
  return `${url}?${mark}=${encodeURIComponent(name)}`;
}

/** The text with the edit. Throws where the code has moved on and the edit would change nothing, or not only this. */
export function edited(source: string, { file, from, to }: Edit): string {
  const places = source.split(from).length - 1;
  if (places !== 1) throw new Error(`${file} holds ${places} times what is to be broken: ${from}`);
  return source.replace(from, () => to);
}

const textOf = (file: string): string => readFileSync(new URL(file, root), 'utf8');

/** The text of a module that is to be broken; null: it stays as it is. */
function brokenText(url: string): string | null {
  const file = url.slice(root.length).replace(/\?.*$/u, '');
  const edits = (breaks.get(markOf(url) ?? '') ?? []).filter((edit) => edit.file === file);
  return edits.length === 0 ? null : edits.reduce(edited, textOf(file));
}

let isHooked = false;

function hook(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      const name = markOf(context.parentURL);
      const resolved = next(name !== null && specifier === 'node:test' ? gatheredTests : specifier, context);
      return name === null ? resolved : { ...resolved, url: marked(resolved.url, name) };
    },
    load: (url, context, next) => {
      const loaded = next(url, context);
      const text = url.startsWith(root) ? brokenText(url) : null;
      return text === null ? loaded : { ...loaded, source: text };
    },
  });
}

/** Loads a module of this repository, and all of the repository beneath it, once more for this name. */
export async function importApart<Module>(file: string, name: string): Promise<Module> {
  hook();
  return (await import(marked(`${root}${file}`, name))) as Module;
}

/** Loads a module of this repository as it would be with the edits beneath it; everything else stays as it is. */
export async function importBroken<Module>(file: string, name: string, ...edits: readonly Edit[]): Promise<Module> {
  breaks.set(name, edits);
  // A module that loads nothing broken would pass as a break that nobody notices.
  for (const edit of edits) edited(textOf(edit.file), edit);
  return importApart(file, name);
}
