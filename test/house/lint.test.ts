import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { root } from './repository.ts';

/** A file that breaks one rule and no other; with `want: null` it is a near miss that breaks none. */
interface Plant {
  readonly path: string;
  readonly source: string;
  readonly want: string | null;
}

const lines = (count: number, line: string): string => `${line}\n`.repeat(count);
const longFunction = (count: number): string =>
  `export function long(out: string[]): void {\n${lines(count, "  out.push('x');")}}\n`;
const branches = (count: number): string =>
  `export function branchy(n: number): string {\n${[...Array(count).keys()].map((n) => `  if (n === ${n}) return 'is ${n}';\n`).join('')}  return '';\n}\n`;

const plants: Readonly<Record<string, Plant>> = {
  'a function of 41 lines': {
    path: 'functions/a.ts',
    source: longFunction(39),
    want: 'eslint(max-lines-per-function)',
  },
  'a function of 40 lines': { path: 'functions/b.ts', source: longFunction(38), want: null },
  'a test of 200 lines': { path: 'test/c.test.ts', source: longFunction(198), want: null },
  'a test of 251 lines': { path: 'test/d.test.ts', source: longFunction(249), want: 'eslint(max-lines-per-function)' },
  'nine ways through a function': { path: 'functions/e.ts', source: branches(8), want: 'eslint(complexity)' },
  'eight ways through a function': { path: 'functions/f.ts', source: branches(7), want: null },
  'blocks three deep': {
    path: 'functions/g.ts',
    source:
      'export function deep(a: number): number {\n  if (a > 1) {\n    if (a > 2) {\n      if (a > 3) return 1;\n    }\n  }\n  return 0;\n}\n',
    want: 'eslint(max-depth)',
  },
  'four parameters': {
    path: 'functions/h.ts',
    source: 'export const sum = (a: number, b: number, c: number, d: number): number => a + b + c + d;\n',
    want: 'eslint(max-params)',
  },
  'three parameters': {
    path: 'functions/i.ts',
    source: 'export const sum = (a: number, b: number, c: number): number => a + b + c;\n',
    want: null,
  },
  'a parameter that is assigned': {
    path: 'functions/j.ts',
    source: 'export function next(n: number): number {\n  n += 1;\n  return n;\n}\n',
    want: 'eslint(no-param-reassign)',
  },
  'a loose comparison': {
    path: 'functions/k.ts',
    source: 'export const isSame = (a: string, b: string): boolean => a == b;\n',
    want: 'eslint(eqeqeq)',
  },
  'a circle of two files, one half': {
    path: 'functions/circle/one.ts',
    source: "import { two } from './two.ts';\n\nexport const one = (): string => two();\n",
    want: 'import(no-cycle)',
  },
  'a circle of two files, the other half': {
    path: 'functions/circle/two.ts',
    source: "import { one } from './one.ts';\n\nexport const two = (): string => one();\n",
    want: 'import(no-cycle)',
  },
  'a default export': {
    path: 'functions/l.ts',
    source: 'const only = 1;\nexport default only;\n',
    want: 'import(no-default-export)',
  },
  any: {
    path: 'functions/m.ts',
    source: 'export const first = (list: readonly any[]): unknown => list[0];\n',
    want: 'typescript(no-explicit-any)',
  },
  'a promise that something is there': {
    path: 'functions/n.ts',
    source: 'export const first = (list: readonly string[]): string => list[0]!;\n',
    want: 'typescript(no-non-null-assertion)',
  },
  'a promise nobody waits for': {
    path: 'functions/o.ts',
    source:
      'const work = async (): Promise<void> => Promise.resolve();\nexport function start(): void {\n  work();\n}\n',
    want: 'typescript(no-floating-promises)',
  },
  'a promise of node:test': {
    path: 'test/p.test.ts',
    source:
      "import { describe, it } from 'node:test';\n\ndescribe('a', () => {\n  it('b', async () => Promise.resolve());\n});\n",
    want: null,
  },
  'a switch that forgets a member': {
    path: 'functions/q.ts',
    source:
      "export function say(kind: 'hold' | 'submit'): string {\n  switch (kind) {\n    case 'hold':\n      return 'held';\n  }\n  return '';\n}\n",
    want: 'typescript(switch-exhaustiveness-check)',
  },
  'a rule that can be awaited': {
    path: 'functions/r.ts',
    source: 'export const rule = { then: (): number => 1 };\n',
    want: 'unicorn(no-thenable)',
  },
  'something incorrect': {
    path: 'functions/s.ts',
    source: 'debugger;\nexport const s = 1;\n',
    want: 'eslint(no-debugger)',
  },
  'something suspicious': {
    path: 'functions/t.ts',
    source:
      "export function later(): string {\n  const text = 'a';\n  return text.concat();\n}\nString.prototype.trim = (): string => '';\n",
    want: 'eslint(no-extend-native)',
  },
  'something slow': {
    path: 'functions/u.ts',
    source:
      'export const merge = (list: readonly object[]): object => list.reduce((all, one) => ({ ...all, ...one }), {});\n',
    want: 'oxc(no-accumulating-spread)',
  },
  'core and another part of the functions': {
    path: 'functions/core/import-errors.ts',
    source: "import { at } from '../errors.ts';\n\nexport const core = at;\n",
    want: 'eslint(no-restricted-imports)',
  },
  'core and the disk': {
    path: 'functions/core/import-disk.ts',
    source: "import { readFileSync } from 'node:fs';\n\nexport const read = (): string => readFileSync('a', 'utf8');\n",
    want: 'eslint(no-restricted-imports)',
  },
  'core and hashes': {
    path: 'functions/core/import-hash.ts',
    source:
      "import { createHash } from 'node:crypto';\n\nexport const hash = (): string => createHash('sha256').digest('hex');\n",
    want: null,
  },
  'core and the time': {
    path: 'functions/core/now.ts',
    source: 'export const now = (): number => Date.now();\n',
    want: 'eslint(no-restricted-properties)',
  },
  'the time elsewhere': {
    path: 'functions/errors.ts',
    source: 'export const at = (): number => Date.now();\n',
    want: null,
  },
  'core and dice': {
    path: 'functions/core/dice.ts',
    source: 'export const dice = (): number => Math.random();\n',
    want: 'eslint(no-restricted-properties)',
  },
  'core and new ids': {
    path: 'functions/core/id.ts',
    source: 'export const id = (): string => crypto.randomUUID();\n',
    want: 'eslint(no-restricted-properties)',
  },
  'a file without fault': {
    path: 'functions/core/clean.ts',
    source: '/** A day later. */\nexport const later = (now: Date): Date => new Date(now.getTime() + 86_400_000);\n',
    want: null,
  },
};

/** Uses of the globals that core must not know. */
const globals: Readonly<Record<string, string>> = {
  process: "process.env['A']",
  setTimeout: 'setTimeout(() => undefined, 1)',
  setInterval: 'setInterval(() => undefined, 1)',
  setImmediate: 'setImmediate(() => undefined)',
  fetch: "fetch('http://a')",
  performance: 'performance.now()',
  console: 'console.log',
};

const globalPlants = Object.entries(globals).map(([name, use]): readonly [string, Plant] => [
  `core and ${name}`,
  {
    path: `functions/core/global-${name.toLowerCase()}.ts`,
    source: `export const use = (): unknown => ${use};\n`,
    want: 'eslint(no-restricted-globals)',
  },
]);

const all: readonly (readonly [string, Plant])[] = [...Object.entries(plants), ...globalPlants];

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

/** Runs the real linter as `npm run lint` does; it ends with 1 when it finds something. */
async function lint(folder: string): Promise<readonly Diagnostic[]> {
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
  const args = [oxlint, '--type-aware', '--deny-warnings', '--format', 'json'];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 1e8 }, (_error, stdout) => resolve(stdout));
  });
  return (JSON.parse(output) as { readonly diagnostics: readonly Diagnostic[] }).diagnostics;
}

interface Override {
  readonly files: readonly string[];
  readonly rules: Readonly<Record<string, unknown>>;
}

interface LintConfig {
  readonly categories: Readonly<Record<string, string>>;
  readonly rules: Readonly<Record<string, unknown>>;
  readonly overrides: readonly Override[];
}

const config = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as LintConfig;

describe('lint', () => {
  let folder = '';
  let found: ReadonlyMap<string, readonly string[]> = new Map();

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'house-lint-'));
    // Root dotfiles on purpose: under another folder their path patterns silently stop matching.
    for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json', '.gitignore'])
      cpSync(join(root, file), join(folder, file));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const [, { path, source }] of all) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), source);
    }
    const byFile = Map.groupBy(await lint(folder), ({ filename }) => filename.replaceAll('\\', '/'));
    found = new Map([...byFile].map(([path, list]) => [path, [...new Set(list.map(({ code }) => code))].toSorted()]));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [name, { path, want }] of all) {
    it(want === null ? `passes ${name}` : `refuses ${name}: ${want}`, () => {
      assert.deepEqual(found.get(path) ?? [], want === null ? [] : [want]);
    });
  }

  it('has a plant for every rule that is configured to be an error', () => {
    const isError = (setting: unknown): boolean => [setting].flat()[0] === 'error';
    const configured = [config.rules, ...config.overrides.map(({ rules }) => rules)].flatMap((rules) =>
      Object.entries(rules).flatMap(([name, setting]) => (isError(setting) ? [name] : [])),
    );
    const planted = new Set(all.flatMap(([, { want }]) => (want === null ? [] : [want])));
    const codes = [...new Set(configured)].map((name) =>
      name.replace(/^(?<plugin>\w+)\/(?<rule>.+)$/u, '$<plugin>($<rule>)'),
    );
    assert.deepEqual(
      codes.filter((code) => !planted.has(code)),
      [],
    );
    assert.deepEqual(Object.keys(config.categories).toSorted(), ['correctness', 'perf', 'suspicious']);
  });

  it('has a plant for every global and property that core must not know', () => {
    const core = config.overrides.find(({ files }) => files.includes('functions/core/**'))?.rules ?? {};
    const [, ...names] = [core['eslint/no-restricted-globals']].flat() as readonly string[];
    assert.deepEqual(names.toSorted(), Object.keys(globals).toSorted());
    const [, ...properties] = [core['eslint/no-restricted-properties']].flat() as readonly {
      object: string;
      property: string;
    }[];
    const sources = Object.values(plants).map(({ source }) => source);
    assert.deepEqual(
      properties.filter(({ object, property }) => !sources.some((source) => source.includes(`${object}.${property}(`))),
      [],
    );
  });

  it('is run with type information, and with warnings denied, by npm run lint', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    assert.equal(scripts['lint'], 'oxlint --type-aware --deny-warnings');
  });
});
