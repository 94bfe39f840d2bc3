import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { wholeOf, UsageError } from '../../infra/local/flag-values.ts';
import { versionOfPackage } from '../../infra/local/version.ts';
import { runTests } from '../suites/suite.ts';
import { fixedSeed } from './edges.ts';

const usage = `Usage: npm run test:fuzz -- [--cases N] [--seed S]

Sends every parser at an edge of the functions what a liar would: rows and answers of Prefect, objects and refusals of the
API server, their bytes, answers of AWS, run configs, templates and whoever holds them, variables, kubeconfigs and plugins, params
and events. Half of the cases are those of a fixed seed,
the other half of a fresh one. Memory is that of the functions, 256 MB; a case that takes two seconds of CPU has failed.

  --cases N   how many in all (default: 100000)
  --seed S    the second seed, to see again what failed (default: a fresh one, which is printed)
  --help      this text
  --version   the version

Exit status: 0 when every case holds, 1 when one does not, 2 for bad usage, 130 after Ctrl-C.
`;

interface Wanted {
  readonly cases: number;
  readonly seed: number;
  readonly text: string | null;
}

const mostCases = 10_000_000;
const mostSeed = 2 ** 31 - 1;

function wantedBy(args: readonly string[]): Wanted {
  const { cases, seed, help, version } = flagsIn(args);
  return {
    cases: cases === undefined ? 100_000 : wholeOf('cases', cases, mostCases),
    seed: seed === undefined ? randomInt(1, mostSeed) : wholeOf('seed', seed, mostSeed),
    text: help === true ? usage : version === true ? `${versionOfPackage()}\n` : null,
  };
}

function flagsIn(args: readonly string[]) {
  const options = {
    cases: { type: 'string' },
    seed: { type: 'string' },
    help: { type: 'boolean' },
    version: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    const [problem = ''] = cause instanceof Error ? cause.message.split('. ') : [];
    throw new UsageError(`${problem.replace(/\.$/u, '')}. See --help.`, { cause });
  }
}

async function fuzz({ cases, seed, text }: Wanted): Promise<number> {
  if (text !== null) {
    process.stdout.write(text);
    return 0;
  }
  process.stdout.write(`${cases} cases of the seeds ${fixedSeed} and ${seed}; again with --seed ${seed}\n`);
  return runTests([join(import.meta.dirname, 'edges.test.ts')], {
    FUZZ_CASES: String(cases),
    FUZZ_SEEDS: `${fixedSeed},${seed}`,
    NODE_OPTIONS: '--max-old-space-size=256',
  });
}

try {
  process.exitCode = await fuzz(wantedBy(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
