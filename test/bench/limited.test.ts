import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

import { withDescriptors, withSmallHeap } from './limited.ts';

/** What a process that was started so says of its limit. */
function limitOf(count: number): string {
  const { execPath, execArgv } = withDescriptors(count);
  const print = 'process.report.getReport().userLimits.open_files.soft.toString()';
  const { stdout, stderr } = spawnSync(execPath, [...execArgv, '-p', print], { encoding: 'utf8' });
  return `${stdout.trim()}${stderr}`;
}

describe('a process with so many descriptors', () => {
  it('has these and no more', () => {
    assert.equal(limitOf(300), '300');
    assert.equal(limitOf(1_024), '1024');
  });
});

describe('a process with the heap of a small function', () => {
  it('has what V8 gives it there', () => {
    const { execPath, execArgv } = withSmallHeap;
    const print = 'Math.round(v8.getHeapStatistics().heap_size_limit / 1024 / 1024)';
    const { stdout } = spawnSync(execPath, [...execArgv, '-p', print], { encoding: 'utf8' });
    assert.equal(stdout.trim(), '259');
  });
});
