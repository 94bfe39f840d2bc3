import type { V1Job } from '@kubernetes/client-node';

import { isActive, type JobSnapshot } from './cluster.ts';
import type { FlowRun } from './flow-run.ts';
import { claimsOf, claimTokenOf, effectiveState, isCancelled, leaseIsOver, type ClaimToken } from './history.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { isTakenOver } from './ownership.ts';
import { Slots, type AskedJob } from './slots.ts';

/** How a due run came to the poll: scheduled, Running with a due task retry, or claimed by this stack and quiet since. */
export type DueKind = 'scheduled' | 'retry' | 'claim';

export interface DueRun {
  readonly kind: DueKind;
  readonly run: FlowRun;
}

export interface DispatchPolicy {
  readonly stackId: string;
  /** Active Jobs of this stack at any time. */
  readonly maxInFlight: number;
  /** Submits of one tick. */
  readonly maxPerTick: number;
  /** In-flight caps by run label. */
  readonly labelLimits: ReadonlyMap<string, number>;
  /** Runs late by more are held; null: none are. Milliseconds. */
  readonly lateRunLimitMs: number | null;
  /** With 0 reconcile fails every Running run whose newest Job failed; above, not those that infrastructure ended. */
  readonly infraRetries: number;
  readonly paused: boolean;
}

/** The Job of a submit, why there cannot be one, or why it cannot be told in this tick. */
export type JobDraft =
  | { readonly kind: 'job'; readonly job: V1Job; readonly warnings: readonly string[] }
  | { readonly kind: 'refused'; readonly rule: string; readonly message: string }
  | { readonly kind: 'not-yet'; readonly why: string };

/** Under it a run is held whose Job cannot be told in this tick. */
const notYetRule = 'template-not-read-yet';

/** `claim` writes Submitted first; `retry` writes no state (protocol rule 17). */
export type SubmitMode = 'claim' | 'retry';

export interface Submit {
  readonly kind: 'submit';
  readonly rule: string;
  readonly run: FlowRun;
  readonly mode: SubmitMode;
  readonly key: string;
  readonly claimId: string;
  readonly startAt: Date;
  readonly job: V1Job;
  readonly warnings: readonly string[];
}

export interface Reject {
  readonly kind: 'reject';
  readonly rule: string;
  readonly run: FlowRun;
  readonly mode: SubmitMode;
  readonly key: string;
  readonly claimId: string;
  readonly startAt: Date;
  /** For the flow author: it becomes the message of the Failed state. */
  readonly message: string;
}

export interface Hold {
  readonly kind: 'hold';
  readonly rule: string;
  readonly run: FlowRun;
  readonly why: string;
  /** A claim of ours that has to wait needs one, or the server's Lazarus takes it for lost after ten minutes. */
  readonly heartbeat: boolean;
  /** The label whose cap is reached, where that is why. */
  readonly fullLabel?: string;
}

export type DispatchDecision = Submit | Reject | Hold;

export interface DispatchInput {
  /** What this tick has asked for on the pages it read before. */
  readonly asked?: readonly AskedJob[];
  readonly due: readonly DueRun[];
  /** Every Job in the namespace that carries a flow run id, whoever made it; those asked for may be missing. */
  readonly jobs: readonly JobSnapshot[];
  readonly policy: DispatchPolicy;
  readonly now: Date;
  /** Nothing is created after this instant. */
  readonly horizon: Date;
  readonly newClaimId: () => string;
  /** Builds the Job of (run, key, claim): pure, called for runs that no rule holds. */
  readonly draft: (run: FlowRun, identity: { readonly key: string; readonly claimId: string }) => JobDraft;
}

/** All that the rules look at: one due run among its Jobs. */
interface Observed {
  readonly kind: DueKind;
  readonly run: FlowRun;
  readonly jobs: readonly JobSnapshot[];
  readonly token: ClaimToken | null;
  readonly startAt: Date;
  readonly input: DispatchInput;
  readonly slots: Slots;
}

interface HoldRule {
  readonly name: string;
  readonly matches: (observed: Observed) => boolean;
  readonly why: (observed: Observed) => string;
  /** A claim that this rule holds is wanted all the same, and is kept alive. */
  readonly keepsClaim?: boolean;
  /** The rule holds all runs with this label. */
  readonly fullLabel?: (observed: Observed) => string | null;
}

/** The n-th re-claim of a key waits 2^(n-1) minutes, at most 15, from the claim before it (protocol rule 10). */
function backOffEnds({ run, token, input }: Observed): Date | null {
  const claims = claimsOf(run.history, input.policy.stackId).filter((claim) => claim.key === token?.key);
  const last = claims.at(-1);
  if (last === undefined) return null;
  return new Date(last.at.getTime() + Math.min(2 ** (claims.length - 1), 15) * 60_000);
}

/**
 * Reconcile looks at every Job once a minute; this long after its end it has decided about it, if it works at all. With
 * the tick that comes next a retry is made within the five minutes in which everything is to be repaired.
 */
const judgedWithinMs = 180_000;

/**
 * The run is Running and its newest Job failed. That is reconcile's to judge: a retry made meanwhile would run under the
 * Failed that reconcile writes on a list without it.
 */
function hasUnjudgedJob({ run, jobs, input: { policy, now } }: Observed): boolean {
  const job = newest(jobs);
  if (job?.phase !== 'failed' || job.stackId !== policy.stackId || isTakenOver(run, job, policy.stackId)) return false;
  const since = (job.finishedAt ?? job.createdAt).getTime();
  return policy.infraRetries === 0 || now.getTime() - since < judgedWithinMs;
}

/** A claim of ours without a Job, still wanted: only dispatch looks after it. */
function isStandingClaim({ kind, run, token, jobs, input: { policy } }: Observed): boolean {
  if (kind !== 'claim' || token?.stack !== policy.stackId || jobs.some((job) => job.key === token.key)) return false;
  return effectiveState(run.history, policy.stackId)?.state === 'Scheduled';
}

/** Order is meaning: the first rule that matches holds the run; a run that none matches is submitted. */
const holdRules: readonly HoldRule[] = [
  {
    // The kill switch stops new Jobs; reconcile goes on with those that exist.
    name: 'paused-by-operator',
    matches: ({ input }) => input.policy.paused,
    why: () => 'DISPATCH_PAUSED is set',
    keepsClaim: true,
  },
  {
    // A name is a lock only while the object exists, and a Job being deleted can still set Running (protocol rule 5).
    name: 'job-being-deleted',
    matches: ({ jobs }) => jobs.some((job) => job.deleting),
    why: ({ jobs }) => `Job ${jobs.find((job) => job.deleting)?.name} is being deleted`,
  },
  {
    name: 'active-job',
    matches: ({ jobs }) => jobs.some(isActive),
    why: ({ jobs }) => `Job ${jobs.find(isActive)?.name} is active`,
  },
  {
    // Somebody of ours may still create under the other key (protocol rule 5).
    name: 'claimed-under-another-key',
    matches: ({ run, token, kind, input }) =>
      kind !== 'retry' &&
      claimsOf(run.history, input.policy.stackId).some(
        (claim) => claim.key !== (token?.key ?? String(run.version)) && !leaseIsOver(claim, input.now),
      ),
    why: () => 'another claim of this stack is still within its lease',
  },
  {
    name: 'claim-unreadable',
    matches: ({ kind, token, input }) => kind === 'claim' && token?.stack !== input.policy.stackId,
    why: () => 'the Submitted state carries no claim of this stack that can be read',
  },
  {
    name: 'claim-within-its-lease',
    matches: ({ kind, token, input }) => kind === 'claim' && token !== null && !leaseIsOver(token, input.now),
    why: ({ token }) => `the claim holds until ${token?.until.toISOString()}`,
  },
  {
    // A cancel or a Running that a claim covered: reconcile restores, dispatch creates nothing (protocol rule 10).
    name: 'claim-not-wanted',
    matches: ({ kind, run, input }) =>
      kind === 'claim' && effectiveState(run.history, input.policy.stackId)?.state !== 'Scheduled',
    why: ({ run, input }) => `the run is ${effectiveState(run.history, input.policy.stackId)?.state ?? 'unknown'}`,
  },
  {
    // A Job with that key, even a finished one, is reconcile's business (protocol rule 10).
    name: 'job-of-this-key-exists',
    matches: ({ kind, jobs, token }) => kind === 'claim' && jobs.some((job) => job.key === token?.key),
    why: ({ jobs, token }) => `reconcile decides about Job ${jobs.find((job) => job.key === token?.key)?.name}`,
  },
  {
    name: 'backing-off',
    matches: (observed) =>
      observed.kind === 'claim' && (backOffEnds(observed) ?? observed.input.now) > observed.input.now,
    why: (observed) => `refused before; claimed again after ${backOffEnds(observed)?.toISOString()}`,
    keepsClaim: true,
  },
  {
    name: 'retry-no-longer-due',
    matches: ({ kind, run }) => kind === 'retry' && (run.state !== 'Running' || run.dueTaskRuns === 0),
    why: () => 'no task run of it is due',
  },
  {
    // A Running that the pod wrote over a cancel does not end the cancel (protocol rules 4 and 14).
    name: 'retry-of-a-cancelled-run',
    matches: ({ kind, run, input }) => kind === 'retry' && isCancelled(run, input.policy.stackId),
    why: () => 'the run was cancelled, and nobody scheduled it afresh',
  },
  {
    // Two decisions about one failed Job must not be made at once (protocol rules 12 and 17).
    name: 'failed-job-not-judged-yet',
    matches: (observed) => observed.kind === 'retry' && hasUnjudgedJob(observed),
    why: ({ jobs }) => `reconcile decides about the failed Job ${newest(jobs)?.name}`,
  },
  {
    name: 'not-due-within-this-invocation',
    matches: ({ startAt, input }) => startAt > input.horizon,
    why: ({ startAt }) => `due at ${startAt.toISOString()}`,
    keepsClaim: true,
  },
  {
    name: 'later-than-the-limit',
    matches: ({ kind, startAt, input: { now, policy } }) =>
      kind === 'scheduled' &&
      policy.lateRunLimitMs !== null &&
      now.getTime() - startAt.getTime() > policy.lateRunLimitMs,
    why: ({ startAt }) => `was due at ${startAt.toISOString()}, later than LATE_RUN_LIMIT allows`,
  },
  {
    name: 'at-capacity',
    matches: ({ slots }) => !slots.free,
    why: ({ input }) => `MAX_IN_FLIGHT is ${input.policy.maxInFlight}`,
    keepsClaim: true,
  },
  {
    name: 'label-at-capacity',
    matches: ({ slots, run }) => slots.fullLabel(run.labels) !== null,
    why: ({ slots, run }) => `label ${slots.fullLabel(run.labels)} is at its limit (LABEL_LIMITS, PROFILES)`,
    fullLabel: ({ slots, run }) => slots.fullLabel(run.labels),
    keepsClaim: true,
  },
  {
    name: 'tick-is-full',
    matches: ({ slots }) => !slots.leftThisTick,
    why: ({ input }) => `MAX_PER_TICK is ${input.policy.maxPerTick}`,
    keepsClaim: true,
  },
];

/** Rules under which a submit goes out, by the way in which the run came. */
const submitRules: Readonly<Record<DueKind, string>> = {
  scheduled: 'due',
  retry: 'task-retry-due',
  claim: 'jobless-claim-past-its-lease',
};

/** Names of the rules that hold a run, in their order, and of those under which one is submitted: for the documentation. */
export const dispatchRuleNames: readonly string[] = [
  ...holdRules.map((rule) => rule.name),
  notYetRule,
  ...Object.values(submitRules),
];

function startTimeOf(run: FlowRun, kind: DueKind, now: Date): Date {
  if (kind === 'retry') return now;
  const inner = run.serializedState['state'];
  const scheduled: JsonObject = run.state === 'Submitted' && isJsonObject(inner) ? inner : run.serializedState;
  const text = scheduled['start_time'];
  const start = typeof text === 'string' ? new Date(text) : run.scheduledStartTime;
  return start === null || Number.isNaN(start.getTime()) ? now : start;
}

const newest = (jobs: readonly JobSnapshot[]): JobSnapshot | undefined =>
  jobs.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.uid < b.uid ? 1 : -1))[0];

/** The attempt's key: the version read, the claim's, or for a retry the UID of the newest Job (protocol rules 3, 17). */
function keyOf({ kind, run, token, jobs }: Observed): string {
  if (kind === 'claim') return token?.key ?? String(run.version);
  return kind === 'retry' ? (newest(jobs)?.uid ?? `v${run.version}`) : String(run.version);
}

function heldBy(rule: HoldRule, observed: Observed): Omit<Hold, 'heartbeat'> {
  const held = { kind: 'hold', rule: rule.name, run: observed.run, why: rule.why(observed) } as const;
  const fullLabel = rule.fullLabel?.(observed) ?? null;
  return fullLabel === null ? held : { ...held, fullLabel };
}

function decide(observed: Observed): DispatchDecision {
  const { run, kind, startAt, input, slots } = observed;
  const rule = holdRules.find((candidate) => candidate.matches(observed));
  const heartbeat = (rule?.keepsClaim ?? true) && isStandingClaim(observed);
  if (rule !== undefined) return { ...heldBy(rule, observed), heartbeat };
  const common = {
    run,
    mode: kind === 'retry' ? 'retry' : 'claim',
    key: keyOf(observed),
    claimId: input.newClaimId(),
    startAt,
  } as const;
  const draft = input.draft(run, common);
  if (draft.kind === 'not-yet') return { kind: 'hold', rule: notYetRule, run, why: draft.why, heartbeat };
  if (draft.kind === 'refused') return { kind: 'reject', ...common, rule: draft.rule, message: draft.message };
  slots.take(run.labels);
  return { kind: 'submit', ...common, rule: submitRules[kind], job: draft.job, warnings: draft.warnings };
}

/**
 * Decides for every due run, oldest start first: submit, hold or reject, each with the name of the rule. Pure: the same
 * input gives the same plan, in whatever order the runs and Jobs came.
 */
export function planDispatch(input: DispatchInput): readonly DispatchDecision[] {
  const jobsOf = Map.groupBy(input.jobs, (job) => job.runId);
  const slots = new Slots(input.policy, input.jobs, input.asked ?? []);
  return input.due
    .map(({ kind, run }) => ({ kind, run, startAt: startTimeOf(run, kind, input.now) }))
    .toSorted((a, b) => a.startAt.getTime() - b.startAt.getTime() || (a.run.id < b.run.id ? -1 : 1))
    .map(({ kind, run, startAt }) => {
      const jobs = jobsOf.get(run.id) ?? [];
      return decide({ kind, run, jobs, token: claimTokenOf(run.serializedState), startAt, input, slots });
    });
}
