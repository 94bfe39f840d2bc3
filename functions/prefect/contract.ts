import type { Clock } from '../clock.ts';
import type { AgentSeen, LateRun } from '../core/detectors.ts';
import type { FlowRun, FlowRunId } from '../core/flow-run.ts';
import type { JsonObject } from '../core/json.ts';
import type { Secret } from '../secret.ts';
import type { Source } from '../source.ts';

/** A run that came back unreadable: named if it can be, with the path of what is wrong. Never evidence for anything. */
export interface UnreadableRun {
  readonly id: string | null;
  readonly problem: string;
}

/** Parts of a run that a read leaves out unless they are asked for: each may be larger than all the rest. */
export interface RunParts {
  /** What a Job is made from: the run config, and the storage of the flow. */
  readonly spec?: boolean;
  /** What the run's log holds of the cluster already. */
  readonly marks?: boolean;
}

/** A read of runs: what could be parsed and what could not. */
export interface RunsRead {
  readonly runs: readonly FlowRun[];
  readonly unreadable: readonly UnreadableRun[];
}

/** The first read of reconcile. */
export interface UnfinishedRead extends RunsRead {
  /** Agents that asked for runs within the last five minutes. */
  readonly agents: readonly AgentSeen[];
  /** Runs that have been due for five minutes and are still Scheduled: the oldest 200, whoever serves them. */
  readonly late: readonly LateRun[];
  /** The oldest 200 of them that are ours to take: those of others must not hide them. */
  readonly lateOfOurs: readonly LateRun[];
}

/** The poll of dispatch. */
export interface DueRuns {
  /** Scheduled and due before the horizon; with a limit for late runs also the oldest of those beyond it. */
  readonly scheduled: RunsRead;
  /** Running, with a task run whose scheduled start time has passed by 3 s. */
  readonly retries: RunsRead;
  /** Submitted by this stack, heartbeat null or older than the quiet age. */
  readonly claims: RunsRead;
  /** True when one of the three came back full (500): more is waiting. */
  readonly more: boolean;
  /** `filter` normally; `queue` when the server rejected our filter and get_runs_in_queue with metadata was used. */
  readonly source: 'filter' | 'queue';
  /** From the queue alone: due runs that are not ours and stand before ours, at most 500. */
  readonly inFront: readonly LateRun[];
}

export interface DueQuery {
  /** Scheduled runs whose state_start_time is at or before this instant. */
  readonly dueBefore: Date;
  /** Running runs with a task run due at or before this instant (now minus 3 s). */
  readonly retryBefore: Date;
  /** Claims whose heartbeat is at or before this instant (now minus Q), or null. */
  readonly quietBefore: Date;
  /** Scheduled runs due before this instant are too late: they fill no page but their own. Null: none is too late. */
  readonly lateBefore: Date | null;
  /** Scheduled runs and retries with one of these labels are left out: their cap is reached. */
  readonly withoutLabels: readonly string[];
  readonly signal: AbortSignal;
}

export interface StateWrite {
  readonly runId: FlowRunId;
  /** Sent, and ignored by Prefect Server (it has no compare-and-set); Cloud looks at it. */
  readonly version: number;
  readonly state: JsonObject;
}

/** `applied`: the server said SUCCESS. `refused`: it answered with this error text. `unknown`: no readable answer. */
export type WriteAnswer =
  | { readonly kind: 'applied' }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

/** What programs read of a line: a mark, or what a decision rests on. */
export type LogInfo = Readonly<Record<string, string | number | null>>;

export interface RunLog {
  readonly runId: FlowRunId;
  readonly level: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';
  /** Logger name shown in the UI: the agent's name, or `k8s-infra` for what the cluster said. */
  readonly name: string;
  readonly message: string;
  readonly timestamp?: Date;
  readonly info?: LogInfo;
}

/** What rides in one HTTP request: an array of operations, run side by side by the gateway; each answers for itself. */
export interface WriteBatch {
  readonly states: readonly StateWrite[];
  readonly logs: readonly RunLog[];
  readonly heartbeats: readonly FlowRunId[];
  readonly signal: AbortSignal;
}

export interface WriteAnswers {
  /** One per state write, in the order given. */
  readonly states: readonly WriteAnswer[];
  /** How many logs and heartbeats were not accepted. Best effort: never a reason to fail a run. */
  readonly lostLogs: number;
  /** Runs some of whose logs were not accepted. */
  readonly unlogged: ReadonlySet<FlowRunId>;
  readonly lostHeartbeats: number;
}

/** Counters of the invocation, for the tick report and the bench. */
export interface PrefectTraffic {
  readonly requests: number;
  readonly milliseconds: number;
  /** Answers with status 429. */
  readonly throttled: number;
}

/**
 * Prefect 1.x over GraphQL. Reads throw BoundaryError (PREFECT_UNREACHABLE, PREFECT_REFUSED, PREFECT_UNREADABLE) when
 * the answer as a whole is none; a single bad run in a good answer is an UnreadableRun. Writes never throw: an answer
 * that cannot be read is `unknown` for each item.
 */
export interface PrefectClient {
  /** Runs the poll of dispatch: one HTTP request (a cold start adds tenant and registration, at most two). */
  listDueRuns(query: DueQuery): Promise<DueRuns>;
  /** Fresh read by id with the history, 500 ids a request. A run that does not exist is absent from the answer. */
  readRuns(ids: readonly FlowRunId[], signal: AbortSignal, parts?: RunParts): Promise<RunsRead>;
  /**
   * Unfinished runs (Submitted, Running, Cancelling) of this stack: by agent name and by token, 500 a page. Along with
   * the first page, best effort: who else asks for runs, and which runs are late.
   */
  listUnfinishedRuns(signal: AbortSignal): Promise<UnfinishedRead>;
  /** One HTTP request with one operation per item. */
  write(batch: WriteBatch): Promise<WriteAnswers>;
  traffic(): PrefectTraffic;
  /** The tenant, asked of the API where nobody knows it yet. Throws as reads do. */
  askTenant(signal: AbortSignal): Promise<string>;
  /** Tenant in use, once known. */
  tenantId(): string | null;
}

/** One HTTP request: a POST of text. */
export interface PostRequest {
  readonly url: string;
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** Answer to it, read to its end. */
export interface PostAnswer {
  readonly status: number;
  /** The header of that name as it came; empty: there is none. */
  readonly contentType: string;
  readonly text: string;
}

/**
 * Sends one request. Gives the answer of any status and follows no redirect; rejects when there is none: with the
 * socket's error, with the signal's reason or an AbortError, or with one of the errors of http.ts.
 */
export type Post = (request: PostRequest) => Promise<PostAnswer>;

/** What one container of the functions knows of the API; kept between warm invocations by whoever owns it. */
export interface PrefectMemory {
  tenantId: string | null;
  agentId: string | null;
}

export interface PrefectOptions {
  /** The GraphQL endpoint as it is, path included. */
  readonly url: string;
  readonly backend: 'server' | 'cloud';
  /** Null: the API wants no credential. Fetched again once after it was rejected. */
  readonly token: Source<Secret | null>;
  /** Null: asked of the API once, and kept in `memory`. */
  readonly tenantId: string | null;
  readonly memory: PrefectMemory;
  readonly agentName: string;
  readonly labels: readonly string[];
  readonly stackId: string;
  readonly clock: Clock;
  /** The transport: `connectHttp` for sockets, anything of that shape in a simulation. */
  readonly post: Post;
}
