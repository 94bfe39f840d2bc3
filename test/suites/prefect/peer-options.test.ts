import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { peerOptions } from '../../../infra/readme/peer-options.ts';
import { startMachine } from './machine.ts';

/** Options at the beginning of a line of click's help, `-k, --key TEXT`; each but `--help`. */
const optionsIn = (help: string): string[] =>
  [...help.matchAll(/^ {2}(-[\w-]+(?:, --[\w-]+)?)/gmu)]
    .map(([, option = '']) => option)
    .filter((option) => option !== '-h, --help');

describe('the migration guide', () => {
  for (const command of ['start', 'install'] as const) {
    it(`maps each option that the real agent has for ${command}, and none that it has not`, async () => {
      await using machine = await startMachine();

      const { status, stdout, stderr } = await machine.run(['prefect', 'agent', 'kubernetes', command, '--help'], {});

      assert.equal(status, 0, stderr);
      const mapped = peerOptions.filter((row) => row.command === command).map(({ option }) => option);
      assert.deepEqual(mapped, optionsIn(stdout));
    });
  }
});
