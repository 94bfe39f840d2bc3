import { addEvent } from './events.ts';
import { judgeFailure } from './failure-policy.ts';
import {
  createPod,
  deletePod,
  hasEnded,
  isActive,
  isDeleting,
  isReady,
  isTerminating,
  isTracked,
  jobController,
  mayCreatePods,
  releasePod,
} from './job-pods.ts';
import { hasCondition, isJsonObject, kubeTime, type Condition, type Job, type JobStatus, type Pod } from './objects.ts';
import { readPod, writeJob, type ClusterState } from './state.ts';

/**
 * The Job controller, one step at a time (kubernetes pkg/controller/job/job_controller.go, release 1.35). Each step
 * makes at most one change of condition, as the real one does in about a second; work queues of several completions
 * are counted, indexed Jobs are not played.
 */

interface Sync {
  readonly state: ClusterState;
  readonly job: Job;
  /** Pods of the Job, as stored now. */
  readonly pods: readonly Pod[];
  readonly now: Date;
}

export const isFinished = ({ status }: Job): boolean =>
  hasCondition(status.conditions, 'Complete') || hasCondition(status.conditions, 'Failed');

const tally = (pods: readonly Pod[], matches: (pod: Pod) => boolean): number => pods.filter(matches).length;

/** Counters as the real status leaves them out: zero active is no field. */
function counters(pods: readonly Pod[]): Partial<JobStatus> {
  const active = tally(pods, isActive);
  return {
    ...(active === 0 ? {} : { active }),
    ready: tally(pods, (pod) => isActive(pod) && isReady(pod)),
    terminating: tally(pods, isTerminating),
  };
}

/** A deleted pod counts as failed at once, unless the Job waits for pods to have ended. */
function isFailed(pod: Pod, { spec }: Job): boolean {
  if (hasEnded(pod)) return pod.status.phase === 'Failed';
  return spec.podReplacementPolicy === 'TerminatingOrFailed' && isDeleting(pod);
}

function finishedAt(pod: Pod, now: Date): Date {
  const times = (pod.status.containerStatuses ?? []).map(({ state }) => state?.terminated?.finishedAt ?? '');
  const last = times.sort().at(-1) ?? '';
  return last === '' ? now : new Date(last);
}

function noteFailures({ state, job, now }: Sync, failed: readonly Pod[]): void {
  for (const pod of failed) {
    const { failures = 0, lastAt } = state.retryBackOff.get(job.metadata.uid) ?? {};
    const at = finishedAt(pod, now);
    const latest = lastAt !== undefined && lastAt > at ? lastAt : at;
    state.retryBackOff.set(job.metadata.uid, { failures: failures + 1, lastAt: latest });
  }
}

type Uids = readonly string[] | undefined;

/** A list or a count that is empty is left out of the status. */
const unlessEmpty = <Field extends string, Value>(
  field: Field,
  value: Value,
  size: number,
): Partial<Record<Field, Value>> => (size === 0 ? {} : ({ [field]: value } as Record<Field, Value>));

const uidsOf = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.uid);

/** Counts what was seen to end in the step before. */
function foldCounts({ succeeded = 0, failed = 0, ...rest }: JobStatus): JobStatus {
  const seen = rest.uncountedTerminatedPods;
  const sum = (count: number, uids: Uids): number => count + (uids?.length ?? 0);
  const done = { succeeded: sum(succeeded, seen?.succeeded), failed: sum(failed, seen?.failed) };
  return {
    ...rest,
    ...unlessEmpty('succeeded', done.succeeded, done.succeeded),
    ...unlessEmpty('failed', done.failed, done.failed),
  };
}

/** Counts what was seen to end in the step before, and takes in what has ended since. */
function countEnds(sync: Sync): JobStatus {
  const { state, job, pods } = sync;
  const tracked = pods.filter(isTracked);
  const succeeded = tracked.filter(({ status }) => status.phase === 'Succeeded');
  const failed = tracked.filter((pod) => isFailed(pod, job));
  const counted = failed.filter((pod) => judgeFailure(job, pod).kind !== 'ignore');
  noteFailures(sync, counted);
  for (const pod of [...succeeded, ...failed]) releasePod(state, pod);
  return {
    ...foldCounts(job.status),
    uncountedTerminatedPods: {
      ...unlessEmpty('succeeded', uidsOf(succeeded), succeeded.length),
      ...unlessEmpty('failed', uidsOf(counted), counted.length),
    },
  };
}

const uncounted = ({ uncountedTerminatedPods }: JobStatus): number =>
  (uncountedTerminatedPods?.succeeded?.length ?? 0) + (uncountedTerminatedPods?.failed?.length ?? 0);

const totalFailed = ({ failed = 0, uncountedTerminatedPods }: JobStatus): number =>
  failed + (uncountedTerminatedPods?.failed?.length ?? 0);

const totalSucceeded = ({ succeeded = 0, uncountedTerminatedPods }: JobStatus): number =>
  succeeded + (uncountedTerminatedPods?.succeeded?.length ?? 0);

interface Ending {
  readonly reason: string;
  readonly message: string;
}

function policyFailure({ job, pods }: Sync): Ending | null {
  for (const pod of pods) {
    const verdict = isFailed(pod, job) ? judgeFailure(job, pod) : null;
    if (verdict?.kind === 'fail-job') return { reason: 'PodFailurePolicy', message: verdict.message };
  }
  return null;
}

/** Containers restarted in place count against the limit too. */
function restarts({ job, pods }: Sync): number {
  if (job.spec.template.spec.restartPolicy !== 'OnFailure') return 0;
  const statuses = pods.filter(isActive).flatMap(({ status }) => status.containerStatuses ?? []);
  return statuses.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);
}

function isPastLimit(sync: Sync, status: JobStatus): boolean {
  const { backoffLimit } = sync.job.spec;
  const again = restarts(sync);
  return totalFailed(status) > backoffLimit || (backoffLimit === 0 ? again > 0 : again >= backoffLimit && again > 0);
}

function isPastDeadline({ job, now }: Sync): boolean {
  const { activeDeadlineSeconds, suspend } = job.spec;
  const { startTime } = job.status;
  if (activeDeadlineSeconds === undefined || suspend || startTime === undefined) return false;
  return now.getTime() - new Date(startTime).getTime() >= activeDeadlineSeconds * 1000;
}

/** Why the Job has failed, or null. What was announced once stays. */
function failureOf(sync: Sync, status: JobStatus): Ending | null {
  const announced = status.conditions?.find(({ type }) => type === 'FailureTarget');
  if (announced !== undefined) return { reason: announced.reason ?? '', message: announced.message ?? '' };
  const byPolicy = policyFailure(sync);
  if (byPolicy !== null) return byPolicy;
  if (isPastLimit(sync, status)) {
    return { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  }
  if (!isPastDeadline(sync)) return null;
  return { reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
}

function withCondition(
  status: JobStatus,
  condition: Pick<Condition, 'type' | 'status'> & Ending,
  now: Date,
): JobStatus {
  const others = (status.conditions ?? []).filter(({ type }) => type !== condition.type);
  const { type, status: value, reason, message } = condition;
  const at = kubeTime(now);
  const stamped = { type, status: value, lastProbeTime: at, lastTransitionTime: at, reason, message };
  return { ...status, conditions: [...others, stamped] };
}

function currentPods({ state, pods }: Sync): Pod[] {
  return pods.flatMap(
    ({ metadata }) => readPod(state, { namespace: metadata.namespace ?? '', name: metadata.name }) ?? [],
  );
}

/** Nothing of the Job moves any more, and everything is counted. */
const isSettled = (sync: Sync, status: JobStatus): boolean =>
  uncounted(status) === 0 && currentPods(sync).every((pod) => hasEnded(pod));

function fail(sync: Sync, status: JobStatus, failure: Ending): JobStatus {
  const { state, job, now } = sync;
  const isAnnounced = hasCondition(status.conditions, 'FailureTarget');
  if (isAnnounced && isSettled(sync, status)) {
    addEvent(state, { about: job, type: 'Warning', ...failure, source: jobController }, now);
    return withCondition(status, { type: 'Failed', status: 'True', ...failure }, now);
  }
  const ended = sync.pods.filter(isActive);
  for (const pod of ended) deletePod(state, { job, pod }, now);
  // Pods that are ended because the Job has failed count as failed themselves.
  const counted = ended.length === 0 ? status : { ...status, failed: (status.failed ?? 0) + ended.length };
  return isAnnounced ? counted : withCondition(counted, { type: 'FailureTarget', status: 'True', ...failure }, now);
}

const reached: Ending = { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };

function complete({ state, job, now }: Sync, status: JobStatus): JobStatus {
  const remark = {
    about: job,
    type: 'Normal',
    reason: 'Completed',
    message: 'Job completed',
    source: jobController,
  } as const;
  addEvent(state, remark, now);
  const done = withCondition(status, { type: 'Complete', status: 'True', ...reached }, now);
  return { ...done, completionTime: kubeTime(now) };
}

/** How many pods ought to be active now. */
function wanted({ job, pods }: Sync, status: JobStatus): number {
  const { parallelism, completions, suspend } = job.spec;
  if (suspend) return 0;
  const succeeded = totalSucceeded(status);
  if (completions === undefined) return succeeded > 0 ? tally(pods, isActive) : parallelism;
  return Math.min(parallelism, Math.max(0, completions - succeeded));
}

function hasSucceeded({ job, pods }: Sync, status: JobStatus): boolean {
  const needed = job.spec.completions ?? 1;
  return totalSucceeded(status) >= needed && !pods.some(isActive);
}

const firstDelayMs = 10_000;
const longestDelayMs = 600_000;

/** After the n-th failure the next pod waits 10 s times 2^(n-1), ten minutes at most, from the end of the last. */
function mayRetry({ state, job, now }: Sync): boolean {
  const backOff = state.retryBackOff.get(job.metadata.uid);
  if (backOff === undefined) return true;
  const delay = Math.min(firstDelayMs * 2 ** (backOff.failures - 1), longestDelayMs);
  return now.getTime() - backOff.lastAt.getTime() >= delay;
}

function managePods(sync: Sync, status: JobStatus): void {
  const { state, job, pods, now } = sync;
  const active = pods.filter(isActive);
  // Jobs that wait for pods to have ended keep the place of a terminating one.
  const taken = job.spec.podReplacementPolicy === 'Failed' ? active.length + tally(pods, isTerminating) : active.length;
  const target = wanted(sync, status);
  for (const pod of active.slice(target)) deletePod(state, { job, pod }, now);
  const missing = mayRetry(sync) && mayCreatePods(state, job, now) ? target - taken : 0;
  for (let made = 0; made < missing; made += 1) {
    if (!createPod(state, job, now)) return;
  }
}

/** Tells of a suspension or its end, and starts the clock of the Job. */
function withSuspension({ state, job, now }: Sync, status: JobStatus): JobStatus {
  const isSuspended = hasCondition(status.conditions, 'Suspended');
  if (job.spec.suspend === isSuspended) {
    return isSuspended || status.startTime !== undefined ? status : { ...status, startTime: kubeTime(now) };
  }
  const told = job.spec.suspend
    ? ({ reason: 'Suspended', message: 'Job suspended' } as const)
    : ({ reason: 'Resumed', message: 'Job resumed' } as const);
  addEvent(state, { about: job, type: 'Normal', ...told, source: jobController }, now);
  const value = job.spec.suspend ? 'True' : 'False';
  const changed = withCondition(
    status,
    { type: 'Suspended', status: value, reason: `Job${told.reason}`, message: told.message },
    now,
  );
  return job.spec.suspend ? changed : { ...changed, startTime: kubeTime(now) };
}

/** A Job that has not failed: suspend it, end it, or see to its pods. */
function carryOn(sync: Sync, status: JobStatus): JobStatus {
  const clocked = withSuspension(sync, status);
  if (hasCondition(clocked.conditions, 'SuccessCriteriaMet')) {
    return isSettled(sync, clocked) ? complete(sync, clocked) : clocked;
  }
  managePods(sync, clocked);
  if (!hasSucceeded(sync, clocked)) return clocked;
  return withCondition(clocked, { type: 'SuccessCriteriaMet', status: 'True', ...reached }, sync.now);
}

/** One step of one Job. */
export function syncJob(state: ClusterState, { job, pods }: { job: Job; pods: readonly Pod[] }, now: Date): void {
  const sync: Sync = { state, job, pods, now };
  if (isFinished(job) || job.metadata.deletionTimestamp !== undefined) {
    // Nothing is counted any more: the pods are let go.
    for (const pod of pods.filter(isTracked)) releasePod(state, pod);
    if (isFinished(job)) return;
    storeStatus(sync, job.status);
    return;
  }
  const counted = countEnds(sync);
  const failure = failureOf(sync, counted);
  storeStatus(sync, failure === null ? carryOn(sync, counted) : fail(sync, counted, failure));
}

/** Pods that this step made are counted by the next one. */
function storeStatus(sync: Sync, status: JobStatus): void {
  const { state, job } = sync;
  const { active: _active, ...rest } = status;
  const next: JobStatus = { ...rest, ...counters(currentPods(sync)) };
  if (!isSameJson(next, job.status)) writeJob(state, { ...job, status: next });
}

const sortedKeys = (_key: string, value: unknown): unknown =>
  isJsonObject(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;

/** In whatever order the fields stand; mostly they stand in the same. */
const isSameJson = (a: unknown, b: unknown): boolean =>
  JSON.stringify(a) === JSON.stringify(b) || JSON.stringify(a, sortedKeys) === JSON.stringify(b, sortedKeys);
