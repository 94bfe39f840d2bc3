import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { before, describe, it } from 'node:test';

import { readRepository } from '../../house/repository.ts';
import { finished } from '../../support/command.ts';
import { ensureAwsPython } from '../../support/python.ts';

/** Commands of AWS's own command line within the sentences of README and guides, as they stand there. */
function inlineCommands(): readonly string[] {
  const documents = [...readRepository()].filter(([name]) => name === 'README.md' || name.startsWith('infra/guides/'));
  const spans = documents.flatMap(([, text]) => [...text.matchAll(/`(?<command>aws\s[^`]+)`/gu)]);
  const commands = new Set(spans.map(({ groups }) => (groups?.['command'] ?? '').replaceAll(/\s+/gu, ' ')));
  return [...commands].filter((command) => command !== newer).toSorted();
}

/** Words that a reader replaces. */
const withValues = (command: string): readonly string[] =>
  command
    .replaceAll(/<[^>]+>|…/gu, 'value')
    .split(' ')
    .slice(1);

/** Waiting is no call: it has a help and no skeleton. */
const isWait = (command: string): boolean => /^aws \S+ wait /u.test(command);

/** Version 2 alone has it; PyPI has version 1. */
const newer = 'aws sso login';

describe('an AWS command within a sentence', () => {
  let program = '';
  before(async () => {
    program = path.join(path.dirname(await ensureAwsPython()), 'aws');
  });

  /** Whether the command line takes it, without a call: a skeleton of its input is all that is made. */
  async function parse(args: readonly string[], question: string): Promise<{ status: number | null; stderr: string }> {
    const env = { PATH: process.env['PATH'], AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', PAGER: 'cat' };
    const { status, stderr } = await finished(spawn(program, [...args, question], { env }));
    return { status, stderr };
  }

  for (const command of inlineCommands()) {
    it(`is one with flags that are: ${command}`, async () => {
      const args = withValues(command);
      const asked = isWait(command) ? parse(args.slice(0, 3), 'help') : parse(args, '--generate-cli-skeleton');

      assert.deepEqual(await asked, { status: 0, stderr: '' });
    });
  }

  it('is refused for a flag that is none', async () => {
    const { status, stderr } = await parse(
      ['sqs', 'purge-queue', '--queue', 'x', '--url', 'y'],
      '--generate-cli-skeleton',
    );

    assert.notEqual(status, 0);
    assert.match(stderr, /Unknown options|required/u);
  });
});
