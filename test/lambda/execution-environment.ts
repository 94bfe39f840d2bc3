import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { Mailbox } from './mailbox.ts';
import { Sandbox, type FunctionSettings } from './sandbox.ts';

/** What the invoker gets to see. */
export type Outcome =
  | { readonly kind: 'response'; readonly payload: unknown }
  | { readonly kind: 'error'; readonly errorType: string; readonly errorMessage: string };

export interface Invoked {
  readonly requestId: string;
  /** The process was started for this invocation. */
  readonly isCold: boolean;
  readonly outcome: Outcome;
}

export interface LambdaService {
  /** Time of the world: what the function's own clock shows, and what deadlines are given in. */
  readonly now: () => Date;
  /** As in serverless.yml, in milliseconds of the machine; default 50 s. */
  readonly timeLimitMs?: number;
  /** Lambda's limit of the init phase is 10 s. */
  readonly initLimitMs?: number;
}

/** What is heard of a process: it waits for an event, it has answered one, or there is an end to it. */
type Report =
  | { readonly kind: 'next'; readonly poll: http.ServerResponse }
  | { readonly kind: 'answer'; readonly outcome: Outcome }
  | { readonly kind: 'init-error' | 'exit' | 'time-out'; readonly outcome: Outcome };

const failure = (errorType: string, errorMessage: string): Outcome => ({ kind: 'error', errorType, errorMessage });

function failureIn(body: string): Outcome {
  const { errorType, errorMessage } = JSON.parse(body) as { errorType: string; errorMessage: string };
  return failure(errorType, errorMessage);
}

/**
 * One execution environment of a function: Lambda's side of the Runtime API (docs.aws.amazon.com/lambda,
 * "Using the Lambda runtime API") with the real runtime client on the other. It begins cold, stays warm between
 * invocations, and begins anew after a time limit, an exit or a failed init. Two invocations at once need two of it.
 */
export class ExecutionEnvironment implements AsyncDisposable {
  readonly #settings: FunctionSettings;
  readonly #service: Required<LambdaService>;
  readonly #server: http.Server;
  readonly #lines: string[] = [];
  #reports = new Mailbox<Report>();
  #sandbox: Sandbox | null = null;
  #poll: http.ServerResponse | null = null;
  #gone: Promise<unknown> = Promise.resolve();

  private constructor(settings: FunctionSettings, service: LambdaService) {
    this.#settings = settings;
    this.#service = { timeLimitMs: 50_000, initLimitMs: 10_000, ...service };
    this.#server = http.createServer((request, response) => void this.#hear(request, response));
  }

  static async start(settings: FunctionSettings, service: LambdaService): Promise<ExecutionEnvironment> {
    const environment = new ExecutionEnvironment(settings, service);
    environment.#server.listen(0, '127.0.0.1');
    await once(environment.#server, 'listening');
    return environment;
  }

  /** Everything written so far, by every process of this environment; complete after `stop`. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Hands an event to the function, in a new process if there is none, and waits for what becomes of it. */
  async invoke(event: unknown = {}): Promise<Invoked> {
    const requestId = randomUUID();
    this.#sandbox?.thaw();
    const isWarm = this.#sandbox !== null && (await this.#awaitPoll());
    const initFailure = isWarm ? null : await this.#boot();
    const outcome = initFailure ?? (await this.#deliver(requestId, event));
    return { requestId, isCold: !isWarm, outcome };
  }

  /** Stops the process where Lambda would: when the runtime waits for the next event. */
  async freeze(): Promise<void> {
    if (!(await this.#awaitPoll())) throw new Error('There is no process to freeze.');
    this.#sandbox?.freeze();
  }

  /** In the middle of an invocation: the process gets no processor any more, as on a host that is out of breath. */
  starve(): void {
    this.#sandbox?.freeze();
  }

  /** It gets the processor back. */
  thaw(): void {
    this.#sandbox?.thaw();
  }

  /** The time limit of the invocation under way is over, in a world whose time somebody moves. */
  timeOut(): void {
    const seconds = (this.#service.timeLimitMs / 1000).toFixed(2);
    const outcome = failure('Sandbox.Timedout', `Task timed out after ${seconds} seconds`);
    this.#reports.put({ kind: 'time-out', outcome });
  }

  async stop(): Promise<void> {
    this.#discard();
    await this.#gone;
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** The init phase: until the runtime waits for an event. Null when it went well. */
  async #boot(): Promise<Outcome | null> {
    const reports = new Mailbox<Report>();
    this.#reports = reports;
    const { port } = this.#server.address() as AddressInfo;
    const gone = Promise.withResolvers<void>();
    this.#gone = gone.promise;
    this.#sandbox = new Sandbox(this.#settings, `127.0.0.1:${port}`, {
      log: (line) => this.#lines.push(line),
      exit: (how) => {
        reports.put({ kind: 'exit', outcome: failure('Runtime.ExitError', `Runtime exited with error: ${how}`) });
        gone.resolve();
      },
    });
    const limit = setTimeout(() => {
      reports.put({ kind: 'time-out', outcome: failure('Sandbox.Timedout', 'Init phase timed out') });
    }, this.#service.initLimitMs);
    const report = await reports.take();
    clearTimeout(limit);
    return this.#begin(report);
  }

  #begin(report: Report): Outcome | null {
    if (report.kind === 'next') {
      this.#poll = report.poll;
      return null;
    }
    this.#discard();
    return report.outcome;
  }

  /** True once the runtime waits for an event; false when the process has ended instead. */
  async #awaitPoll(): Promise<boolean> {
    if (this.#poll !== null) return true;
    if (this.#sandbox === null) return false;
    return this.#begin(await this.#reports.take()) === null;
  }

  async #deliver(requestId: string, event: unknown): Promise<Outcome> {
    const { now, timeLimitMs } = this.#service;
    const { name } = this.#settings;
    const sentAt = now().getTime();
    this.#poll?.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': requestId,
      'lambda-runtime-deadline-ms': String(Math.trunc(sentAt + timeLimitMs)),
      'lambda-runtime-trace-id': 'Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0',
      'lambda-runtime-invoked-function-arn': `arn:aws:lambda:us-east-1:123456789012:function:${name}`,
      'world-time-ms': String(sentAt),
    });
    this.#poll?.end(JSON.stringify(event));
    this.#poll = null;
    const limit = setTimeout(() => this.timeOut(), timeLimitMs);
    const report = await this.#reports.take();
    clearTimeout(limit);
    if (report.kind === 'next') throw new Error('The runtime asked for an event before it answered one.');
    if (report.kind !== 'answer') this.#discard();
    return report.outcome;
  }

  #discard(): void {
    this.#sandbox?.kill();
    this.#sandbox = null;
    this.#poll = null;
  }

  async #hear(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const reports = this.#reports;
    const [, phase, what, end] =
      /^\/2018-06-01\/runtime\/(init|invocation)\/([^/]+)\/?(\w*)$/u.exec(request.url ?? '') ?? [];
    if (phase === 'invocation' && what === 'next') {
      reports.put({ kind: 'next', poll: response });
      return;
    }
    const body = await text(request);
    response.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"OK"}');
    if (phase === 'init') reports.put({ kind: 'init-error', outcome: failureIn(body) });
    else if (end === 'error') reports.put({ kind: 'answer', outcome: failureIn(body) });
    else reports.put({ kind: 'answer', outcome: { kind: 'response', payload: JSON.parse(body) as unknown } });
  }
}
