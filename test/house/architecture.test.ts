import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { againstTheArrows, badNames, cycles, readsOfTheWorld, tooLong, withoutTest } from './architecture.ts';
import { arrows } from './arrows.ts';
import { codeAmong, readRepository, type Sources } from './repository.ts';
import { codeOf, importsOf } from './source-text.ts';

const sources = codeAmong(readRepository());
const among = (folder: string): Sources => new Map([...sources].filter(([path]) => path.startsWith(folder)));
const aRepository = (files: Readonly<Record<string, string>>): Sources => new Map(Object.entries(files));

describe('the arrows', () => {
  it('are kept by every import', () => {
    assert.deepEqual(againstTheArrows(sources, arrows), []);
  });

  it('speak of files and folders that exist', () => {
    const named = arrows.flatMap(({ part, imports, types = [] }) => [part, ...imports, ...types]);
    assert.deepEqual(
      named.filter((name) => ![...sources.keys()].some((path) => path.startsWith(name))),
      [],
    );
  });

  const planted = {
    'core imports a client': {
      path: 'functions/core/dispatch-plan.ts',
      source: "import { connectPrefect } from '../prefect/client.ts';",
      want: ['functions/core/dispatch-plan.ts imports ../prefect/client.ts'],
    },
    'core imports the errors of the boundary': {
      path: 'functions/core/claim.ts',
      source: "import type { ErrorCode } from '../errors.ts';",
      want: ['functions/core/claim.ts imports the types of ../errors.ts'],
    },
    'core loads a library of which it may know the types': {
      path: 'functions/core/job-spec.ts',
      source: "import { V1Job } from '@kubernetes/client-node';",
      want: ['functions/core/job-spec.ts imports @kubernetes/client-node'],
    },
    'core imports over several lines': {
      path: 'functions/core/claim.ts',
      source: "import {\n  readFileSync,\n  writeFileSync,\n} from 'node:fs';",
      want: ['functions/core/claim.ts imports node:fs'],
    },
    'core imports when it runs': {
      path: 'functions/core/claim.ts',
      source: "export const late = async () => (await import('../kubernetes/gateway.ts')).connectKubernetes;",
      want: ['functions/core/claim.ts imports ../kubernetes/gateway.ts'],
    },
    'a module whose name is computed': {
      path: 'functions/ticks/budget.ts',
      source: 'export const late = async (name: string) => import(name);',
      want: ['functions/ticks/budget.ts imports (computed)'],
    },
    'something is passed on': {
      path: 'functions/prefect/call.ts',
      source: "export * from '../kubernetes/api.ts';",
      want: ['functions/prefect/call.ts imports ../kubernetes/api.ts'],
    },
    'a tick opens a client itself': {
      path: 'functions/ticks/dispatch-tick.ts',
      source: "import { connectKubernetes } from '../kubernetes/gateway.ts';",
      want: ['functions/ticks/dispatch-tick.ts imports ../kubernetes/gateway.ts'],
    },
    'a function needs the local world': {
      path: 'functions/composition.ts',
      source: "import { startWorld } from '../infra/local/world.ts';",
      want: ['functions/composition.ts imports ../infra/local/world.ts'],
    },
    'a double shares our schemas': {
      path: 'infra/local/prefect-api/schema.ts',
      source: "import { documents } from '../../../functions/prefect/documents.ts';",
      want: ['infra/local/prefect-api/schema.ts imports ../../../functions/prefect/documents.ts'],
    },
    'a double leans on another': {
      path: 'infra/local/kubernetes-api/state.ts',
      source: "import { createPrefectState } from '../prefect-api/state.ts';",
      want: ['infra/local/kubernetes-api/state.ts imports ../prefect-api/state.ts'],
    },
    'the product imports its tests': {
      path: 'infra/local/world.ts',
      source: "import { T0 } from '../../test/support/time.ts';",
      want: ['infra/local/world.ts imports ../../test/support/time.ts'],
    },
    'a part that nobody thought of': {
      path: 'tools/release.ts',
      source: '',
      want: ['no arrow speaks of tools/release.ts'],
    },
    'no violation: types of a client in a tick': {
      path: 'functions/ticks/dispatch-tick.ts',
      source:
        "import type { KubernetesGateway } from '../kubernetes/contract.ts';\nimport { planDispatch } from '../core/dispatch-plan.ts';",
      want: [],
    },
    'no violation: an import that is a comment or a text': {
      path: 'functions/core/claim.ts',
      source:
        "// import fs from 'node:fs';\nconst text = `\nimport fs from 'node:fs';\n`;\nconst other = \"import('node:fs')\";",
      want: [],
    },
  };
  for (const [name, { path, source, want }] of Object.entries(planted)) {
    it(`name the offender: ${name}`, () => {
      assert.deepEqual(againstTheArrows(aRepository({ [path]: source }), arrows), want);
    });
  }
});

describe('files that load each other', () => {
  it('make no circle', () => {
    assert.deepEqual(cycles(sources), []);
  });

  it('are named in their order when they do', () => {
    const circle = aRepository({
      'a/one.ts': "import { two } from './two.ts';",
      'a/two.ts': "import { three } from '../b/three.ts';",
      'b/three.ts': "export const late = async () => import('../a/one.ts');",
      'b/four.ts': "import { three } from './three.ts';",
    });
    assert.deepEqual(cycles(circle), ['a/one.ts -> a/two.ts -> b/three.ts -> a/one.ts']);
  });

  it('may know the types of each other', () => {
    const pair = aRepository({
      'a/one.ts': "import { two } from './two.ts';",
      'a/two.ts': "import type { One } from './one.ts';",
    });
    assert.deepEqual(cycles(pair), []);
  });
});

describe('core', () => {
  it('reads no clock, environment or randomness', () => {
    assert.deepEqual(readsOfTheWorld(among('functions/core/')), []);
  });

  const planted: Readonly<Record<string, { line: string; want: string | null }>> = {
    'a date of now': { line: 'const now = new Date();', want: 'the clock' },
    'a date of now without brackets': { line: 'const now = new Date;', want: 'the clock' },
    'a date of now over two blanks': { line: 'const now = new Date( );', want: 'the clock' },
    'a date of now as text': { line: 'const now = Date();', want: 'the clock' },
    'milliseconds of now': { line: 'const now = Date.now();', want: 'the clock' },
    'milliseconds of now inside a template': { line: 'const id = `at-${Date.now()}`;', want: 'the clock' },
    'the time of the process': { line: 'const now = performance.now();', want: 'the clock' },
    'a dice': { line: 'const jitter = Math.random();', want: 'randomness' },
    'an id': { line: "import { randomUUID } from 'node:crypto';", want: 'randomness' },
    'random bytes': { line: 'const id = randomBytes(8);', want: 'randomness' },
    'a variable': { line: "const zone = process.env['TZ'];", want: 'the environment' },
    'a way around': { line: "const zone = globalThis['process'];", want: 'the environment' },
    'a place on the disk': { line: 'const here = import.meta.url;', want: 'the environment' },
    'a timer': { line: 'setTimeout(done, 1);', want: 'a timer' },
    'a request': { line: 'const answer = fetch(url);', want: 'the network' },
    'a line on the console': { line: "console.log('here');", want: 'the console' },
    'no violation: a date that is an argument': { line: 'const at = new Date(now.getTime() + 1);', want: null },
    'no violation: a type': { line: 'const at = (now: Date): Date => now;', want: null },
    'no violation: a name': { line: 'const process = 1; const started = process + 1;', want: null },
    'no violation: words': { line: "const why = 'the process. new Date() is for others'; // Date.now()", want: null },
    'no violation: words in a template': { line: 'const why = `process.env of ${name}`;', want: null },
  };
  for (const [name, { line, want }] of Object.entries(planted)) {
    it(`is told: ${name}`, () => {
      const found = readsOfTheWorld(aRepository({ 'functions/core/claim.ts': `// first\n${line}\n` }));
      assert.deepEqual(found, want === null ? [] : [`functions/core/claim.ts:2 reads ${want}`]);
    });
  }
});

describe('files', () => {
  it('are short, named for an idea, and entered by a test', () => {
    assert.deepEqual([...tooLong(sources), ...badNames(sources), ...withoutTest(sources)], []);
  });

  it('of more than 400 lines are named, in tests of more than 500', () => {
    const lines = (count: number): string => 'export {};\n'.repeat(count);
    const files = aRepository({
      'functions/a.ts': lines(401),
      'functions/b.ts': lines(400),
      'test/a.test.ts': lines(501),
      'test/b.test.ts': lines(500),
    });
    assert.deepEqual(tooLong(files), ['functions/a.ts has 401 lines', 'test/a.test.ts has 501 lines']);
  });

  it('with a bad name are named', () => {
    const files = aRepository({
      'functions/core/index.ts': '',
      'functions/core/jobSpec.ts': '',
      'functions/Core/job.ts': '',
      'functions/utils.ts': '',
      'functions/core/history.ts': '',
      'test/infra/prefect-api.edge.test.ts': '',
      'infra/bundle.d.cts': '',
    });
    assert.deepEqual(badNames(files), [
      'functions/core/index.ts is a barrel',
      'functions/core/jobSpec.ts is not in kebab-case',
      'functions/Core/job.ts is not in kebab-case',
      'functions/utils.ts is not named for an idea',
    ]);
  });

  it('that no test enters are named', () => {
    const files = aRepository({
      'functions/dispatch.ts': "import { entry } from './entry.ts';\nexport const handler = entry();",
      'functions/entry.ts': 'export const entry = 1;',
      'functions/reconcile.ts': 'export const handler = 1;',
      'functions/core/plan.ts': "import { rule } from './rules.ts';\nexport const plan = rule;",
      'functions/core/rules.ts': 'export const rule = 1;',
      'functions/core/forgotten.ts': 'export const forgotten = 1;',
      'functions/core/shapes.ts': 'export interface Shape {}',
      'functions/aws/login.ts': 'export const login = 1;',
      'test/core/plan.test.ts': "import { plan } from '../../functions/core/plan.ts';",
      'test/handlers.test.ts': "await bundleFunctions(['dispatch'], folder);",
    });
    assert.deepEqual(withoutTest(files), [
      'functions/reconcile.ts',
      'functions/core/forgotten.ts',
      'functions/aws/login.ts',
    ]);
  });
});

describe('the reader of sources', () => {
  it('keeps its place in every file of the repository', () => {
    for (const [path, source] of sources) assert.equal(codeOf(source).length, source.length, path);
  });

  const cases = {
    'comments and texts': { source: 'a(); // b\n/* c\nd */ e("f{");', want: 'a();     \n    \n     e(    );' },
    'an expression inside a template inside one': {
      source: '`x ${a(`y ${b} z`)} {`; c',
      want: '   ${a(   ${b}   )}   ; c',
    },
    'a regular expression with a quote in it': { source: "const q = /['`]/u; b", want: 'const q =        ; b' },
    'a division': {
      source: 'const half = a / 2; const more = b / c;',
      want: 'const half = a / 2; const more = b / c;',
    },
  };
  for (const [name, { source, want }] of Object.entries(cases)) {
    it(`blanks ${name}`, () => {
      assert.equal(codeOf(source), want);
    });
  }

  it('says when it has lost its place', () => {
    assert.throws(() => codeOf('if (a) {'), /a brace stays open/u);
  });

  it('sees every kind of import', () => {
    const source = [
      "import 'a';",
      "import b, { c } from 'b';",
      "import type { d } from 'd';",
      "export * from 'e';",
      "export type { f } from 'f';",
      "const g = require('g');",
      "type H = import('h').H;",
    ].join('\n');
    assert.deepEqual(
      importsOf(source).map(({ module, typesOnly }) => (typesOnly ? `type ${module}` : module)),
      ['a', 'b', 'type d', 'e', 'type f', 'g', 'h'],
    );
  });
});
