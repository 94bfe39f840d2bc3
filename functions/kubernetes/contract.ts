import type { V1Job } from '@kubernetes/client-node';

import type { Clock } from '../clock.ts';
import type { ClusterEvent, JobName, JobSnapshot, PodSnapshot } from '../core/cluster.ts';
import type { Secret } from '../secret.ts';
import type { Source } from '../source.ts';
import type { Hiding } from './hidden-values.ts';
import type { ApiSession, ClusterAddress } from './session.ts';

/**
 * Why the API server did not create a Job.
 *
 * - `quota`: 403 that says `exceeded quota`; `throttled`: 429; `forbidden`: any other 403 (RBAC); `login`: 401;
 * - `invalid`: admission or validation said no for good (400, 403 of a webhook or policy, 404 never, 413, 422);
 * - `namespace`: 404, the namespace is not there;
 * - `server`: 5xx with an answer, also `failed calling webhook`;
 * - `conflict`: 409 whose reason is not AlreadyExists, or AlreadyExists that is not ours;
 * - `unknown`: no readable answer; the Job may exist.
 */
export type RefusalClass =
  | 'quota'
  | 'throttled'
  | 'forbidden'
  | 'login'
  | 'invalid'
  | 'namespace'
  | 'server'
  | 'conflict'
  | 'unknown';

export interface Refusal {
  readonly kind: 'refused';
  readonly class: RefusalClass;
  /** HTTP status, 0 when there was no answer. */
  readonly status: number;
  /** The API server's own message (Status.message), cut to 1 KiB; safe to show to a flow author. */
  readonly message: string;
  readonly retryAfterSeconds: number | null;
}

export type CreateAnswer =
  | { readonly kind: 'created'; readonly uid: string; readonly warnings: readonly string[] }
  /** 409 AlreadyExists, and the Job found under the name carries our stack label, this run and this key. */
  | { readonly kind: 'already-exists'; readonly job: JobSnapshot }
  | Refusal;

/** `gone`: 404. `changed`: 409, the UID under that name is another one now. */
export type DeleteAnswer = { readonly kind: 'deleted' | 'gone' | 'changed' } | Refusal;

export interface EventsRead {
  readonly events: readonly ClusterEvent[];
  /** False: there are too many, and only the warnings and the autoscaler's refusals were read. */
  readonly isWhole: boolean;
}

export interface ClusterTraffic {
  readonly requests: number;
  readonly connections: number;
  readonly milliseconds: number;
  /** Answers with status 429. */
  readonly throttled: number;
}

/** Log of a container: of the process that runs or ran last, or of the one before it was started again. */
export interface ContainerLog {
  readonly pod: string;
  readonly container: string;
  readonly previous: boolean;
}

/**
 * Jobs of one namespace through one HTTP/2 session per invocation, opened by the first request. Lists are complete and
 * consistent (410 starts them again) or throw BoundaryError: CLUSTER_UNREACHABLE, CLUSTER_FORBIDDEN (401 or 403; the
 * message says which, and what to do), CLUSTER_REFUSED. Objects that cannot be parsed are dropped and counted.
 */
export interface KubernetesGateway {
  listJobs(selector: string, signal: AbortSignal): Promise<readonly JobSnapshot[]>;
  /** Pods with this label selector that are not Succeeded. */
  listPods(selector: string, signal: AbortSignal): Promise<readonly PodSnapshot[]>;
  /** What the cluster said in the namespace, as far back as it keeps it (an hour). */
  listEvents(signal: AbortSignal): Promise<EventsRead>;
  createJob(job: V1Job, signal: AbortSignal): Promise<CreateAnswer>;
  /** The same, judged by admission and validation and not kept: `created` says that it would be. */
  dryRunJob(job: V1Job, signal: AbortSignal): Promise<CreateAnswer>;
  /** With UID precondition and propagation policy, always. */
  deleteJob(
    job: { readonly name: JobName; readonly uid: string },
    propagation: 'Foreground' | 'Background',
    signal: AbortSignal,
  ): Promise<DeleteAnswer>;
  /** Last lines of a container's log, or null when there is none to be had. Never throws. */
  readLogTail(log: ContainerLog, lines: number, signal: AbortSignal): Promise<string | null>;
  traffic(): ClusterTraffic;
  /** Items that could not be parsed in the lists so far. */
  unreadable(): number;
  /** Destroys the session: nothing in flight outlives the handler. */
  close(): void;
}

export interface KubernetesOptions {
  readonly address: ClusterAddress;
  /** Fetched again once after 401. */
  readonly token: Source<Secret | null>;
  readonly namespace: string;
  readonly stackId: string;
  readonly clock: Clock;
  /** Takes out of the API server's words what they quote of our Jobs' secrets; default: nothing. */
  readonly hide?: Hiding;
  /** The transport; default: sockets. */
  readonly session?: ApiSession;
}
