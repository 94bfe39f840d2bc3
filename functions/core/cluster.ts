import type { FlowRunId } from './flow-run.ts';

export type JobName = string & { readonly brand: 'JobName' };

/**
 * What became of a Job. `active` until a terminal condition is True: `FailureTarget` and `SuccessCriteriaMet` only
 * announce one (kubernetes 1.31 and later), counters decide nothing.
 */
export type JobPhase = 'active' | 'suspended' | 'complete' | 'failed';

export interface JobSnapshot {
  readonly name: JobName;
  readonly uid: string;
  readonly createdAt: Date;
  /** metadata.deletionTimestamp is set: neither alive nor gone. */
  readonly deleting: boolean;
  readonly phase: JobPhase;
  /** `FailureTarget` or `SuccessCriteriaMet` while the terminal condition is still to come; null otherwise. */
  readonly announced: string | null;
  /** Reason and message of the terminal condition, else empty. */
  readonly reason: string;
  readonly message: string;
  /** When the terminal condition became true. */
  readonly finishedAt: Date | null;
  /** From label `prefect.io/flow_run_id`; null when missing. */
  readonly runId: FlowRunId | null;
  /** From our stack label; null when the Job is not of this product (for example the ordinary agent's). */
  readonly stackId: string | null;
  /** From our key annotation; null when missing or unreadable. */
  readonly key: string | null;
  /** From our claim annotation. */
  readonly claimId: string | null;
  /** Labels of the flow run, from our labels annotation (a JSON list); empty when missing or unreadable. */
  readonly runLabels: readonly string[];
  /** Sum of active, ready, failed, succeeded, terminating and uncounted pods of the status. */
  readonly podsEver: number;
  readonly activePods: number;
  readonly failedPods: number;
}

/** A Job that works, or that would if it were not suspended. */
export const isActive = ({ phase }: JobSnapshot): boolean => phase === 'active' || phase === 'suspended';

/** State of one container, init or not, as the kubelet reported it last. */
export interface ContainerSnapshot {
  readonly name: string;
  /** `main` also for a first container of another name; `init`; `sidecar` = init container with restartPolicy Always. */
  readonly role: 'main' | 'other' | 'init' | 'sidecar';
  readonly state: 'waiting' | 'running' | 'terminated' | 'unknown';
  readonly reason: string;
  readonly message: string;
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly restarts: number;
  readonly memoryLimit: string | null;
}

export interface PodCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly since: Date | null;
}

export interface PodSnapshot {
  readonly name: string;
  readonly uid: string;
  readonly jobName: JobName | null;
  readonly jobUid: string | null;
  /** From label `prefect.io/flow_run_id`: what is left of a run whose Job is gone is found by it. */
  readonly runId: FlowRunId | null;
  readonly createdAt: Date;
  readonly deleting: boolean;
  /** `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`. */
  readonly phase: string;
  readonly reason: string;
  readonly message: string;
  readonly nodeName: string | null;
  readonly containers: readonly ContainerSnapshot[];
  readonly conditions: readonly PodCondition[];
}

export interface ClusterEvent {
  readonly uid: string;
  /** `Job` or `Pod`, its name and uid. */
  readonly objectKind: string;
  readonly objectName: string;
  readonly objectUid: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  /** series.lastObservedTime, else lastTimestamp, else eventTime, else firstTimestamp. */
  readonly at: Date | null;
}
