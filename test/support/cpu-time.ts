import assert from 'node:assert/strict';

/** Does the work and holds it to so much of this process's own time: what else the machine does is no matter. */
export async function withinCpu<T>(mostMs: number, work: () => T | Promise<T>): Promise<T> {
  const start = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(start);
  const milliseconds = (user + system) / 1_000;
  assert.ok(milliseconds < mostMs, `${milliseconds} ms`);
  return result;
}

export const withinASecond = async <T>(work: () => T | Promise<T>): Promise<T> => withinCpu(1_000, work);
