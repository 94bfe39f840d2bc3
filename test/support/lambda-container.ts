import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { functionLimitMs } from '../../functions/limits.ts';

/** What became of one invocation: the handler's result, or what it threw. */
export interface Invoked {
  readonly result: { readonly function: string; readonly counts: Readonly<Record<string, number>> } | null;
  readonly error: {
    /** Name of its class, which is what Lambda logs as errorType. */
    readonly type: string;
    readonly name: string;
    readonly message: string;
    readonly code?: string;
  } | null;
  /** All that can be reached from what it threw; empty: it threw nothing. */
  readonly thrown: string;
  readonly cpuMs: number;
  /** Of the whole process so far: start and import as well. */
  readonly processCpuMs: number;
  readonly peakRssBytes: number;
  /** Node has loaded its own undici: the first touch of `fetch`, `Headers`, `Request` or `Response` does that. */
  readonly hasLoadedUndici: boolean;
  readonly ms: number;
}

/** How a container came up. */
export interface Started {
  readonly importMs: number;
  readonly rssBytes: number;
}

/** A function in a process of its own; the environment is all that it is given. */
export interface LambdaContainer extends AsyncDisposable {
  readonly started: Started;
  /** A tick; the second one in a container is a warm one. */
  invoke(): Promise<Invoked>;
  /** An event of an operator's, as `serverless invoke -d` sends it; the result as it is. */
  send<T>(event: object): Promise<T>;
  /** SIGKILL, and waits until the process is gone. What it was asked then rejects. */
  kill(): Promise<void>;
  /** Ends the process; everything it wrote, line by line, errors last. Throws when something keeps it alive. */
  end(): Promise<readonly string[]>;
}

/** Through what a container's process is started: a program that sets limits and becomes Node. */
export interface Launch {
  readonly execPath: string;
  readonly execArgv: readonly string[];
}

/** The next message; an error that carries what the process said last when it ends instead. */
async function messageFrom<T>(child: ChildProcess, complaints: Promise<string>): Promise<T> {
  const ended = once(child, 'exit').then(async () => {
    throw new Error(`The container ended: ${await complaints}`);
  });
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [T];
  return message;
}

const plainly: Launch = { execPath: process.execPath, execArgv: [] };

/** Loads the bundle at `file` as Lambda would: with these variables, and log settings as serverless.yml has them. */
export async function startContainer(
  file: string,
  env: Readonly<Record<string, string>>,
  { execPath, execArgv }: Launch = plainly,
): Promise<LambdaContainer> {
  const lambda = { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'INFO', AWS_LAMBDA_FUNCTION_NAME: 'local' };
  const child = fork(path.join(import.meta.dirname, 'lambda-container.cjs'), [file], {
    env: { ...lambda, ...env },
    execPath,
    execArgv: [...execArgv],
    silent: true,
  });
  const output = text(child.stdout ?? Readable.from([]));
  const complaints = text(child.stderr ?? Readable.from([]));
  const exited = once(child, 'exit');
  const started = await messageFrom<Started>(child, complaints);
  let invocations = 0;
  const send = async <T>(event: object): Promise<T> => {
    invocations += 1;
    child.send({ requestId: `request-${invocations}`, limitMs: functionLimitMs, event });
    return messageFrom<T>(child, complaints);
  };
  const end = async (): Promise<readonly string[]> => {
    if (child.connected) child.disconnect();
    const [code, signal] = (await exited) as [number | null, string | null];
    if (code !== 0 && signal !== 'SIGKILL') throw new Error(`The container ended with ${code}: ${await complaints}`);
    return `${await output}\n${await complaints}`.split('\n').filter((line) => line !== '');
  };
  return {
    started,
    invoke: () => send<Invoked>({}),
    send,
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    end,
    [Symbol.asyncDispose]: async () => {
      await end();
    },
  };
}
