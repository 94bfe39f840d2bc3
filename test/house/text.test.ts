import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { codeAmong, readRepository, type Sources } from './repository.ts';
import {
  brokenLinks,
  floatingVersions,
  launderedTypes,
  machinePaths,
  scriptsNamed,
  silencedLines,
  testsLeftOut,
  unfinishedLines,
  type Manifest,
} from './text.ts';

const everything = readRepository();
const without = (part: string): Sources => new Map([...everything].filter(([path]) => !path.startsWith(part)));
const among = (part: string): Sources => new Map([...everything].filter(([path]) => path.startsWith(part)));
/** Recorded answers are what other programs said. */
const ours: Sources = new Map([...everything].filter(([path]) => !/^test\/fixtures\/.*\.jsonl?$/u.test(path)));
const manifest = JSON.parse(everything.get('package.json') ?? '') as Manifest;

/** Put together here, so that this file is not its own offender. */
const word = (...parts: readonly string[]): string => parts.join('');
const oneFile = (text: string, path = 'functions/a.ts'): Sources => new Map([[path, text]]);

describe('the texts of the repository', () => {
  const checks = {
    'no work is left for later': { check: unfinishedLines, sources: ours },
    'no path of somebody’s machine': { check: machinePaths, sources: ours },
    'no finding of a tool is silenced': { check: silencedLines, sources: ours },
    'no type is laundered': { check: launderedTypes, sources: codeAmong(everything) },
    'no test is left out': { check: testsLeftOut, sources: codeAmong(among('test/')) },
    'no link leads nowhere': { check: brokenLinks, sources: everything },
  };
  for (const [name, { check, sources }] of Object.entries(checks)) {
    it(name, () => {
      assert.ok(sources.size > 0);
      assert.deepEqual(check(sources), []);
    });
  }

  it('are all read: a source, a document, a workflow, a dotfile', () => {
    const some = ['functions/dispatch.ts', 'README.md', '.github/workflows/ci.yml', '.oxlintrc.json', 'serverless.yml'];
    assert.deepEqual(
      some.filter((path) => !everything.has(path)),
      [],
    );
    assert.ok(!without('functions/').has('functions/dispatch.ts'));
  });
});

describe('planted texts', () => {
  const planted = {
    'a note for later': { check: unfinishedLines, text: `// ${word('TO', 'DO')}: the rest`, want: true },
    'a note for later in small letters': { check: unfinishedLines, text: `// ${word('fix', 'me')}`, want: true },
    'a promise instead of code': {
      check: unfinishedLines,
      text: `throw new Error('${word('not ', 'implemented')}')`,
      want: true,
    },
    'a word that only contains one': { check: unfinishedLines, text: 'const todos = autodoc;', want: false },
    'a path of a checkout': { check: machinePaths, text: `see ${word('/wo', 'rk/main/a.ts')}`, want: true },
    'a path of a user': { check: machinePaths, text: `cd ${word('/ho', 'me/ada/flows')}`, want: true },
    'a temporary path': { check: machinePaths, text: `'${word('/t', 'mp/x')}'`, want: true },
    'an address with the same word': { check: machinePaths, text: 'https://example.com/work/item', want: false },
    'a relative path with the same word': { check: machinePaths, text: './work/item and flows/home/a', want: false },
    'a type error that is silenced': { check: silencedLines, text: `// ${word('@ts-', 'ignore')}`, want: true },
    'a lint finding that is silenced': { check: silencedLines, text: `// ${word('oxlint-', 'disable')} x`, want: true },
    'a type that is laundered': {
      check: launderedTypes,
      text: `const a = b ${word('as unk', 'nown as')} C;`,
      want: true,
    },
    'a type that is widened': { check: launderedTypes, text: 'const a = b as unknown;', want: false },
    'a test that runs alone': { check: testsLeftOut, text: `it${word('.on', 'ly')}('a', () => {});`, want: true },
    'a test that is left out': {
      check: testsLeftOut,
      text: `describe${word('.sk', 'ip')}('a', () => {});`,
      want: true,
    },
    'a test that is left out from within': { check: testsLeftOut, text: `t${word('.sk', 'ip(')});`, want: true },
    'a test that is left out by an option': {
      check: testsLeftOut,
      text: `it('a', { ${word('sk', 'ip: tr', 'ue')} })`,
      want: true,
    },
    'a count of tests left out': { check: testsLeftOut, text: 'const skipped = 0; // it.skip', want: false },
  };
  for (const [name, { check, text, want }] of Object.entries(planted)) {
    it(`${want ? 'tell of' : 'pass'} ${name}`, () => {
      assert.deepEqual(check(oneFile(`first\n${text}\n`)), want ? ['functions/a.ts:2'] : []);
    });
  }

  it('tell of links that lead nowhere', () => {
    const documents: Sources = new Map([
      ['README.md', '# What it is\n[a](infra/guides/a.md) [b](infra/guides/b.md) [c](#what-it-is) [d](#what)'],
      [
        'infra/guides/a.md',
        '[up](../../README.md#what-it-is) [gone](a/b.ts) [web](https://example.com) [dir](../guides)',
      ],
      ['infra/guides/c.md', '```\n[in code](nowhere.md)\n```\n`[x](y.md)`'],
    ]);
    assert.deepEqual(brokenLinks(documents), [
      'README.md -> infra/guides/b.md',
      'README.md -> #what',
      'infra/guides/a.md -> a/b.ts',
    ]);
  });
});

describe('package.json', () => {
  it('names one version of everything', () => {
    assert.deepEqual(floatingVersions(manifest), []);
  });

  it('is told of a version that floats', () => {
    const versions = {
      a: '1.2.3',
      b: '^1.2.3',
      c: 'latest',
      d: 'npm:graphql@14.6.0',
      e: 'npm:osls@4',
      f: '>=1',
      g: '1',
    };
    assert.deepEqual(floatingVersions({ scripts: {}, dependencies: versions, devDependencies: { '@h/i': '~1.0.0' } }), [
      'b: ^1.2.3',
      'c: latest',
      'e: npm:osls@4',
      'f: >=1',
      'g: 1',
      '@h/i: ~1.0.0',
    ]);
  });

  it('pins the Node that .nvmrc and serverless.yml name', () => {
    const major = manifest.devDependencies['node']?.split('.')[0] ?? '';
    assert.equal(everything.get('.nvmrc')?.trim(), major);
    assert.match(everything.get('serverless.yml') ?? '', new RegExp(`^  runtime: nodejs${major}\\.x$`, 'mu'));
  });

  it('has every script that a document names', () => {
    const documents = [...everything].filter(([path]) => path.endsWith('.md'));
    const unknown = documents.flatMap(([path, text]) =>
      scriptsNamed(text).flatMap((script) => (script in manifest.scripts ? [] : [`${path}: ${script}`])),
    );
    assert.deepEqual(unknown, []);
  });

  it('has no script that CONTRIBUTING and README keep to themselves', () => {
    const told = new Set(['README.md', 'CONTRIBUTING.md'].flatMap((path) => scriptsNamed(everything.get(path) ?? '')));
    assert.deepEqual(
      Object.keys(manifest.scripts).filter((script) => !told.has(script)),
      [],
    );
  });

  it('is asked for scripts as readers type them', () => {
    const text =
      '`npm test`, `npm start --silent -- --json`, `npm run --silent manifests -- -n a`, `npm run test:aws`.';
    assert.deepEqual(scriptsNamed(text), ['test', 'start', 'manifests', 'test:aws']);
    assert.deepEqual(scriptsNamed('npm ci, npm starts, npm runs'), []);
  });
});
