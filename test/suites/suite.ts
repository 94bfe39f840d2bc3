import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { versionOfPackage } from '../../infra/local/version.ts';
import { MissingTool } from '../support/missing-tool.ts';

/** What `npm run test:<name>` runs on real parts, and says about itself. */
export interface Suite {
  readonly name: string;
  /** What it shows, from where it takes its parts, and what it wants of the machine. */
  readonly about: string;
  /**
   * Gets the parts, runs the tests and returns their exit status.
   *
   * @throws MissingTool when a part cannot be had
   */
  readonly run: (say: (line: string) => void) => Promise<number>;
}

/** Where a suite's words go, and what it was told. */
export interface Terminal {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly print: (text: string) => void;
  readonly say: (line: string) => void;
}

const flags = {
  required: { type: 'boolean' },
  help: { type: 'boolean' },
  version: { type: 'boolean' },
} as const;

const usage = ({ name, about }: Suite): string => `Usage: npm run test:${name} [-- --required]

${about}

  --required   a missing tool is an error (as with CI set); otherwise the suite says what is missing and is skipped
  --help       this text
  --version    the version

Exit status: 0 when every test passes or the suite is skipped, 1 when one does not, 2 for bad usage, 130 after Ctrl-C.
`;

/** What the command line asks for; a text is all there is to print. Throws for what it does not know. */
function parse(suite: Suite, { args, env }: Terminal): { readonly isRequired: boolean; readonly text: string | null } {
  const { help, version, required } = parseArgs({ args: [...args], options: flags }).values;
  const text = version === true ? `${versionOfPackage()}\n` : null;
  return { isRequired: required === true || (env['CI'] ?? '') !== '', text: help === true ? usage(suite) : text };
}

async function runOrSkip(suite: Suite, isRequired: boolean, { say }: Terminal): Promise<number> {
  return suite.run(say).catch((error: unknown) => {
    if (!(error instanceof MissingTool)) throw error;
    say(`${isRequired ? 'failed' : 'skipped'}: ${error.message}`);
    return isRequired ? 1 : 0;
  });
}

/** The whole of a suite's command: its exit status. */
export async function runSuite(suite: Suite, terminal: Terminal): Promise<number> {
  let wanted;
  try {
    wanted = parse(suite, terminal);
  } catch (error) {
    const [problem = ''] = error instanceof Error ? error.message.split('. ') : [];
    terminal.say(`${problem.replace(/\.$/u, '')}. See --help.`);
    return 2;
  }
  if (wanted.text === null) return runOrSkip(suite, wanted.isRequired, terminal);
  terminal.print(wanted.text);
  return 0;
}

/** This process's own terminal. */
export const thisTerminal: Terminal = {
  args: process.argv.slice(2),
  env: process.env,
  print: (text) => process.stdout.write(text),
  say: (line) => process.stderr.write(`${line}\n`),
};

/** The test files of a folder, folders below it included, in the order of their names. */
export async function testFilesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join(folder, name));
}

/** Runs test files in processes of their own, with `env` beside this environment; resolves to the exit status. */
export async function runTests(files: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const args = ['--test', '--test-reporter=spec', ...files];
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  // Ctrl-C ends the tests, and then whatever was started for them, in good order.
  let isInterrupted = false;
  const forward = (signal: NodeJS.Signals): void => {
    isInterrupted = true;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, forward);
  const [code] = (await once(child, 'exit')) as [number | null];
  for (const signal of signals) process.off(signal, forward);
  return isInterrupted ? 130 : (code ?? 1);
}
