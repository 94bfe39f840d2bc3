import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';

import { runSuite, testFilesIn, type Suite } from '../suites/suite.ts';
import { MissingTool } from '../support/missing-tool.ts';

const passing: Suite = { name: 'parts', about: 'Takes real parts.', run: async () => 0 };
const lacking: Suite = {
  ...passing,
  run: async () => {
    throw new MissingTool('There is no Go.');
  },
};

/** A suite's command in a terminal of its own: exit status, and what it wrote. */
async function command(suite: Suite, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let printed = '';
  const said: string[] = [];
  const status = await runSuite(suite, {
    args,
    env,
    print: (text) => {
      printed += text;
    },
    say: (line) => said.push(line),
  });
  return { status, printed, said };
}

describe('the command of a suite', () => {
  it("ends with its tests' exit status", async () => {
    assert.equal((await command(passing, [])).status, 0);
    assert.equal((await command({ ...passing, run: async () => 3 }, [])).status, 3);
  });

  it('is skipped over a missing tool, and says which', async () => {
    const { status, said } = await command(lacking, []);

    assert.deepEqual([status, said], [0, ['skipped: There is no Go.']]);
  });

  const insisting = { 'the flag': { args: ['--required'] }, CI: { args: [], env: { CI: 'true' } } };
  for (const [who, { args, ...rest }] of Object.entries(insisting)) {
    it(`fails over a missing tool where ${who} insists`, async () => {
      const { status, said } = await command(lacking, args, 'env' in rest ? rest.env : {});

      assert.deepEqual([status, said], [1, ['failed: There is no Go.']]);
    });
  }

  it('takes an empty CI for none', async () => {
    assert.equal((await command(lacking, [], { CI: '' })).status, 0);
  });

  it('lets any other error pass: it is a defect of the suite', async () => {
    const broken = { ...passing, run: async () => Promise.reject(new Error('no such file')) };

    await assert.rejects(command(broken, []), /no such file/u);
  });

  it('refuses what it does not know before it runs anything', async () => {
    const { status, said } = await command(lacking, ['--requierd']);

    assert.equal(status, 2);
    assert.deepEqual(said, ["Unknown option '--requierd'. See --help."]);
  });

  it('tells what it is, and its version, and runs nothing', async () => {
    const help = await command(lacking, ['--help']);
    const version = await command(lacking, ['--version']);

    assert.match(help.printed, /^Usage: npm run test:parts [\s\S]*Takes real parts\.[\s\S]*--required/u);
    assert.match(version.printed, /^\d+\.\d+\.\d+\n$/u);
    assert.deepEqual([help.status, version.status, help.said, version.said], [0, 0, [], []]);
  });
});

describe('the test files of a suite', () => {
  it('are found in folders below as well, and nothing else is', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'suite-'));
    const below = mkdtempSync(path.join(folder, 'below-'));
    for (const file of ['b.test.ts', 'a.test.ts', 'run.ts']) writeFileSync(path.join(folder, file), '');
    writeFileSync(path.join(below, 'c.test.ts'), '');

    const files = await testFilesIn(folder);
    rmSync(folder, { recursive: true });

    assert.deepEqual(
      files.map((file) => path.basename(file)),
      ['a.test.ts', 'b.test.ts', 'c.test.ts'],
    );
  });
});
