import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { claims, commandsIn, typed, type Claim, type Documented } from '../support/documented-commands.ts';
import { readRepository, type Sources } from './repository.ts';

const repository = readRepository();

const documents = (sources: Sources): readonly (readonly [string, string])[] =>
  [...sources].filter(([path]) => path === 'README.md' || /^infra\/guides\/[^/]+\.md$/u.test(path));

const key = ({ document, command }: Documented): string => `${document}: ${command}`;

/** What has no business there: commands that nobody runs, and claims on what is not written. Pure. */
function loose(sources: Sources, claimed: readonly Claim[]): readonly string[] {
  const written = documents(sources)
    .flatMap(([path, text]) => commandsIn(path, text))
    .map(key);
  const run = claimed.map(key);
  return [
    ...written.filter((one) => !run.includes(one)).map((one) => `nobody runs ${one}`),
    ...run.filter((one) => !written.includes(one)).map((one) => `nowhere is written ${one}`),
  ];
}

/** The commands of the suites in `.ci/run`, without their headings. */
const ciCommands = (sources: Sources): readonly string[] =>
  [...(sources.get('.ci/run') ?? '').matchAll(/^suite '[^']+' (?<command>.+)$/gmu)].map(
    ({ groups }) => groups?.['command'] ?? '',
  );

/** Why a claim is none: `.ci/run` has to run each part, a test file has to ask for what it claims, and be run. Pure. */
function emptyClaims(sources: Sources, claimed: readonly Claim[]): readonly string[] {
  return claimed.flatMap(({ by, command }) => {
    if (by === '.ci/run') {
      const missing = command.split(' && ').filter((part) => !ciCommands(sources).includes(part));
      return missing.map((part) => `.ci/run does not run ${part}`);
    }
    const asks = sources.get(by)?.includes('claimedBy(import.meta.filename)') ?? false;
    return asks && by.endsWith('.test.ts') ? [] : [`${by} does not ask for ${command}`];
  });
}

describe('the commands in README.md and the guides', () => {
  it('are each run by a suite', () => {
    assert.deepEqual(loose(repository, claims), [], 'claims stand in test/support/documented-commands.ts');
    assert.deepEqual(emptyClaims(repository, claims), []);
  });

  it('are not put to `true`, and stand in no block that is not looked at', () => {
    for (const [path, text] of documents(repository)) {
      const languages = [...text.matchAll(/^[ ]*```(?<language>\S+)/gmu)].map(({ groups }) => groups?.['language']);
      for (const language of languages) assert.match(language ?? '', /^(?:sh|text|yaml|json|mermaid|py)$/u, path);
      for (const { command } of commandsIn(path, text)) assert.doesNotMatch(command, /^(?:true|:)(?:\s|$)/u, path);
    }
  });

  it('are found wanting when one is written that nobody runs, or one is not written any more', () => {
    const readme =
      '```sh\nnpm ci && npm start\n\n# a remark\n  aws s3 ls \\\n    --human-readable\n```\n```text\nls\n```\n';
    const claim = { by: '.ci/run', document: 'README.md', command: 'npm start' };

    assert.deepEqual(loose(new Map([['README.md', readme]]), [claim]), [
      'nobody runs README.md: npm ci && npm start',
      'nobody runs README.md: aws s3 ls --human-readable',
      'nowhere is written README.md: npm start',
    ]);
  });

  it('are not claimed by a suite that does not run them', () => {
    const sources = new Map([
      ['.ci/run', "suite 'dependencies' npm ci\n"],
      ['a.test.ts', 'runs something else'],
    ]);
    const command = 'npm ci && npm start';

    assert.deepEqual(emptyClaims(sources, [{ by: '.ci/run', document: 'README.md', command }]), [
      '.ci/run does not run npm start',
    ]);
    assert.deepEqual(emptyClaims(sources, [{ by: 'a.test.ts', document: 'README.md', command }]), [
      `a.test.ts does not ask for ${command}`,
    ]);
  });
});

describe('a documented command with values of the reader', () => {
  it('has them in its places, and nowhere else', () => {
    const command = 'deploy --param eksClusterName=prod --param eksCa=… …';

    assert.equal(
      typed(command, { eksCa: 'a$&b', otherParams: '--param namespace=flows' }),
      'deploy --param eksClusterName=prod --param eksCa=a$&b --param namespace=flows',
    );
  });

  it('is not run with a place left empty, or a value that has none', () => {
    assert.throws(() => typed('render -- <flow run id>', {}), /nothing was given for <flow run id>/u);
    assert.throws(() => typed('deploy --param eksCa=…', {}), /nothing was given for …/u);
    assert.throws(() => typed('npm ci', { flowRunId: 'x' }), /nothing stands for flowRunId/u);
  });
});
