import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

import { freePorts } from '../../kube/child.ts';
import { ensureAwsPython } from '../../support/python.ts';

/** The services that a deployment, its functions and its removal speak to. */
const services =
  's3,sts,iam,lambda,logs,events,cloudformation,cloudwatch,monitoring,secretsmanager,eks,sqs,sns,ecr,kms';

export interface Emulator extends AsyncDisposable {
  readonly url: string;
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/_ministack/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}

/**
 * AWS on loopback, with IAM policies in force where AUTH is `true` in `env`. Functions inherit `env`, as the emulator hands
 * its own environment on.
 *
 * @throws Error with its last words when it does not come up
 */
export async function startEmulator(env: Readonly<Record<string, string>>): Promise<Emulator> {
  const python = await ensureAwsPython();
  const folder = await mkdtemp(path.join(tmpdir(), 'aws-'));
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(python, ['-m', 'ministack'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...env,
      // Functions run under the `node` that is found first.
      PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: folder,
      TMPDIR: folder,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      IOT_MTLS_ENABLED: '0',
      SFTP_ENABLED: '0',
      SERVICES: services,
      S3_DATA_DIR: path.join(folder, 's3'),
      STATE_DIR: path.join(folder, 'state'),
    },
  });
  const gone = once(child, 'exit');
  const complaints = text(child.stderr);
  for (const deadline = performance.now() + 60_000; !(await isReady(url)); await delay(50)) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`The emulator did not come up: ${await complaints}`);
    }
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await Promise.race([gone, delay(5_000, undefined, { ref: false })]);
    child.kill('SIGKILL');
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  return { url, [Symbol.asyncDispose]: stop };
}
