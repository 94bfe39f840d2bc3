import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { kubeconfigText } from '../../../infra/local/kubernetes-api/start.ts';
import type { Lab } from '../lab/start.ts';

const run = promisify(execFile);

/** What the real agent answers when its work is done. */
export interface PeerDone {
  readonly ms: number;
  readonly cpuMs: number;
  /** How many Jobs that was for. */
  readonly jobs: number;
}

/** What no work here takes. */
const limitMs = 120_000;

/** Runs the real agent of Prefect 1.4.1 in a fresh process against the servers of a lab: creates or lists so many Jobs. */
export async function runPeer(
  python: string,
  lab: Lab,
  work: { act: 'create' | 'list'; jobs: number },
): Promise<PeerDone> {
  const home = await mkdtemp(path.join(tmpdir(), 'peer-'));
  try {
    const kubeconfig = path.join(home, 'kubeconfig');
    const { kubernetes: server, caPem, prefect } = lab.urls;
    await writeFile(kubeconfig, kubeconfigText({ server, caPem, user: 'agent', token: 'bench-token' }), {
      mode: 0o600,
    });
    const { stdout } = await run(
      python,
      [path.join(import.meta.dirname, 'peer_agent.py'), work.act, String(work.jobs)],
      {
        cwd: home,
        env: {
          HOME: home,
          KUBECONFIG: kubeconfig,
          PREFECT__BACKEND: 'server',
          PREFECT__CLOUD__API: prefect,
          PREFECT__CLOUD__API_KEY: 'bench-token',
        },
        maxBuffer: 2 ** 26,
        timeout: limitMs,
        killSignal: 'SIGKILL',
      },
    );
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as PeerDone;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
