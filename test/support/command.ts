import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';

import { heard } from './heard.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a local command the way its npm script does; `env` is laid over this process's. */
export function startCommand(
  entry: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  const all = { ...process.env, ...env };
  return spawn(process.execPath, ['infra/local/launch.cjs', entry, ...args], { cwd: root, env: all });
}

/** Waits for a command's end, with all that it wrote. */
export async function finished(child: ChildProcessWithoutNullStreams): Promise<Finished> {
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  heard.hear('standard output', stdout);
  heard.hear('standard error', stderr);
  return { status, stdout, stderr };
}

/** The JSON objects of newline-delimited output; throws for anything else. */
export function jsonLines(output: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = output.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
