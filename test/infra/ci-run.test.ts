import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

const script = path.join(import.meta.dirname, '../../.ci/run');

/** What each suite prints and how it ends; the others print nothing and pass. */
type Suites = Readonly<Record<string, { readonly prints: string; readonly exit?: number }>>;

describe('.ci/run', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'ci-'));
    mkdirSync(path.join(folder, '.ci'));
    copyFileSync(script, path.join(folder, '.ci/run'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs the script with an npm that plays the suites; a suite is known by a word of its command. */
  function run(suites: Suites): { readonly status: number | null; readonly lines: readonly string[] } {
    const cases = Object.entries(suites).map(
      ([word, { prints, exit = 0 }]) => `  *" ${word} "*) printf '${prints}\\n'; exit ${exit};;`,
    );
    const npm = ['#!/usr/bin/env bash', 'case " $* " in', ...cases, 'esac', ''].join('\n');
    writeFileSync(path.join(folder, 'npm'), npm, { mode: 0o755 });
    const env = { PATH: `${folder}:/usr/bin:/bin` };
    const { status, stdout } = spawnSync('bash', [path.join(folder, '.ci/run')], { env, encoding: 'utf8' });
    return { status, lines: stdout.trimEnd().split('\n') };
  }

  it('adds up both forms of closing lines, coloured or not, and passes', () => {
    const tests = '\\033[34mℹ pass 10\\033[39m\\nℹ fail 0';
    const { status, lines } = run({ test: { prints: tests }, 'test:prefect': { prints: '# pass 7\\n# fail 0' } });

    assert.equal(lines.at(-1), '17 passed, 0 failed');
    assert.equal(status, 0);
  });

  it('goes on after a suite that fails, and fails in the end', () => {
    const { status, lines } = run({
      'test:kubernetes': { prints: 'ℹ pass 3\\nℹ fail 0' },
      'test:prefect': { prints: '# pass 7\\n# fail 0' },
      test: { prints: 'ℹ pass 10\\nℹ fail 2', exit: 1 },
    });

    assert.equal(lines.at(-1), '20 passed, 2 failed');
    assert.equal(status, 1);
    assert.ok(lines.some((line) => /^== Kubernetes: passed after \d+ s$/u.test(line)));
    assert.ok(lines.some((line) => /^== tests: FAILED after \d+ s$/u.test(line)));
  });

  it('counts a suite that died before its first test as one failure', () => {
    const { status, lines } = run({ 'test:kubernetes': { prints: 'no Go here', exit: 3 } });

    assert.equal(lines.at(-1), '0 passed, 1 failed');
    assert.equal(status, 1);
  });

  it('says at the end what failed, however much was printed since', () => {
    const { lines } = run({
      test: { prints: 'chatter\\n✖ early\\nℹ pass 1\\nℹ fail 1\\n✖ failing tests:\\n✖ a test of it', exit: 1 },
      soak: { prints: 'seed 7 violates F', exit: 1 },
      'test:kubernetes': { prints: 'ℹ pass 300' },
    });
    const last = lines.slice(lines.findIndex((line) => line.startsWith('== Kubernetes: passed')) + 1);

    assert.deepEqual(
      last.filter((line) => line !== ''),
      [
        '== FAILED: tests: npm test',
        '✖ failing tests:',
        '✖ a test of it',
        '== FAILED: soak, fixed seeds: npm run --silent soak -- --seed 1 --seeds 150 --complete',
        'seed 7 violates F',
        last.find((line) => line.startsWith('== FAILED: soak, fresh seeds')),
        'seed 7 violates F',
        '301 passed, 3 failed',
      ],
    );
  });

  it('does not count what a test prints about other runs', () => {
    const { lines } = run({ 'test:prefect': { prints: '    # pass 100\\n# pass 7 of 9\\n# pass 7\\n# fail 0' } });

    assert.equal(lines.at(-1), '7 passed, 0 failed');
  });
});
