import { execFile } from 'node:child_process';
import { access, mkdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import type { Launch } from '../support/lambda-container.ts';

const run = promisify(execFile);

/**
 * The heap that V8 chooses by itself where it finds 512 MB or less, as in a small function: at most 259 MB, and a young
 * generation that hardly grows (Node 24 in a memory cgroup of 256 and of 512 MB, v8.getHeapStatistics()). On a larger machine
 * it lets garbage stand until it fills several times as much.
 */
const heap = ['--max-heap-size=259'];

/** With the heap of a small function, and no other limit. */
export const withSmallHeap: Launch = { execPath: process.execPath, execArgv: heap };

/** A shell that does something to itself and then becomes Node, which keeps its process, limits and channel. */
const shell = (command: string): Launch => ({
  execPath: '/bin/sh',
  execArgv: ['-c', `${command} && exec "$0" "$@"`, process.execPath, ...heap],
});

/** At most so many open files and sockets, as Lambda allows 1,024. */
export const withDescriptors = (count: number): Launch => shell(`ulimit -n ${count}`);

/** Processes with a share of one CPU. Dispose of it when they are gone. */
export interface CpuShare extends AsyncDisposable {
  readonly launch: Launch;
  /** What holds them to it. */
  readonly by: string;
}

const periodMicros = 100_000;

/** Where the kernel shares CPU out: version 2 of cgroups, or 1. */
const hierarchies = [
  {
    by: 'cgroup v2, cpu.max',
    root: '/sys/fs/cgroup',
    needs: 'cgroup.controllers',
    files: (quota: number) => ({ 'cpu.max': `${quota} ${periodMicros}` }),
  },
  {
    by: 'cgroup v1, cpu.cfs_quota_us',
    root: '/sys/fs/cgroup/cpu',
    needs: 'cpu.cfs_quota_us',
    files: (quota: number) => ({ 'cpu.cfs_period_us': String(periodMicros), 'cpu.cfs_quota_us': String(quota) }),
  },
] as const;

async function byCgroup(share: number, { by, root, needs, files }: (typeof hierarchies)[number]): Promise<CpuShare> {
  await access(path.join(root, needs));
  const group = path.join(root, `bench-${process.pid}`);
  await mkdir(group);
  const remove = async (): Promise<void> => rmdir(group);
  try {
    for (const [file, text] of Object.entries(files(Math.round(share * periodMicros))))
      await writeFile(path.join(group, file), text);
  } catch (error) {
    await remove();
    throw error;
  }
  return { by, launch: shell(`echo $$ > ${group}/cgroup.procs`), [Symbol.asyncDispose]: remove };
}

/** Stops and continues the process, which is what there is without the right to make groups. */
async function byCpulimit(share: number): Promise<CpuShare> {
  const { stdout } = await run('/bin/sh', ['-c', 'command -v cpulimit']);
  const percent = Math.round(share * 100);
  const launch: Launch = {
    execPath: stdout.trim(),
    execArgv: ['--quiet', '--lazy', '--foreground', `--limit=${percent}`, '--', process.execPath, ...heap],
  };
  return { by: 'cpulimit', launch, [Symbol.asyncDispose]: async () => undefined };
}

/** Holds processes to a share of one CPU, by the first means that this machine allows; else the reasons why none does. */
export async function withCpuShare(share: number): Promise<CpuShare | string> {
  const reasons: string[] = [];
  const means = [...hierarchies.map((each) => async () => byCgroup(share, each)), async () => byCpulimit(share)];
  for (const attempt of means) {
    try {
      return await attempt();
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  return reasons.join('; ');
}
