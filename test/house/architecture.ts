import { dirname, join, normalize } from 'node:path/posix';

import type { Part } from './arrows.ts';
import type { Sources } from './repository.ts';
import { codeOf, codeWithTexts, importsOf, type Import } from './source-text.ts';

const lies = (path: string, within: string): boolean =>
  within.endsWith('/') ? path.startsWith(within) : path === within;

const isRelative = ({ module }: Import): boolean => module.startsWith('.');

const targetOf = (path: string, { module }: Import): string => normalize(join(dirname(path), module));

function partOf(path: string, parts: readonly Part[]): Part | undefined {
  return parts.filter(({ part }) => lies(path, part)).toSorted((a, b) => b.part.length - a.part.length)[0];
}

function isAllowedFile(path: string, { part, imports, types = [] }: Part, wanted: Import): boolean {
  const target = targetOf(path, wanted);
  if (lies(target, part) || imports.some((allowed) => lies(target, allowed))) return true;
  return wanted.typesOnly && types.some((allowed) => lies(target, allowed));
}

function isAllowedModule({ modules }: Part, { module, typesOnly }: Import): boolean {
  return modules === undefined || modules.includes(module) || (typesOnly && modules.includes(`type ${module}`));
}

/** Imports against the arrows, each as `file imports module`, and files that no arrow speaks of. */
export function againstTheArrows(sources: Sources, parts: readonly Part[]): readonly string[] {
  return [...sources].flatMap(([path, source]) => {
    const part = partOf(path, parts);
    if (part === undefined) return [`no arrow speaks of ${path}`];
    return importsOf(source)
      .filter((one) => !(isRelative(one) ? isAllowedFile(path, part, one) : isAllowedModule(part, one)))
      .map(({ module, typesOnly }) => `${path} imports ${typesOnly ? 'the types of ' : ''}${module}`);
  });
}

type Graph = ReadonlyMap<string, readonly string[]>;

/** What each file loads of the others; types load nothing. */
function loadsOf(sources: Sources): Graph {
  return new Map(
    [...sources].map(([path, source]) => [
      path,
      importsOf(source).flatMap((one) => (isRelative(one) && !one.typesOnly ? [targetOf(path, one)] : [])),
    ]),
  );
}

function wayRound(graph: Graph, path: readonly string[], done: Set<string>): readonly string[] | null {
  const here = path.at(-1) ?? '';
  if (path.indexOf(here) < path.length - 1) return path.slice(path.indexOf(here));
  if (done.has(here)) return null;
  done.add(here);
  for (const next of graph.get(here) ?? []) {
    const found = wayRound(graph, [...path, next], done);
    if (found !== null) return found;
  }
  return null;
}

/** Files that load each other in a circle, one circle per entry. */
export function cycles(sources: Sources): readonly string[] {
  const graph = loadsOf(sources);
  const done = new Set<string>();
  return [...graph.keys()].flatMap((path) => {
    const found = wayRound(graph, [path], done);
    return found === null ? [] : [found.join(' -> ')];
  });
}

const impure: Readonly<Record<string, RegExp>> = {
  'the clock':
    /\bnew\s+Date\s*(?:\(\s*\)|(?![\s(]))|(?<![.\w]|new\s)Date\s*\(|\bDate\s*\.\s*now\b|\bperformance\b\s*\./u,
  randomness: /\bMath\s*\.\s*random\b|\brandom(?:UUID|Bytes|Int)\b|\bgetRandomValues\b/u,
  'the environment': /\bprocess\s*[.[]|\bglobalThis\b|\bimport\s*\.\s*meta\b/u,
  'a timer': /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/u,
  'the network': /\bfetch\s*\(/u,
  'the console': /\bconsole\s*[.[]/u,
};

/** Reads of clock, environment, randomness and the rest of the world, each as `file:line reads what`. */
export function readsOfTheWorld(sources: Sources): readonly string[] {
  return [...sources].flatMap(([path, source]) =>
    codeOf(source)
      .split('\n')
      .flatMap((line, index) =>
        Object.entries(impure)
          .filter(([, pattern]) => pattern.test(line))
          .map(([what]) => `${path}:${index + 1} reads ${what}`),
      ),
  );
}

/** Longer files hold more than one idea; tests hold tables of cases. */
const mostLines = (path: string): number => (path.startsWith('test/') ? 500 : 400);

export function tooLong(sources: Sources): readonly string[] {
  return [...sources]
    .map(([path, source]) => ({ path, lines: source.split('\n').length - 1 }))
    .filter(({ path, lines }) => lines > mostLines(path))
    .map(({ path, lines }) => `${path} has ${lines} lines`);
}

const kebabCase = /^[a-z\d]+(?:-[a-z\d]+)*(?:\.[a-z\d]+(?:-[a-z\d]+)*)*$/u;
const emptyWords = /^(?:utils?|helpers?|common|misc|data|info|manager|service)\./u;

/** File and folder names against the house: kebab-case, named for an idea, and no barrels. */
export function badNames(sources: Sources): readonly string[] {
  return [...sources.keys()].flatMap((path) => {
    const name = path.split('/').at(-1) ?? '';
    if (/^index\.[cm]?[jt]s$/u.test(name)) return [`${path} is a barrel`];
    if (emptyWords.test(name)) return [`${path} is not named for an idea`];
    return path.split('/').every((one) => kebabCase.test(one)) ? [] : [`${path} is not in kebab-case`];
  });
}

/** Lambda loads an entry as a bundle, and so does a test that bundles it under its name. */
function bundledBy(test: string): readonly string[] {
  const names = /\bbundleFunctions\(\[(?<names>[^\]]*)\]/u.exec(codeWithTexts(test))?.groups?.['names'] ?? '';
  return [...names.matchAll(/'(?<name>[a-z-]+)'/gu)].map(({ groups }) => `functions/${groups?.['name']}.ts`);
}

const folderOf = (path: string): string => dirname(path);

function reach(graph: Graph, from: string): ReadonlySet<string> {
  const reached = new Set([from]);
  for (const path of reached) {
    const near = (graph.get(path) ?? []).filter((next) => folderOf(next) === folderOf(from));
    for (const next of near) reached.add(next);
  }
  return reached;
}

/**
 * Sources of the functions that no test enters: neither does a test import the file itself, nor a file of the same
 * folder that loads it.
 */
export function withoutTest(sources: Sources): readonly string[] {
  const graph = loadsOf(sources);
  const tests = [...sources].filter(([path]) => path.startsWith('test/'));
  const entered = tests.flatMap(([path, source]) => [...(graph.get(path) ?? []), ...bundledBy(source)]);
  const tested = new Set(entered.flatMap((path) => [...reach(graph, path)]));
  return [...sources.keys()].filter(
    (path) =>
      path.startsWith('functions/') &&
      /^export (?!type|interface)/mu.test(sources.get(path) ?? '') &&
      !tested.has(path),
  );
}
