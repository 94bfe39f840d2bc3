import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';

import { root, trackedThoughIgnored } from './repository.ts';

const hasGit = spawnSync('git', ['--version']).status === 0;

/** A repository with a link `node_modules`, of which git is told to ignore folders alone or whatever has the name. */
function aRepository(t: TestContext, { ignores }: { readonly ignores: string }): string {
  const folder = mkdtempSync(join(tmpdir(), 'tracked-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, '.gitignore'), ignores);
  symlinkSync('elsewhere', join(folder, 'node_modules'));
  for (const args of [
    ['init', '--quiet'],
    ['add', '--all'],
  ])
    spawnSync('git', args, { cwd: folder });
  return folder;
}

describe('what git keeps', () => {
  it('is nothing that it is to ignore', () => {
    assert.deepEqual(trackedThoughIgnored(root), []);
  });

  it('is found out when a link slipped in before its name was ignored', (t) => {
    if (!hasGit) return t.diagnostic('git is not here, and keeps nothing');
    const folder = aRepository(t, { ignores: 'node_modules/\n' });
    assert.deepEqual(trackedThoughIgnored(folder), []);
    writeFileSync(join(folder, '.gitignore'), 'node_modules\n');
    assert.deepEqual(trackedThoughIgnored(folder), ['node_modules']);
  });

  it('is not a link whose name was ignored from the start', (t) => {
    if (!hasGit) return t.diagnostic('git is not here, and keeps nothing');
    assert.deepEqual(trackedThoughIgnored(aRepository(t, { ignores: 'node_modules\n' })), []);
  });
});
