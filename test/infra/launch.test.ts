import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'node:test';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the launcher in this Node, which says that it is another. */
function launchUnder(version: string, ...args: string[]) {
  const versions = JSON.stringify({ ...process.versions, node: version });
  const script = `
    Object.defineProperty(process, 'versions', { value: ${versions} });
    process.argv = [process.argv[0], 'infra/local/launch.cjs', ...${JSON.stringify(args)}];
    require('./infra/local/launch.cjs');`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('launcher', () => {
  it('says in one sentence what to do where the pinned Node is missing', () => {
    const { status, stdout, stderr } = launchUnder('20.20.2', 'infra/local/start.ts', '--version');

    assert.deepEqual([status, stdout], [1, '']);
    assert.match(
      stderr,
      /^This needs Node 24, and 20\.20\.2 is running: `npm ci --ignore-scripts=false` [^\n.]+\.\n$/u,
    );
  });

  it('runs the entry with its own arguments under the pinned Node, and under a newer one', () => {
    for (const version of ['24.0.0', '26.1.0']) {
      const { status, stdout } = launchUnder(version, 'infra/local/start.ts', '--version');

      assert.equal(status, 0);
      assert.match(stdout, /^\d+\.\d+\.\d+\n$/u);
    }
  });
});
