import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readRepository, type Sources } from './repository.ts';

const isTest = /^test\/suites\/(?:aws|kubernetes|prefect)\/.*\.test\.ts$/u;

/** By each of these something is said outside of the process of the test. */
const speaks = /\b(?:finished|runInShell|runDoctor|openKubectl|startCommand|startMachine)\(/u;

/** Judges what was said: itself, or by the world that it starts. */
const judges = /\b(?:judgeEachTest|heard\.judge|startAwsWorld|startFlowWorld)\(/u;

/** They are given no secret. */
const without: ReadonlyMap<string, string> = new Map([
  ['test/suites/aws/inline-commands.test.ts', 'asks for flags'],
  ['test/suites/aws/template.test.ts', 'lints templates'],
  ['test/suites/prefect/peer-options.test.ts', 'asks the agent for its options'],
]);

/** The files of the suites of real parts that let something be said and have nobody look it through. */
function unjudged(sources: Sources): readonly string[] {
  const talkative = [...sources].filter(([path, text]) => isTest.test(path) && speaks.test(text));
  return talkative.filter(([, text]) => !judges.test(text)).map(([path]) => path);
}

describe('the suites of real parts', () => {
  const sources = readRepository();

  it('look through all that is said in them, but where no secret is', () => {
    assert.deepEqual(unjudged(sources).toSorted(), [...without.keys()].toSorted());
  });

  it('are found out where one forgets it', () => {
    const path = 'test/suites/kubernetes/laptop.test.ts';
    const text = sources.get(path)?.replaceAll(/judgeEachTest|heard\.judge/gu, 'forget') ?? '';

    assert.deepEqual(unjudged(new Map([[path, text]])), [path]);
  });

  it('may be silent without it', () => {
    assert.deepEqual(unjudged(new Map([['test/suites/kubernetes/quiet.test.ts', 'plan(cluster);']])), []);
  });
});
