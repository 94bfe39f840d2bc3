import { peakRssBytes } from '../../support/peak-rss.cjs';
import type { Done, Task } from './contract.ts';

const milliseconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1_000;

/** Does the task of this process, measures it, and tells whoever started the process. */
export async function measured(work: (task: Task) => Promise<readonly number[]>): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? '{}') as Task;
  const before = process.memoryUsage.rss();
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const latencies = await work(task);
  const done: Done = {
    ms: performance.now() - begun,
    cpuMs: milliseconds(process.cpuUsage(cpu)),
    grownBytes: Math.max(0, peakRssBytes() - before),
    peakRssBytes: peakRssBytes(),
    latencies,
  };
  process.send?.(done, () => process.disconnect());
}

/** Works through the items, so many at a time, and says how long each took. */
export async function timedEach<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<readonly number[]> {
  const latencies: number[] = [];
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) {
      const begun = performance.now();
      await work(item);
      latencies.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return latencies;
}
