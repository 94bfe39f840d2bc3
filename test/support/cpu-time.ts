import assert from 'node:assert/strict';

/** Does the work and holds it to a second of this process's own time: what else the machine does is no matter. */
export async function withinASecond<T>(work: () => T | Promise<T>): Promise<T> {
  const start = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(start);
  const milliseconds = (user + system) / 1_000;
  assert.ok(milliseconds < 1_000, `${milliseconds} ms`);
  return result;
}
