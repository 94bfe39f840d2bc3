import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A child process with its log in a file. */
export interface Child {
  readonly name: string;
  /** Null while it runs, else how it ended. */
  ended(): string | null;
  lastLines(): Promise<string>;
  /** SIGTERM, and SIGKILL after five seconds; resolves when it is gone. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

const graceMs = 5_000;

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await gone;
  clearTimeout(killer);
}

function endingOf({ exitCode, signalCode }: ChildProcess): string | null {
  if (exitCode === null && signalCode === null) return null;
  return String(exitCode ?? signalCode);
}

/** Starts a program with its output in `<folder>/<name>.log` and nothing of our environment but the path. */
export function startChild(path: string, args: readonly string[], folder: string): Child {
  const name = basename(path);
  const log = join(folder, `${name}.log`);
  const file = openSync(log, 'a');
  const env = { PATH: process.env['PATH'], HOME: folder };
  const child = spawn(path, args, { stdio: ['ignore', file, file], env });
  closeSync(file);
  return {
    name,
    ended: () => endingOf(child),
    lastLines: async () => (await readFile(log, 'utf8')).split('\n').slice(-15).join('\n'),
    stop: async (signal = 'SIGTERM') => end(child, signal),
  };
}

/** Waits until `check` is true; fails with the child's last words when it ends, or after a minute. */
export async function waitUntil(what: string, child: Child, check: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await delay(50)) {
    if (await check().catch(() => false)) return;
    if (child.ended() !== null) throw new Error(`${child.name} ended (${child.ended()}):\n${await child.lastLines()}`);
  }
  throw new Error(`${what}: not within a minute\n${await child.lastLines()}`);
}

/** Ports that were free a moment ago. All are held at once, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map(async (server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(
    servers.map(async (server) => {
      server.close();
      await once(server, 'close');
    }),
  );
  return ports;
}
