import { spawn } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { ensurePrefectPython } from '../../support/python.ts';

const usage = `Usage: npm run test:prefect -- [--required]

Runs the real Prefect 1.4.1 (Python) against this product: its Kubernetes agent's Job
generator next to ours, and its client against the local servers and our functions.

  --required   a missing Python is an error (also when CI is set); else the suite is skipped
  --help       this text
`;

const root = fileURLToPath(new URL('../../../', import.meta.url));

async function runTests(python: string): Promise<number> {
  const files: string[] = [];
  for await (const file of glob('test/suites/prefect/**/*.test.ts', { cwd: root })) files.push(file);
  const args = ['--test', '--test-reporter=spec', ...files.sort()];
  const tests = spawn(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PREFECT_PYTHON: python },
  });
  return new Promise((resolve) => {
    tests.once('exit', (code) => resolve(code ?? 1));
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { required: { type: 'boolean' }, help: { type: 'boolean' } } });
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const found = await ensurePrefectPython();
  if ('python' in found) return runTests(found.python);
  const isRequired = values.required === true || (process.env['CI'] ?? '') !== '';
  process.stderr.write(`${isRequired ? 'failed' : 'skipped'}: ${found.missing}\n`);
  return isRequired ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  process.exitCode = 2;
}
