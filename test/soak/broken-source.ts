import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** One change that makes the product wrong: a text that stands in the file exactly once, and what takes its place. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const root = new URL('../../', import.meta.url).href;
const edits = new Map<string, Edit>();
const mark = 'broken';

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

function brokenText(url: string, edit: Edit): string | null {
  const file = new URL(url);
  file.search = '';
  return file.href === `${root}${edit.file}` ? edited(readFileSync(file, 'utf8'), edit) : null;
}

let isHooked = false;

function hook(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context);
      const name = markOf(context.parentURL);
      return name === null ? resolved : { ...resolved, url: marked(resolved.url, name) };
    },
    load: (url, context, next) => {
      const loaded = next(url, context);
      const edit = url.startsWith(root) ? edits.get(markOf(url) ?? '') : undefined;
      const text = edit === undefined ? null : brokenText(url, edit);
      return text === null ? loaded : { ...loaded, source: text };
    },
  });
}

/** Loads a module of this repository as it would be with the edit somewhere beneath it; everything else stays as it is. */
export async function importBroken<Module>(file: string, name: string, edit: Edit): Promise<Module> {
  hook();
  edits.set(name, edit);
  // A module that loads nothing broken would pass as a break that nobody notices.
  edited(readFileSync(new URL(edit.file, root), 'utf8'), edit);
  return (await import(marked(`${root}${file}`, name))) as Module;
}
