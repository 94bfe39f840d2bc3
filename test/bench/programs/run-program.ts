import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

import type { Done, Task } from './contract.ts';

/** Runs a program of this folder in a fresh process. */
export async function runProgram(name: 'fan-out' | 'lists' | 'paced', task: Task): Promise<Done> {
  const child = fork(path.join(import.meta.dirname, `${name}.ts`), [JSON.stringify(task)], { execArgv: [] });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const failed = exited.then(([code]) => {
    throw new Error(`The program ${name} (${task.way}) ended with ${code}.`);
  });
  failed.catch(() => undefined);
  const [done] = (await Promise.race([once(child, 'message'), failed])) as [Done];
  await exited;
  return done;
}
