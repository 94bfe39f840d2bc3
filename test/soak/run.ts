import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';

import { versionOfPackage } from '../../infra/local/version.ts';
import { parseOptions, usage, UsageError, type SoakOptions } from './options.ts';
import { addSeed, emptyTally, exitStatus, type SeedResult, type Tally } from './tally.ts';
import { unhit } from './unhit.ts';

const write = (text: string): void => void process.stdout.write(text);

interface Progress {
  tally: Tally;
  next: number;
}

/** Hands a worker one seed after the other until there are none; rejects when it dies. */
function feed(worker: ChildProcess, options: SoakOptions, progress: Progress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = options.seed + options.seeds;
  const give = (): void => {
    if (progress.next >= end) {
      worker.disconnect();
      resolve();
      return;
    }
    worker.send({ seed: progress.next, runs: options.runs, hours: options.hours });
    progress.next += 1;
  };
  worker.on('message', (result: SeedResult) => {
    progress.tally = addSeed(progress.tally, result);
    report(result, options);
    give();
  });
  worker.on('exit', (code) => reject(new Error(`a worker ended with status ${code}`)));
  give();
  return promise;
}

function report({ seed, failure }: SeedResult, { json }: SoakOptions): void {
  if (failure === null) return;
  const { told, ...rest } = failure;
  write(json ? `${JSON.stringify({ event: 'violation', seed, ...rest })}\n` : told);
}

/** In production graphql 14 asks of an object once what it is; else it looks for a second copy of itself each time. */
const startWorker = (): ChildProcess =>
  fork(new URL('worker.ts', import.meta.url), { env: { ...process.env, NODE_ENV: 'production' } });

async function soak(options: SoakOptions, signal: AbortSignal): Promise<Tally> {
  const progress: Progress = { tally: emptyTally, next: options.seed };
  const count = Math.min(options.seeds, options.workers ?? availableParallelism());
  const workers = Array.from({ length: count }, startWorker);
  const stop = (): void => workers.forEach((worker) => worker.kill('SIGKILL'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.all(workers.map((worker) => feed(worker, options, progress)));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stop();
  }
  return progress.tally;
}

function begin({ seed, seeds, json }: SoakOptions): void {
  const event = 'soak_started';
  write(json ? `${JSON.stringify({ event, seed, seeds })}\n` : `${seeds} seeds from ${seed} on\n`);
}

/** @throws Error of a whole soak that left something out: it has found no violation, and has not looked everywhere. */
function assertComplete(tally: Tally): void {
  const left = unhit(tally);
  if (left.length > 0)
    throw new Error(
      `Neither these seeds nor a named scenario of test/soak/named-scenarios.ts hit: ${left.join(', ')}.`,
    );
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.kind !== 'soak') {
    write(options.kind === 'help' ? usage : `${versionOfPackage()}\n`);
    return 0;
  }
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  begin(options);
  const tally = await soak(options, controller.signal);
  write(`${JSON.stringify(tally)}\n`);
  const status = exitStatus(tally, controller.signal.aborted);
  if (options.complete && status === 0) assertComplete(tally);
  return status;
}

// Whoever reads our output may stop reading.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}${isUsage ? ' See --help.' : ''}\n`);
  // A simulation that breaks has found no violation, and has not passed either.
  process.exitCode = isUsage ? 2 : 70;
}
