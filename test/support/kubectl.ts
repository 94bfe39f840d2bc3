import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { finished, type Finished } from './command.ts';

/** kubectl with one kubeconfig, and a home of its own for what it remembers. */
export interface Kubectl extends AsyncDisposable {
  run(args: readonly string[], input?: string): Promise<Finished>;
  readonly kubeconfig: string;
}

/** Writes the kubeconfig into a folder that goes with the disposal. */
export async function openKubectl(binary: string, kubeconfigText: string): Promise<Kubectl> {
  const home = await mkdtemp(join(tmpdir(), 'kubectl-'));
  const kubeconfig = join(home, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigText, { mode: 0o600 });
  return {
    kubeconfig,
    run: async (args, input = '') => {
      const env = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig };
      const child = spawn(binary, args, { env });
      child.stdin.end(input);
      return finished(child);
    },
    [Symbol.asyncDispose]: async () => rm(home, { recursive: true, force: true }),
  };
}
