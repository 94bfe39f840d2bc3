import { BoundaryError } from '../../functions/errors.ts';
import type { LaptopOptions } from '../laptop/options.ts';
import { showLaptopJson, showLaptopText, type LaptopShow } from '../laptop/show.ts';
import { UsageError } from './flag-values.ts';
import { parseOptions, usage, type DemoOptions, type Options } from './options.ts';
import { buildScenario } from './scenario.ts';
import { showJson } from './show-json.ts';
import { showNothing } from './show-nothing.ts';
import { showText, type Screen } from './show-text.ts';
import type { Show } from './show.ts';
import { versionOfPackage } from './version.ts';

const write = (text: string): void => void process.stdout.write(text);

const terminal = (): Screen => ({
  write,
  isTerminal: process.stdout.isTTY,
  colours: process.stdout.isTTY && process.stdout.hasColors(),
  // Asked for each time: windows are resized.
  get columns() {
    return process.stdout.columns;
  },
  get lines() {
    return process.stdout.rows;
  },
});

const plain: Screen = { write, isTerminal: false, colours: false, columns: 0, lines: 0 };

function showFor({ output }: DemoOptions): Show {
  if (output === 'logs') return showNothing;
  if (output === 'json') return showJson(write);
  return showText(process.stdout.isTTY ? terminal() : plain);
}

function laptopShowFor({ output }: LaptopOptions): LaptopShow {
  if (output === 'logs') return showNothing;
  return output === 'json' ? showLaptopJson(write) : showLaptopText(write);
}

const exitStatuses = { SIGINT: 130, SIGTERM: 143 } as const;

/** Aborts at the first Ctrl-C or SIGTERM; a second one ends the process where it stands. */
function interruption(): { readonly signal: AbortSignal; readonly status: () => number } {
  const controller = new AbortController();
  let status = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitStatuses[name]);
      status = exitStatuses[name];
      controller.abort();
    });
  }
  return { signal: controller.signal, status: () => status };
}

type Asked = Exclude<Options, { readonly kind: 'help' | 'version' }>;

// What follows loads both functions with their libraries; help and refusals come at once.
async function work(options: Asked, signal: AbortSignal): Promise<number> {
  switch (options.kind) {
    case 'servers-only': {
      const { runServersOnly } = await import('./servers-only.ts');
      await runServersOnly(options, { write, signal });
      return 0;
    }
    case 'laptop': {
      const { runLaptop } = await import('../laptop/run-laptop.ts');
      return runLaptop(options, { show: laptopShowFor(options), signal, env: process.env });
    }
    case 'demo': {
      const { runDemo } = await import('./demo.ts');
      return runDemo(options, buildScenario(options.runs), { show: showFor(options), signal });
    }
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.kind === 'help') {
    write(usage);
    return 0;
  }
  if (options.kind === 'version') {
    write(`${versionOfPackage()}\n`);
    return 0;
  }
  const { signal, status } = interruption();
  const result = await work(options, signal);
  return status() === 0 ? result : status();
}

// Whoever reads our output may stop reading: `npm start | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError || error instanceof BoundaryError)) throw error;
  process.stderr.write(error instanceof UsageError ? `${error.message} See --help.\n` : `${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
