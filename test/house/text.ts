import { dirname, join, normalize } from 'node:path/posix';

import type { Sources } from './repository.ts';
import { codeOf } from './source-text.ts';

/** Written so that no pattern matches its own source. */
const unfinished = /\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b|\bnot\s(?:yet\s)?implemen[t]ed\b/iu;
const machinePath = /(?<![\w.:~-])\/(?:work|root|tmp|home|Users|private)\/[\w.]|[A-Z]:\\\\?Users\\/u;
const silenced = /@t[s]-(?:ignore|expect-error|nocheck)|\b(?:ox|es)li[n]t-disable|\bpretti[e]r-ignore|\bc8\signor[e]/u;
const laundered = /\bas\s+unknow[n]\s+as\b/u;
const leftOut =
  /\b(?:it|test|describe|suite)\s*\.\s*(?:only|skip|to[d]o)\b|\b(?:skip|to[d]o)\s*:|\bonly\s*:\s*true|\.(?:skip|to[d]o)\(/u;

const linesAgainst = (sources: Sources, pattern: RegExp, textOf: (source: string) => string = (all) => all) =>
  [...sources].flatMap(([path, source]) =>
    textOf(source)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
  );

/** Each as `file:line`. Fixtures are what other programs said, and may say anything. */
export const unfinishedLines = (sources: Sources): readonly string[] => linesAgainst(sources, unfinished);
export const machinePaths = (sources: Sources): readonly string[] => linesAgainst(sources, machinePath);
export const silencedLines = (sources: Sources): readonly string[] => linesAgainst(sources, silenced);
export const launderedTypes = (code: Sources): readonly string[] => linesAgainst(code, laundered, codeOf);
export const testsLeftOut = (tests: Sources): readonly string[] => linesAgainst(tests, leftOut, codeOf);

export interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** Dependencies that another day would resolve to something else. */
export function floatingVersions({ dependencies, devDependencies }: Manifest): readonly string[] {
  return Object.entries({ ...dependencies, ...devDependencies }).flatMap(([name, version]) =>
    /^(?:npm:(?:@[\w-]+\/)?[\w-]+@)?\d+\.\d+\.\d+$/u.test(version) ? [] : [`${name}: ${version}`],
  );
}

const npmRun = /\bnpm\s+(?:run\s+(?:--?[\w-]+\s+)*(?<named>[\w:-]+)|(?<own>start|test)\b)/gu;

/** Scripts that a document tells its reader to run. */
export function scriptsNamed(markdown: string): readonly string[] {
  return [...markdown.matchAll(npmRun)].map(({ groups }) => groups?.['named'] ?? groups?.['own'] ?? '');
}

const fence = /^(?<mark>`{3,}|~{3,})[^\n]*\n[\s\S]*?^\k<mark>\s*$/gmu;
const inlineCode = /`[^`\n]*`/gu;
const prose = (markdown: string): string => markdown.replaceAll(fence, '').replaceAll(inlineCode, '');

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/gu, '-');

/** What a link into a document may name after its `#`. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = markdown.replaceAll(fence, '').matchAll(/^#{1,6}\s+(?<heading>[^\n]+)$/gmu);
  return new Set([...headings].map(({ groups }) => anchorOf(groups?.['heading'] ?? '')));
}

const link = /\]\((?<target>[^()\s]+)\)/gu;

function isBroken(sources: Sources, path: string, target: string): boolean {
  if (/^[a-z][a-z+.-]*:/u.test(target)) return false;
  const [file = '', anchor = ''] = target.split('#', 2);
  const found = file === '' ? path : normalize(join(dirname(path), file)).replace(/\/$/u, '');
  if (![...sources.keys()].some((one) => one === found || one.startsWith(`${found}/`))) return true;
  return anchor !== '' && !anchorsOf(sources.get(found) ?? '').has(anchor);
}

/** Relative Markdown links that lead nowhere, each as `file -> target`. */
export function brokenLinks(sources: Sources): readonly string[] {
  return [...sources].flatMap(([path, source]) => {
    if (!path.endsWith('.md')) return [];
    const targets = [...prose(source).matchAll(link)].map(({ groups }) => groups?.['target'] ?? '');
    return targets.filter((target) => isBroken(sources, path, target)).map((target) => `${path} -> ${target}`);
  });
}
