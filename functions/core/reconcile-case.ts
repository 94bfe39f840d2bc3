import { isActive, type ClusterEvent, type JobSnapshot, type PodSnapshot } from './cluster.ts';
import { isFinished, type FlowRun, type FlowRunId, type StateRow } from './flow-run.ts';
import { claimsOf, type ClaimToken } from './history.ts';
import type { EventEntry } from './event-log.ts';
import type { Diagnosis } from './pod-diagnosis.ts';

export interface ReconcilePolicy {
  readonly stackId: string;
  /** Q of the protocol: no Job younger than this is deleted. */
  readonly quietAgeMs: number;
  /** 0: never. */
  readonly pendingGraceMs: number;
  readonly imageGraceMs: number;
  readonly podlessGraceMs: number;
  readonly cancelGraceMs: number;
  readonly ttlSucceededMs: number;
  readonly ttlFailedMs: number;
  readonly deleteFinishedJobs: boolean;
  readonly infraRetries: number;
}

/** What a terminal mark rests on: it goes into the run log and the function's log beside the rule. */
export interface Evidence {
  readonly job_uid: string | null;
  readonly job_phase: string;
  readonly job_reason: string;
  readonly category: string;
  readonly exit_code: number | null;
  readonly before: string;
  readonly before_version: number;
  readonly after: string;
}

/** What is done about one Job or one run. `rule` names the row that decided, `why` is for the log line. */
export type ReconcileAction =
  | {
      readonly kind: 'wait';
      readonly rule: string;
      readonly why: string;
      readonly runId: FlowRunId | null;
      readonly job: JobSnapshot | null;
    }
  | {
      readonly kind: 'heartbeat';
      readonly rule: string;
      readonly why: string;
      readonly run: FlowRun;
      readonly job: JobSnapshot;
    }
  | {
      readonly kind: 'fail-run';
      readonly rule: string;
      readonly why: string;
      readonly run: FlowRun;
      readonly key: string | null;
      /** Null: there is none any more, and that is the reason. */
      readonly job: JobSnapshot | null;
      /** True: the Job could still start; it is deleted once the write is verified. */
      readonly endJob: boolean;
      readonly log: Diagnosis['log'];
      readonly evidence: Evidence;
    }
  | {
      readonly kind: 'log-events';
      readonly rule: string;
      readonly why: string;
      readonly run: FlowRun;
      readonly job: JobSnapshot;
      readonly entries: readonly EventEntry[];
    }
  | { readonly kind: 'cancel-run'; readonly rule: string; readonly why: string; readonly run: FlowRun }
  | {
      readonly kind: 'restore-run';
      readonly rule: string;
      readonly why: string;
      readonly run: FlowRun;
      /** The state that a write of ours covers. */
      readonly row: StateRow;
    }
  | {
      readonly kind: 'delete-job';
      readonly rule: string;
      readonly why: string;
      /** Null: the run does not exist any more. */
      readonly run: FlowRun | null;
      readonly runId: FlowRunId;
      readonly job: JobSnapshot;
      readonly propagation: 'Foreground' | 'Background';
    };

export interface ReconcileInput {
  /** Unfinished runs of this stack, and the runs of its Jobs, all read before or right after the Jobs were listed. */
  readonly runs: ReadonlyMap<FlowRunId, FlowRun>;
  /** Runs that were asked for by id and do not exist: an unreadable run is not one of them. */
  readonly gone: ReadonlySet<FlowRunId>;
  /** Every Job in the namespace that carries a flow run id, whoever made it; a complete list. */
  readonly jobs: readonly JobSnapshot[];
  readonly pods: readonly PodSnapshot[];
  /** False: some Job or pod could not be parsed, and nothing is concluded from an absence. */
  readonly isComplete: boolean;
  readonly events: readonly ClusterEvent[];
  readonly policy: ReconcilePolicy;
  readonly now: Date;
}

/** One Job of ours with all that the rules look at. */
export interface JobCase {
  readonly job: JobSnapshot;
  /** All Jobs of the run, this one included, newest first. */
  readonly siblings: readonly JobSnapshot[];
  readonly runId: FlowRunId;
  readonly run: FlowRun | null;
  readonly gone: boolean;
  readonly token: ClaimToken | null;
  /** The last row that is not ours; null without a run. */
  readonly effective: StateRow | null;
  /** What a write of ours covers, if it does. */
  readonly covered: StateRow | null;
  /** Somebody else has claimed the run since this Job was made. */
  readonly takenOver: boolean;
  readonly diagnosis: Diagnosis;
  readonly policy: ReconcilePolicy;
  readonly now: Date;
}

export interface JobRule {
  readonly name: string;
  /** Its reason also goes into the run log, once, because no state will tell it. */
  readonly tells?: (observed: JobCase) => boolean;
  readonly matches: (observed: JobCase) => boolean;
  readonly decide: (observed: JobCase, rule: string) => ReconcileAction;
}

export const ageMs = (instant: Date, now: Date): number => now.getTime() - instant.getTime();
export const isCancelRow = (row: StateRow | null): boolean => row?.state === 'Cancelled' || row?.state === 'Cancelling';
export const rowAt = (row: StateRow): Date => new Date(row.createdMicros / 1000);
export const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;

export const hasFinished = ({ run }: JobCase): boolean => run !== null && isFinished(run.state);
/** The Job is the one that the standing claim asked for: only it may fail the run (protocol rule 12). */
export const isOfTheClaim = ({ run, token, job, policy }: JobCase): boolean =>
  run?.state === 'Submitted' && token !== null && token.stack === policy.stackId && token.key === job.key;
/** The run's last Job, and the run is at work nowhere else. */
const isLastWord = ({ job, siblings, takenOver }: JobCase): boolean => siblings[0]?.uid === job.uid && !takenOver;
export const isNewestOfRunning = (observed: JobCase): boolean =>
  observed.run?.state === 'Running' && isLastWord(observed) && !observed.siblings.some(isActive);
/**
 * The run waits for the first pod of this Job: its claim's, or that of a task retry, which wrote no state. Once a pod of
 * a Running run has failed, or is being ended beside a new one, it may still run on a node that does not answer.
 */
export const isAwaited = (observed: JobCase): boolean => {
  const { run, job, siblings } = observed;
  if (isOfTheClaim(observed)) return true;
  const isOnlyActive = isLastWord(observed) && siblings.filter(isActive).length === 1;
  return run?.state === 'Running' && isOnlyActive && job.failedPods === 0 && job.podsEver <= 1;
};
/** When the wait for the first pod began: a Job that has had one for hours did not wait since it was made. */
export const waitsSince = ({ run, job, diagnosis }: JobCase): Date =>
  run?.state === 'Running' ? diagnosis.since : job.createdAt;

/** The run is at work in this Job and in no other: Submitted by its claim, or Running with it as the newest. */
export const isOwnRun = (observed: JobCase): boolean =>
  isOfTheClaim(observed) || (observed.run?.state === 'Running' && isLastWord(observed));
export const isOldEnough = ({ job, policy, now }: JobCase): boolean => ageMs(job.createdAt, now) > policy.quietAgeMs;
export const isBeyond = (graceMs: number, since: Date, now: Date): boolean =>
  graceMs > 0 && ageMs(since, now) > graceMs;
export const isPending = ({ job, diagnosis }: JobCase): boolean =>
  job.phase === 'active' && notStarted.has(diagnosis.progress);

const notStarted: ReadonlySet<Diagnosis['progress']> = new Set(['podless', 'unscheduled', 'starting', 'blocked']);

/** The flow container has ended for longer than a flow may take to stop, and another container keeps the pod up. */
export const hasLingered = ({ diagnosis, policy, now }: JobCase): boolean =>
  diagnosis.progress === 'lingering' && ageMs(diagnosis.since, now) > policy.cancelGraceMs;
export const hasLingeredWell = (observed: JobCase): boolean =>
  hasLingered(observed) && observed.diagnosis.exitCode === 0;

export const wait = (observed: JobCase, rule: string, why: string): ReconcileAction => ({
  kind: 'wait',
  rule,
  why,
  runId: observed.runId,
  job: observed.job,
});

export function remove(
  observed: JobCase,
  rule: string,
  how: { why: string; propagation: 'Foreground' | 'Background' },
): ReconcileAction {
  if (!isOldEnough(observed))
    return wait(
      observed,
      rule,
      `${how.why}; deleted once the Job is older than ${observed.policy.quietAgeMs / 1000} s`,
    );
  const { run, runId, job } = observed;
  return { kind: 'delete-job', rule, ...how, run, runId, job };
}

export function fail(observed: JobCase, rule: string, how: { why: string; endJob: boolean }): ReconcileAction {
  const { run, job, token, diagnosis } = observed;
  if (run === null) return wait(observed, rule, how.why);
  const key = run.state === 'Submitted' ? (token?.key ?? null) : null;
  const evidence: Evidence = {
    job_uid: job.uid,
    job_phase: job.phase,
    job_reason: job.reason,
    category: diagnosis.category,
    exit_code: diagnosis.exitCode,
    before: run.state,
    before_version: run.version,
    after: 'Failed',
  };
  return { kind: 'fail-run', rule, ...how, run, key, job, log: diagnosis.log, evidence };
}

/** Heartbeats keep Lazarus from starting a twin of a run whose Job lives but does not run yet (protocol rule 16). */
export function keepAlive(observed: JobCase, rule: string, why: string): ReconcileAction {
  const { run, job } = observed;
  return run === null || !isOfTheClaim(observed)
    ? wait(observed, rule, why)
    : { kind: 'heartbeat', rule, why, run, job };
}

export const claimsUnderKey = ({ run, job, policy }: JobCase): number =>
  run === null ? 0 : claimsOf(run.history, policy.stackId).filter((claim) => claim.key === job.key).length;

/** Claims under one key before an early pod counts as a fault of the set-up (protocol rule 15). */
export const earlyPodLimit = 5;

export function ttlMs({ job, policy }: JobCase): number {
  return job.phase === 'complete' ? policy.ttlSucceededMs : policy.ttlFailedMs;
}

/** A task retry that waits for its time: then a Running run without a pod is as it should be. */
export const hasWaitingTask = ({ run }: JobCase): boolean => run !== null && run.waitingTaskRuns > 0;

export const lazarusIsOff = ({ run }: { readonly run: FlowRun | null }): boolean =>
  run !== null && (run.flow.settings['heartbeat_enabled'] === false || run.flow.settings['lazarus_enabled'] === false);

/** The server's services will see to a Running run without a process, or a task retry will. */
export const isLeftToOthers = (observed: JobCase): boolean => {
  const { job, policy, now } = observed;
  if (hasWaitingTask(observed)) return true;
  return !lazarusIsOff(observed) && !isBeyond(policy.pendingGraceMs, job.finishedAt ?? job.createdAt, now);
};

/** Writes back what a write of ours covers (protocol rules 7 and 12). */
export function restore(run: FlowRun, row: StateRow, rule: string): ReconcileAction {
  return { kind: 'restore-run', rule, why: `our ${run.state} lies over a newer ${row.state}`, run, row };
}

export interface RunCase {
  readonly run: FlowRun;
  readonly effective: StateRow | null;
  readonly covered: StateRow | null;
  readonly token: ClaimToken | null;
  /** The last claim of the run is this stack's: another stack's Jobs are in a namespace that is not read here. */
  readonly isOurs: boolean;
  /** No pod of the run is left either, as far as all of them could be read. */
  readonly isEmpty: boolean;
  /** A pod of the run is there that may still have a process: its Job was deleted and it was not, or it cannot be reached. */
  readonly hasLivePod: boolean;
  readonly policy: ReconcilePolicy;
  readonly now: Date;
}

/** The last sign of life of a run without a Job: its newest state, or a heartbeat after it. */
export function lastSeen({ run }: RunCase): Date {
  const rows = run.history.map((row) => row.createdMicros / 1000);
  return new Date(Math.max(...rows, run.heartbeat?.getTime() ?? 0));
}

/** Fails a run that has neither Job nor pod (protocol rule 12). */
export function failJobless({ run }: RunCase, rule: string, why: string): ReconcileAction {
  const evidence: Evidence = {
    job_uid: null,
    job_phase: 'gone',
    job_reason: '',
    category: 'JobGone',
    exit_code: null,
    before: run.state,
    before_version: run.version,
    after: 'Failed',
  };
  return { kind: 'fail-run', rule, why, run, key: null, job: null, endJob: false, log: null, evidence };
}

export interface RunRule {
  readonly name: string;
  readonly matches: (observed: RunCase) => boolean;
  readonly decide: (observed: RunCase, rule: string) => ReconcileAction;
}

export const waitForRun = ({ run }: RunCase, rule: string, why: string): ReconcileAction => ({
  kind: 'wait',
  rule,
  why,
  runId: run.id,
  job: null,
});
