import { isActive } from './cluster.ts';
import { isFinished } from './flow-run.ts';
import { leaseIsOver } from './history.ts';
import {
  type JobCase,
  type JobRule,
  ageMs,
  isCancelRow,
  rowAt,
  minutes,
  hasFinished,
  isOfTheClaim,
  isAwaited,
  waitsSince,
  isLeftToOthers,
  restore,
  isNewestOfRunning,
  isOldEnough,
  hasLingered,
  hasLingeredWell,
  isOwnRun,
  isBeyond,
  isPending,
  wait,
  remove,
  fail,
  keepAlive,
  claimsUnderKey,
  earlyPodLimit,
  ttlMs,
  hasWaitingTask,
  lazarusIsOff,
  type RunRule,
  failJobless,
  lastSeen,
  waitForRun,
} from './reconcile-case.ts';

const always = (): boolean => true;

/** A pending pod that has no grace left, whatever its run is waiting for. */
const isGivenUp = ({ diagnosis, job, policy, now }: JobCase): boolean => {
  const { progress, hopeless, since } = diagnosis;
  if (progress === 'blocked' && (hopeless || isBeyond(policy.imageGraceMs, since, now))) return true;
  if (progress === 'podless' && hopeless && isBeyond(policy.podlessGraceMs, job.createdAt, now)) return true;
  return isBeyond(policy.pendingGraceMs, job.createdAt, now);
};

/** Order is meaning: the first rule that matches decides, and the last one always matches. */
export const jobRules: readonly JobRule[] = [
  {
    // Neither alive nor gone: a pod of it can still set Running.
    name: 'job-being-deleted',
    matches: ({ job }) => job.deleting,
    decide: (observed, rule) => wait(observed, rule, `Job ${observed.job.name} is being deleted`),
  },
  {
    name: 'run-deleted',
    matches: ({ gone }) => gone,
    decide: (observed, rule) =>
      remove(observed, rule, { why: 'the flow run does not exist any more', propagation: 'Foreground' }),
  },
  {
    // An unreadable answer is never evidence.
    name: 'run-unreadable',
    matches: ({ run }) => run === null,
    decide: (observed, rule) => wait(observed, rule, 'the flow run could not be read'),
  },
  {
    // A run that somebody paused is nobody's to fail; what its Job does is seen when it goes on.
    name: 'run-paused',
    matches: ({ run }) => run?.state === 'Paused' || run?.state === 'Resume',
    decide: (observed, rule) => wait(observed, rule, `the flow run is ${observed.run?.state}`),
  },
  {
    // A flow that runs may stop itself (it polls every 15 s); a pending one never hears (protocol rules 13 and 14).
    // Where a Failed of ours covers the cancel that is put right first: without its Job such a run is seen no more.
    name: 'run-cancelled',
    matches: (observed) =>
      isCancelRow(observed.effective) &&
      isActive(observed.job) &&
      !(hasFinished(observed) && observed.covered !== null),
    decide: (observed, rule) => {
      const { effective, policy, now } = observed;
      const since = effective === null ? now : rowAt(effective);
      const mayStop =
        !isPending(observed) && observed.job.phase === 'active' && ageMs(since, now) <= policy.cancelGraceMs;
      if (mayStop) return wait(observed, rule, 'the flow may stop itself first');
      return remove(observed, rule, { why: 'the flow run is cancelled', propagation: 'Foreground' });
    },
  },
  {
    name: 'cancelled-after-the-job-ended',
    matches: ({ effective, run, siblings, takenOver }) =>
      isCancelRow(effective) && run !== null && !isFinished(run.state) && !takenOver && !siblings.some(isActive),
    decide: ({ run, runId, job }, rule) =>
      run === null
        ? { kind: 'wait', rule, why: 'the flow run could not be read', runId, job }
        : { kind: 'cancel-run', rule, why: `cancelled, and Job ${job.name} is over`, run },
  },
  {
    // A claim or a Failed that came late, and whose undoing was lost. A cancel that a claim covers is carried out above.
    name: 'our-write-covers-a-newer-state',
    matches: ({ covered }) => covered !== null,
    decide: (observed, rule) => {
      const { run, covered } = observed;
      return run === null || covered === null
        ? wait(observed, rule, 'the flow run could not be read')
        : restore(run, covered, rule);
    },
  },
  {
    // FailureTarget and SuccessCriteriaMet only announce the end; pods may still run (kubernetes 1.31 and later). On a lost
    // node the end may never come: what is right without it stands above.
    name: 'about-to-end',
    matches: ({ job }) => job.announced !== null,
    decide: (observed, rule) => wait(observed, rule, `Job ${observed.job.name} is ending (${observed.job.announced})`),
  },
  {
    // The peer leaves such a Job for ever; a late start would run a finished run.
    name: 'run-finished-before-the-pod-started',
    matches: (observed) => hasFinished(observed) && isPending(observed),
    decide: (observed, rule) =>
      remove(observed, rule, { why: `the flow run is ${observed.run?.state}`, propagation: 'Foreground' }),
  },
  {
    // The flow is over and so is its container; a sidecar would keep the Job, its node and its place for ever.
    name: 'sidecar-keeps-the-job',
    matches: (observed) => hasFinished(observed) && hasLingered(observed),
    decide: (observed, rule) => remove(observed, rule, { why: observed.diagnosis.summary, propagation: 'Foreground' }),
  },
  {
    name: 'finishing',
    matches: (observed) => hasFinished(observed) && isActive(observed.job),
    decide: (observed, rule) =>
      wait(observed, rule, `the flow run is ${observed.run?.state}, its pod has not ended yet`),
  },
  {
    // exit code 0 proves nothing: a process that starts before its time, or cannot read its state, ends with 0 (early pod).
    name: 'ended-without-starting',
    tells: always,
    matches: (observed) => isOfTheClaim(observed) && (observed.job.phase === 'complete' || hasLingeredWell(observed)),
    decide: (observed, rule) => {
      const claims = claimsUnderKey(observed);
      const why = `Job ${observed.job.name} succeeded without starting the flow run`;
      if (claims >= earlyPodLimit) return fail(observed, rule, { why: `${why} ${claims} times`, endJob: false });
      return remove(observed, rule, { why: `${why}; it is created again`, propagation: 'Background' });
    },
  },
  {
    // Infrastructure that fails before the flow started costs nobody a retry, within INFRA_RETRIES (protocol rule 15).
    name: 'lost-before-it-started',
    tells: always,
    matches: (observed) =>
      observed.job.phase === 'failed' &&
      isOfTheClaim(observed) &&
      observed.diagnosis.infrastructure &&
      claimsUnderKey(observed) < 1 + observed.policy.infraRetries,
    decide: (observed, rule) =>
      remove(observed, rule, { why: `${observed.diagnosis.summary}; it is created again`, propagation: 'Background' }),
  },
  {
    name: 'failed-before-it-started',
    matches: (observed) => observed.job.phase === 'failed' && isOfTheClaim(observed),
    decide: (observed, rule) => fail(observed, rule, { why: observed.diagnosis.summary, endJob: false }),
  },
  {
    // With INFRA_RETRIES the server's zombie killer and Lazarus bring such a run back (protocol rule 12).
    name: 'lost-while-running',
    tells: always,
    matches: (observed) =>
      observed.job.phase === 'failed' &&
      isNewestOfRunning(observed) &&
      observed.diagnosis.infrastructure &&
      observed.policy.infraRetries > 0 &&
      isLeftToOthers(observed),
    decide: (observed, rule) =>
      wait(observed, rule, `${observed.diagnosis.summary}; left to the zombie killer and Lazarus`),
  },
  {
    name: 'died-while-running',
    matches: (observed) => observed.job.phase === 'failed' && isNewestOfRunning(observed),
    decide: (observed, rule) => fail(observed, rule, { why: observed.diagnosis.summary, endJob: false }),
  },
  {
    // The process ended with 0 and left the run Running: a long task retry, or it was killed without a word. Where the
    // server's services are switched off for the flow nobody else would ever notice (protocol rule 12).
    name: 'ended-while-running',
    // A task retry that waits for its time is as it should be.
    tells: (observed) => !hasWaitingTask(observed),
    matches: (observed) => observed.job.phase === 'complete' && isNewestOfRunning(observed),
    decide: (observed, rule) => {
      const { job, policy, now } = observed;
      const since = job.finishedAt ?? job.createdAt;
      const nobodyActs = isBeyond(policy.pendingGraceMs, since, now) && !hasWaitingTask(observed);
      if (nobodyActs || (lazarusIsOff(observed) && !hasWaitingTask(observed) && isOldEnough(observed))) {
        return fail(observed, rule, {
          why: `Job ${job.name} succeeded, but the flow run is still Running and no pod is left`,
          endJob: false,
        });
      }
      return wait(observed, rule, 'left to the zombie killer and Lazarus, or to a task retry');
    },
  },
  {
    name: 'kept-for-its-ttl',
    matches: (observed) => {
      const { job, policy, now } = observed;
      return (
        !isActive(job) && (!policy.deleteFinishedJobs || ageMs(job.finishedAt ?? job.createdAt, now) < ttlMs(observed))
      );
    },
    decide: (observed, rule) => wait(observed, rule, `Job ${observed.job.name} is over`),
  },
  {
    name: 'ttl-is-over',
    matches: ({ job }) => !isActive(job),
    decide: (observed, rule) =>
      remove(observed, rule, { why: `kept for ${minutes(ttlMs(observed))}`, propagation: 'Background' }),
  },
  {
    // Kueue and the like suspend Jobs: waiting, not lost.
    name: 'suspended',
    matches: ({ job }) => job.phase === 'suspended',
    decide: (observed, rule) => keepAlive(observed, rule, `Job ${observed.job.name} is suspended`),
  },
  {
    name: 'can-never-start',
    matches: (observed) =>
      isAwaited(observed) && observed.diagnosis.progress === 'blocked' && observed.diagnosis.hopeless,
    decide: (observed, rule) => fail(observed, rule, { why: observed.diagnosis.summary, endJob: true }),
  },
  {
    // A registry that is away for a moment heals; a name nobody pushed does not.
    name: 'cannot-start-for-too-long',
    matches: (observed) =>
      isAwaited(observed) &&
      observed.diagnosis.progress === 'blocked' &&
      isBeyond(observed.policy.imageGraceMs, observed.diagnosis.since, observed.now),
    decide: (observed, rule) => fail(observed, rule, { why: observed.diagnosis.summary, endJob: true }),
  },
  {
    name: 'pending-for-too-long',
    matches: (observed) =>
      isAwaited(observed) &&
      isPending(observed) &&
      isBeyond(observed.policy.pendingGraceMs, waitsSince(observed), observed.now),
    decide: (observed, rule) =>
      fail(observed, rule, {
        why: `not started within ${minutes(observed.policy.pendingGraceMs)}: ${observed.diagnosis.summary}`,
        endJob: true,
      }),
  },
  {
    // The same pod would be refused for ever: PodSecurity, an admission policy, a service account that is not there.
    name: 'pod-refused-for-good',
    matches: (observed) =>
      isAwaited(observed) &&
      observed.diagnosis.progress === 'podless' &&
      observed.diagnosis.hopeless &&
      isBeyond(observed.policy.podlessGraceMs, observed.job.createdAt, observed.now),
    decide: (observed, rule) => fail(observed, rule, { why: observed.diagnosis.summary, endJob: true }),
  },
  {
    // Its attempt is over, yet while it lives dispatch holds the run: a Job that cannot start must make room.
    name: 'blocks-a-newer-attempt',
    tells: always,
    matches: (observed) => observed.run?.state === 'Scheduled' && isPending(observed) && isGivenUp(observed),
    decide: (observed, rule) => remove(observed, rule, { why: observed.diagnosis.summary, propagation: 'Foreground' }),
  },
  {
    name: 'without-a-pod',
    matches: ({ diagnosis, job, policy, now }) =>
      diagnosis.progress === 'podless' && isBeyond(policy.podlessGraceMs, job.createdAt, now),
    decide: (observed, rule) => keepAlive(observed, rule, observed.diagnosis.summary),
  },
  {
    name: 'waiting-to-start',
    matches: isPending,
    decide: (observed, rule) => keepAlive(observed, rule, observed.diagnosis.summary),
  },
  {
    // backoffLimit above 0 is the author's choice: the Job's terminal condition decides, not its first failed pod.
    name: 'backoff-retries-left',
    matches: ({ diagnosis, job }) => diagnosis.progress === 'ended' && job.phase === 'active',
    // Its back-off may last longer than the ten minutes after which Lazarus takes a Submitted run for lost.
    decide: (observed, rule) => keepAlive(observed, rule, observed.diagnosis.summary),
  },
  {
    // The flow process is gone, the pod is not. The process may have had its say; a run that it left unfinished is dead.
    name: 'flow-ended-under-a-sidecar',
    tells: always,
    matches: (observed) => isOwnRun(observed) && hasLingered(observed) && !hasWaitingTask(observed),
    decide: (observed, rule) => {
      const { diagnosis, policy, now } = observed;
      const isDead = diagnosis.exitCode !== 0 || isBeyond(policy.pendingGraceMs, diagnosis.since, now);
      if (isDead) return fail(observed, rule, { why: diagnosis.summary, endJob: true });
      return wait(observed, rule, `${diagnosis.summary}; left to the zombie killer and Lazarus`);
    },
  },
  {
    name: 'still-working',
    matches: () => true,
    decide: (observed, rule) => wait(observed, rule, observed.diagnosis.summary),
  },
];

/** Runs of this stack without any Job. Order is meaning here too. */
export const joblessRules: readonly RunRule[] = [
  {
    name: 'already-over',
    matches: ({ run }) => isFinished(run.state),
    decide: (observed, rule) => waitForRun(observed, rule, `the flow run is ${observed.run.state}`),
  },
  {
    // The agent's name says little: another stack may bear it, and its Jobs are in a namespace that is not read here.
    name: 'claimed-by-somebody-else',
    matches: ({ isOurs }) => !isOurs,
    decide: (observed, rule) => waitForRun(observed, rule, 'the last claim of the flow run is not this stack’s'),
  },
  {
    // Within ten minutes, or the server's zombie killer writes Failed instead (protocol rule 14). A pod that outlived its
    // Job hears of a Cancelling itself, unless its node is lost: then nobody knows, and what cannot be known is not written.
    name: 'cancelled-without-a-job',
    matches: ({ effective }) => isCancelRow(effective),
    decide: (observed, rule) =>
      observed.hasLivePod
        ? waitForRun(observed, rule, 'cancelled, but a pod of it is still there')
        : { kind: 'cancel-run', rule, why: 'cancelled, and no Job of it is left', run: observed.run },
  },
  {
    name: 'jobless-claim-covers-a-newer-state',
    matches: ({ covered }) => covered !== null,
    decide: (observed, rule) =>
      observed.covered === null
        ? waitForRun(observed, rule, 'nothing is covered')
        : restore(observed.run, observed.covered, rule),
  },
  {
    name: 'claimed-within-its-lease',
    matches: ({ run, token, now }) => run.state === 'Submitted' && token !== null && !leaseIsOver(token, now),
    decide: (observed, rule) => waitForRun(observed, rule, `claimed until ${observed.token?.until.toISOString()}`),
  },
  {
    // Jobs are created by dispatch alone (protocol rule 10).
    name: 'jobless-claim-is-dispatchs',
    matches: ({ run }) => run.state === 'Submitted',
    decide: (observed, rule) => waitForRun(observed, rule, 'dispatch claims it again under the same key'),
  },
  {
    // Deleted by hand, or by the TTL before reconcile saw its end. The server's services come first, where they act at all.
    name: 'running-with-nothing-left',
    matches: (observed) => {
      const { run, isEmpty, policy, now } = observed;
      if (run.state !== 'Running' || !isEmpty || run.waitingTaskRuns > 0) return false;
      const since = lastSeen(observed);
      const unserved = lazarusIsOff(observed) && ageMs(since, now) > policy.quietAgeMs;
      return unserved || isBeyond(policy.pendingGraceMs, since, now);
    },
    decide: (observed, rule) =>
      failJobless(observed, rule, `its Job and its pods are gone, and nothing was heard of it for a while`),
  },
  {
    name: 'running-without-a-job',
    matches: () => true,
    decide: (observed, rule) =>
      waitForRun(
        observed,
        rule,
        observed.run.waitingTaskRuns > 0
          ? 'a task retry is waiting for its time'
          : 'left to the zombie killer and Lazarus',
      ),
  },
];
