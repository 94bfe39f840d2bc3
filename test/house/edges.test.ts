import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { edges } from '../fuzz/edges.ts';
import { codeAmong, readRepository, type Sources } from './repository.ts';
import { codeOf } from './source-text.ts';

/** What a source parses a text with. */
const parses = /\bJSON\.parse\(|\bparseDocument\(|\bsafeParse\(|\bnew URL\(/u;

/** Sources that parse, and nothing that somebody else wrote. */
const notForeign: ReadonlyMap<string, string> = new Map([
  ['functions/aws/s3-object.ts', 'an address made of parts that place.ts has read'],
  ['functions/templates/template-reader.ts', 'an address made of parts that place.ts has read'],
  ['infra/dashboard.ts', 'the dashboard of this repository'],
  ['infra/readme-tables.ts', 'files of this repository'],
  ['infra/readme/fault-matrix.ts', 'files of this repository'],
  ['infra/render/render-run.ts', 'the text of a Job that was written a moment before'],
]);

/** Local servers play the foreign side: what they are sent is ours. */
const isWatched = (path: string): boolean => /^(?:functions|infra)\//u.test(path) && !path.startsWith('infra/local/');

const readersAmong = (sources: Sources): readonly string[] =>
  [...sources].filter(([path, source]) => isWatched(path) && parses.test(codeOf(source))).map(([path]) => path);

const tried: ReadonlySet<string> = new Set(edges.flatMap(({ files }) => files));

const untriedAmong = (sources: Sources): readonly string[] =>
  readersAmong(sources).filter((path) => !tried.has(path) && !notForeign.has(path));

describe('parsers of what others wrote', () => {
  const code = codeAmong(readRepository());

  it('are each tried by an edge of the fuzz tests, or have a reason not to be', () => {
    assert.deepEqual(untriedAmong(code), []);
  });

  for (const line of ['JSON.parse(text)', 'schema.safeParse(value)', 'parseDocument(text)', 'new URL(text)']) {
    it(`are seen where they are new: ${line}`, () => {
      const path = 'functions/new.ts';

      assert.deepEqual(untriedAmong(new Map([[path, `export const read = ${line};`]])), [path]);
      assert.deepEqual(untriedAmong(new Map([[path, `// ${line}`]])), []);
      assert.deepEqual(untriedAmong(new Map([['infra/local/new.ts', line]])), []);
    });
  }

  it('are where an edge says that they are', () => {
    assert.deepEqual(
      [...tried].filter((path) => !code.has(path)),
      [],
    );
  });

  it('have no reason for what does not parse, or is tried', () => {
    const readers = readersAmong(code);

    assert.deepEqual(
      [...notForeign.keys()].filter((path) => tried.has(path) || !readers.includes(path)),
      [],
    );
  });
});
