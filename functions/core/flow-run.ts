import type { JsonObject, Json } from './json.ts';

export type FlowRunId = string & { readonly brand: 'FlowRunId' };

/** One row of `flow_run_state`: append-only, written by whoever set a state. */
export interface StateRow {
  readonly id: string;
  readonly version: number;
  /** Class name of the state, e.g. `Scheduled` (prefect 1.4.1, engine/state.py). */
  readonly state: string;
  /** The database's clock, microseconds since the epoch: rows of one batch differ by less than a millisecond. */
  readonly createdMicros: number;
  readonly message: string | null;
  /** The whole state as the server serialised it; `context` in it survives the round trip. */
  readonly serializedState: JsonObject;
}

/** The flow a run belongs to, as far as a Job needs it. `storage` is read by the job spec, and null like `runConfig`. */
export interface FlowOfRun {
  readonly id: string;
  readonly name: string | null;
  readonly coreVersion: string | null;
  readonly storage: Json;
  /** `flow_group.settings`: `heartbeat_enabled`, `lazarus_enabled`. */
  readonly settings: JsonObject;
}

/** A flow run as read from the API, with its whole history. */
export interface FlowRun {
  readonly id: FlowRunId;
  readonly name: string | null;
  readonly version: number;
  readonly state: string;
  readonly serializedState: JsonObject;
  readonly labels: readonly string[];
  readonly scheduledStartTime: Date | null;
  readonly heartbeat: Date | null;
  readonly timesResurrected: number;
  /**
   * Untouched JSON: the job spec parses it, and a run with an unreadable one ends Failed with the reason. Null where the
   * read did not ask for it.
   */
  readonly runConfig: Json;
  readonly flow: FlowOfRun;
  /** How many task runs are in a scheduled state whose start time has passed by 3 s (peer's buffer) at the read. */
  readonly dueTaskRuns: number;
  /**
   * How many task runs wait in a scheduled state (Scheduled, Paused, Resume, Retrying, Queued) at all, due or not: with
   * one of them a Running run without a pod is normal. Read with the same nested `task_runs`.
   */
  readonly waitingTaskRuns: number;
  readonly history: readonly StateRow[];
  /** Marks of the cluster events that its run log holds already; empty where they were not asked for. */
  readonly eventMarks: readonly string[];
}

/** The finished family of prefect 1.4.1, engine/state.py. */
const finishedStates: ReadonlySet<string> = new Set([
  'Finished',
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

/** True when nothing follows a state of this class by itself. */
export function isFinished(state: string): boolean {
  return finishedStates.has(state);
}
