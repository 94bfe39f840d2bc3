import type { RequestKind } from './request-kinds.ts';

/**
 * Everything that will befall a world, as data: the same scenario gives the same history, and a part of it can be left
 * out to see whether the rest still fails. Times are milliseconds from the beginning.
 */

/** What happens to one request of a function. */
export type Effect =
  /** The process dies: before it sent the request, after it took effect, or while it is on its way. */
  | { readonly kind: 'kill-before' | 'kill-after' | 'kill-in-flight' }
  /** The connection dies: before the server saw the request, or after it took effect. */
  | { readonly kind: 'drop-before' | 'drop-after' }
  /** The connection dies, and the request takes effect all the same, much later. */
  | { readonly kind: 'late'; readonly ms: number }
  | { readonly kind: 'slow'; readonly ms: number }
  /** The process is stopped when its answer has come, and goes on afterwards. */
  | { readonly kind: 'freeze'; readonly ms: number }
  /** Nothing is done, and this is the answer. */
  | { readonly kind: 'answer'; readonly status: number; readonly body: string; readonly retryAfter?: number }
  /** It is done, and the answer does not say so; but a refusal of the API server is one. */
  | { readonly kind: 'spoil'; readonly how: Spoil }
  /** Somebody else acts on a run of the request, right before or right after it takes effect. */
  | { readonly kind: 'meanwhile'; readonly act: RunActKind; readonly when: 'before' | 'after' };

export type Spoil =
  | 'cut'
  | 'garbage'
  | 'page'
  | 'null-data'
  | 'partial'
  | 'unreadable-run'
  | 'cancelled-too'
  | 'echo'
  | 'status-504';

export interface Strike {
  /** Row of the fault matrix. */
  readonly row: number;
  readonly on: RequestKind;
  readonly by?: 'dispatch' | 'reconcile';
  readonly notBeforeMs: number;
  /** Matching requests that pass first. */
  readonly passes: number;
  readonly times: number;
  readonly effect: Effect;
}

/** What people and programs do to one run. */
export type RunActKind =
  | 'cancel'
  | 'restart'
  | 'delete-run'
  | 'pause'
  | 'resume'
  | 'delete-job'
  | 'suspend-job'
  | 'resume-job'
  | 'succeed'
  | 'foreign-job'
  | 'work-elsewhere';

/** What befalls the whole world, for a while. */
export type WorldActKind =
  | 'prefect-down'
  | 'prefect-errors'
  | 'prefect-restart'
  | 'lazarus'
  | 'kubernetes-down'
  | 'kubernetes-slow'
  | 'aws-down'
  | 'rbac-missing'
  | 'job-quota'
  | 'pod-quota'
  | 'pod-security'
  | 'reconcile-stopped'
  | 'token-rotated'
  | 'two-dispatches'
  | 'side-by-side'
  | 'stale-event'
  | 'new-version';

export type Act =
  | { readonly row: number; readonly atMs: number; readonly kind: RunActKind; readonly run: number }
  | { readonly row: number; readonly atMs: number; readonly kind: WorldActKind; readonly forMs: number };

/** What a run's pod does; one of these for each pod of the run, in turn. Runs beyond the list work. */
export type Play =
  | { readonly kind: 'works'; readonly ends: WorkEnd; readonly workMs: number; readonly startsAfterMs: number }
  | { readonly kind: 'never-starts'; readonly why: 'image' | 'image-name' | 'config' | 'no-node' }
  | { readonly kind: 'heals'; readonly why: 'image' | 'no-node'; readonly afterMs: number; readonly workMs?: number }
  | { readonly kind: 'preempted-early' | 'preempted' | 'evicted' | 'node-lost' | 'node-returns' };

/** `leave-retry`: a task waits for its retry, and the process ends. `vanish`: exit code 0, and nothing was written. */
export type WorkEnd =
  | 'success'
  | 'failed'
  | 'exit-1'
  | 'out-of-memory'
  | 'load-error'
  | 'leave-retry'
  | 'vanish'
  | 'early';

/** How the run's Job is to look, or what is wrong with its run config. */
export type Shape =
  | 'plain'
  | 'sidecar'
  | 'backoff'
  | 'deadline'
  | 'pod-failure-policy'
  | 'unreadable'
  | 'hostile'
  | 'forbidden-path'
  | 'no-service-account';

export interface RunScript {
  readonly dueAtMs: number;
  readonly shape: Shape;
  readonly plays: readonly Play[];
  /** Lazarus is switched off for its flow. */
  readonly withoutLazarus: boolean;
  /** Labels that no agent of this stack takes. */
  readonly isForeign: boolean;
}

export interface Settings {
  readonly infraRetries: number;
  readonly pendingGraceMs: number;
  readonly imageGraceMs: number;
  readonly skewMs: { readonly dispatch: number; readonly reconcile: number; readonly prefect: number };
  /** Finished Jobs of others in the namespace, so that lists have several pages. */
  readonly crowd: number;
}

export interface Scenario {
  readonly seed: number;
  readonly hours: number;
  readonly settings: Settings;
  readonly runs: readonly RunScript[];
  readonly strikes: readonly Strike[];
  readonly acts: readonly Act[];
}

export const isRunAct = (act: Act): act is Extract<Act, { readonly run: number }> => 'run' in act;
