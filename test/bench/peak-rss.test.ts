import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';

const megabyte = 1024 * 1024;
const peak = path.join(import.meta.dirname, '../support/peak-rss.cjs');

/** Megabytes that a fresh process says it held at most, after `work`. */
function peakOf(work: string): number {
  const script = `${work}; console.log(require(${JSON.stringify(peak)}).peakRssBytes())`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return Number(stdout) / megabyte;
}

describe('the peak of a process', () => {
  it('is its own, however much the process holds that started it', () => {
    const held = Buffer.alloc(300 * megabyte, 1);
    assert.ok(peakOf('') < 150);
    assert.equal(held.at(-1), 1);
  });

  it('has what was given back since', () => {
    assert.ok(peakOf('Buffer.alloc(200 * 1024 * 1024, 1)') > 200);
  });
});
