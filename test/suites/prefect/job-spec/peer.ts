import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { PeerAnswer, PeerCase } from './case.ts';

const script = fileURLToPath(new URL('peer.py', import.meta.url));

/** The real KubernetesAgent in a Python process that lives as long as the object. */
export interface Peer extends AsyncDisposable {
  ask(one: PeerCase): Promise<PeerAnswer>;
}

/**
 * Starts the peer. Its home is an empty temporary directory and its environment holds nothing of ours, because the
 * agent takes defaults from both.
 */
export async function startPeer(python: string): Promise<Peer> {
  const home = await mkdtemp(join(tmpdir(), 'peer-'));
  const env = { HOME: home, PATH: process.env['PATH'] ?? '', PYTHONIOENCODING: 'utf-8' };
  const child = spawn(python, [script], { env, cwd: home, stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-4_000);
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    ask: async (one) => {
      child.stdin.write(`${JSON.stringify(one)}\n`);
      const line = await answers.next();
      if (line.done === true) throw new Error(`the peer ended: ${complaints}`);
      return JSON.parse(line.value) as PeerAnswer;
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await exited;
      await rm(home, { recursive: true, force: true });
    },
  };
}
