import { readFlowRun, type FlowRunView } from './prefect-api/inspect.ts';
import type { JsonValue } from './prefect-api/jsonb.ts';
import { heartbeatFlowRun, setFlowRunState, setTaskRunState, writeRunLog } from './prefect-api/seed.ts';
import type { PrefectState } from './prefect-api/state.ts';

/** How a flow's own code ends, and how long it works before, in milliseconds. */
export interface FlowWork {
  readonly workMs: number;
  /**
   * `success`, `failed`: its tasks end so. `exit-1`: the process crashes and writes nothing. `load-error`: the flow
   * cannot be loaded, which the process still reports. `out-of-memory`: the kernel kills it.
   */
  readonly ends: 'success' | 'failed' | 'exit-1' | 'load-error' | 'out-of-memory';
}

export interface FlowProcessOptions {
  readonly state: PrefectState;
  readonly runId: string;
  readonly work: FlowWork;
}

/** What Kubernetes sees of a process that has ended. */
export type ProcessEnd = { readonly kind: 'exited'; readonly exitCode: number } | { readonly kind: 'out-of-memory' };

const heartbeatMs = 30_000;
const cancellationMs = 15_000;
const scheduledStates: ReadonlySet<string> = new Set(['Scheduled', 'Retrying', 'Paused', 'Resume', 'Queued']);
const finishedStates: ReadonlySet<string> = new Set([
  'Success',
  'Cached',
  'Mapped',
  'Skipped',
  'Failed',
  'TimedOut',
  'TriggerFailed',
  'ValidationFailed',
  'Cancelled',
  'Looped',
]);

const exited = (exitCode: number): ProcessEnd => ({ kind: 'exited', exitCode });

/** The Scheduled state that a Submitted one wraps, or the state itself. */
function startTimeOf({ state, serializedState }: FlowRunView): Date | null {
  const inner = state === 'Submitted' ? serializedState['state'] : serializedState;
  if (typeof inner !== 'object' || inner === null || !('start_time' in inner)) return null;
  const { type, start_time: start } = inner;
  const waits = typeof type === 'string' && scheduledStates.has(type);
  return waits && typeof start === 'string' ? new Date(start) : null;
}

/**
 * `prefect execute flow-run` as it looks from outside: what it reads and writes, when, and its exit code
 * (prefect 1.4.1, engine/cloud/flow_runner.py, cli/execute.py, utilities/executors.py). It has no timers: whoever plays
 * the pod starts it and steps it through the time of the world.
 */
export class FlowProcess {
  readonly #options: FlowProcessOptions;
  #startedAt: Date | null = null;
  #nextHeartbeat = 0;
  #nextLook = 0;

  constructor(options: FlowProcessOptions) {
    this.#options = options;
  }

  /** Starts the process. An end at once: there was nothing to do, and nothing was written. */
  start(now: Date): ProcessEnd | null {
    const run = this.#read();
    if (run === null) return exited(1);
    if (finishedStates.has(run.state)) {
      this.#log('Flow run has already finished.', now);
      return exited(0);
    }
    // A process that is early ends without a word; the run stays Submitted.
    if ((startTimeOf(run)?.getTime() ?? 0) > now.getTime()) return exited(0);
    if (this.#options.work.ends === 'load-error') return this.#failToLoad(now);
    this.#begin(run, now);
    return null;
  }

  /** Lets the process live up to `now`. */
  step(now: Date): ProcessEnd | null {
    if (this.#startedAt === null) return null;
    if (now.getTime() >= this.#nextLook) {
      this.#nextLook = now.getTime() + cancellationMs;
      if (this.#read()?.state === 'Cancelling') return this.#stopCancelled(now);
    }
    if (now.getTime() >= this.#nextHeartbeat) this.#beat(now);
    const worked = now.getTime() - this.#startedAt.getTime();
    return worked >= this.#options.work.workMs ? this.#end(now) : null;
  }

  #begin(run: FlowRunView, now: Date): void {
    this.#startedAt = now;
    this.#nextLook = now.getTime() + cancellationMs;
    this.#log(`Beginning Flow run for '${run.name ?? run.id}'`, now);
    this.#beat(now);
    // Every task of a run that is being cancelled is refused; the check at the end then sets Cancelled.
    if (run.state === 'Cancelling') return;
    // Several processes may work on one run: a Running one is taken up without a word.
    if (run.state !== 'Running') this.#set({ type: 'Running', message: 'Running flow.' }, now);
    this.#setTasks({ type: 'Running', message: 'Starting task run.' }, now);
  }

  #beat(now: Date): void {
    this.#nextHeartbeat = now.getTime() + heartbeatMs;
    heartbeatFlowRun(this.#options.state, this.#options.runId, now);
  }

  #end(now: Date): ProcessEnd {
    const { ends } = this.#options.work;
    switch (ends) {
      case 'out-of-memory':
        return { kind: 'out-of-memory' };
      case 'exit-1':
        return exited(1);
      case 'load-error':
        return this.#failToLoad(now);
      case 'success':
      case 'failed':
        return this.#finish(ends, now);
    }
  }

  /** Whoever has set another state meanwhile is overwritten, except a cancel (prefect 1.4.1, engine/cloud/flow_runner.py). */
  #finish(ends: 'success' | 'failed', now: Date): ProcessEnd {
    if (this.#read()?.state === 'Cancelling') return this.#stopCancelled(now);
    const success = ends === 'success';
    const type = success ? 'Success' : 'Failed';
    this.#setTasks({ type, message: success ? 'Task run succeeded.' : 'Unexpected error: ZeroDivisionError()' }, now);
    const message = success ? 'All reference tasks succeeded.' : 'Some reference tasks failed.';
    this.#set({ type, message }, now);
    this.#log(
      success ? 'Flow run SUCCESS: all reference tasks succeeded' : 'Flow run FAILED: some reference tasks failed.',
      now,
    );
    return exited(0);
  }

  #stopCancelled(now: Date): ProcessEnd {
    this.#set({ type: 'Cancelled', message: 'Flow run is cancelled' }, now);
    return exited(0);
  }

  #failToLoad(now: Date): ProcessEnd {
    const message = `Failed to load and execute flow run: ModuleNotFoundError("No module named 'flows'")`;
    this.#set({ type: 'Failed', message }, now);
    this.#log(message, now);
    return exited(1);
  }

  #setTasks(state: JsonValue, now: Date): void {
    for (const task of this.#read()?.taskRuns ?? []) {
      if (!finishedStates.has(task.state)) setTaskRunState(this.#options.state, { taskRunId: task.id, state }, now);
    }
  }

  #read(): FlowRunView | null {
    return readFlowRun(this.#options.state, this.#options.runId);
  }

  #set(state: JsonValue, now: Date): void {
    setFlowRunState(this.#options.state, { runId: this.#options.runId, state }, now);
  }

  #log(message: string, now: Date): void {
    writeRunLog(this.#options.state, { runId: this.#options.runId, message }, now);
  }
}
