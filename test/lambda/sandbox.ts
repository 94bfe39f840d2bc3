import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import path from 'node:path';

import { heapFlags } from '../support/lambda-heap.ts';

/** What Lambda is told about a function, and what it tells the function's process. */
export interface FunctionSettings {
  readonly name: string;
  /** As in serverless.yml, such as `dist/dispatch/index.handler`. */
  readonly handler: string;
  /** Where the package was unpacked. */
  readonly taskRoot: string;
  /** Entry file of the runtime client. */
  readonly runtimeClient: string;
  readonly env: Readonly<Record<string, string>>;
}

const memoryMb = 512;

/** Node's limits in a function of that size, as the managed runtime sets them. */
const nodeFlags = [
  '--expose-gc',
  '--max-http-header-size=81920',
  ...heapFlags(memoryMb),
  `--require=${path.join(import.meta.dirname, 'native-client.cjs')}`,
];

/** Variables that Lambda reserves (docs.aws.amazon.com/lambda, "Defined runtime environment variables"). */
const reserved = ({ name, handler, taskRoot }: FunctionSettings): Readonly<Record<string, string>> => ({
  _HANDLER: handler,
  LANG: 'en_US.UTF-8',
  TZ: ':UTC',
  LAMBDA_TASK_ROOT: taskRoot,
  LAMBDA_RUNTIME_DIR: '/var/runtime',
  AWS_LAMBDA_FUNCTION_NAME: name,
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
  AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
  AWS_LAMBDA_LOG_STREAM_NAME: '2026/03/01/[$LATEST]0',
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  AWS_LAMBDA_LOG_FORMAT: 'JSON',
  AWS_LAMBDA_LOG_LEVEL: 'INFO',
  AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
});

/** The process of a function, between its cold start and the moment Lambda throws it away. */
export class Sandbox {
  readonly #child: ChildProcess;
  #isFrozen = false;

  /** Starts the process; every line that it writes goes to `log`, and how it ended to `onExit`, once. */
  constructor(
    settings: FunctionSettings,
    runtimeApi: string,
    on: { readonly log: (line: string) => void; readonly exit: (how: string) => void },
  ) {
    this.#child = spawn(process.execPath, [...nodeFlags, settings.runtimeClient], {
      cwd: settings.taskRoot,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...settings.env, ...reserved(settings), AWS_LAMBDA_RUNTIME_API: runtimeApi },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream as Readable }).on('line', on.log);
    }
    // `close` comes after the last line.
    this.#child.once('close', (code: number | null, signal: string | null) => {
      on.exit(code === null ? `signal: ${signal}` : `exit status ${code}`);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** As between invocations: nothing of it runs, and its clock goes on. */
  freeze(): void {
    this.#isFrozen = this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    if (this.#isFrozen) this.#child.kill('SIGCONT');
    this.#isFrozen = false;
  }

  /** Not a moment's notice: that is how Lambda does it. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
