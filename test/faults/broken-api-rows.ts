import type { BrokenRow } from './broken-rows.ts';

/** Rows of processes that die or overlap, and of APIs that answer badly. */
export const brokenApiRows: Readonly<Record<number, BrokenRow>> = {
  1: {
    mistake: 'asks only for what became due since its last poll',
    edit: {
      file: 'functions/prefect/filters.ts',
      from: 'const notLate = lateBefore === null ? {} : { _gte: lateBefore.toISOString() };',
      to: `const notLate = scheduledRuns.polledTo === undefined ? {} : { _gt: scheduledRuns.polledTo };
           scheduledRuns.polledTo = dueBefore.toISOString();`,
    },
    file: 'dispatch',
    variant: 'each request before it',
    says: /scene\.jobsOf\(id\)\.length === 1/u,
  },
  2: {
    mistake: 'takes each run once in the life of a container',
    edit: {
      file: 'functions/ticks/dispatch-tick.ts',
      from: 'readOf(due, kind).runs.map(',
      to: `readOf(due, kind).runs.filter(({ id }) => {
             dueRuns.taken ??= new Set();
             return dueRuns.taken.has(id) ? false : dueRuns.taken.add(id);
           }).map(`,
    },
    file: 'dispatch',
    variant: 'at the claim',
    says: /^\[ 'Scheduled' \] instead of \[ 'Scheduled', 'Submitted' \]$/u,
  },
  3: {
    mistake: 'lets a claim hold for ever',
    edit: {
      file: 'functions/core/dispatch-plan.ts',
      from: "kind === 'claim' && token !== null && !leaseIsOver(token, input.now)",
      to: "kind === 'claim' && token !== null",
    },
    file: 'dispatch',
    variant: 'right after the claim',
    says: /^T: claimed, and no Job of it is there/u,
  },
  4: {
    mistake: 'looks Jobs up by their names, and finds none',
    edit: {
      file: 'functions/core/dispatch-plan.ts',
      from: 'Map.groupBy(input.jobs, (job) => job.runId)',
      to: 'Map.groupBy(input.jobs, (job) => job.name)',
    },
    file: 'dispatch',
    variant: 'right after the create, and the pod waits for longer than the lease',
    says: /^\[ \[ 'Scheduled', 'Submitted', 'Submitted' \], 1 \] instead of/u,
  },
  5: {
    mistake: 'sends again what had no answer',
    edit: {
      file: 'functions/prefect/send-writes.ts',
      from: 'const states = answered.filter(',
      to: `if (sendWrites.lost?.length > 0) await sendOne(sendWrites.lost, batch.signal, endpoint);
           sendWrites.lost = answered
             .filter(({ answer }) => answer.problems[0]?.code === lostAnswer)
             .map(({ operation }) => operation);
           const states = answered.filter(`,
    },
    file: 'dispatch',
    variant: 'after the log is written',
    says: /^2 instead of 1$/u,
  },
  6: {
    mistake: 'deletes a pending Job only in the tick that failed its run',
    edit: {
      file: 'functions/core/reconcile-rules.ts',
      from: 'matches: (observed) => hasFinished(observed) && isPending(observed)',
      to: 'matches: () => false',
    },
    file: 'reconcile',
    variant: 'at every request of a full tick',
    says: /\[ 'Failed', 1, 1 \] \] instead of .*\[ 'Failed', 1, 0 \] \]$/u,
  },
  7: {
    mistake: 'finds that a claimed run is no longer Scheduled',
    edit: {
      file: 'functions/core/dispatch-plan.ts',
      from: "kind === 'claim' && effectiveState(run.history, input.policy.stackId)?.state !== 'Scheduled'",
      to: "kind === 'claim' && run.state !== 'Scheduled'",
    },
    file: 'dispatch',
    variant: 'at the claims of the first wave',
    says: /^T: claimed, and no Job of it is there/u,
  },
  8: {
    mistake: 'creates for whoever claims, under a name of its own',
    edit: {
      file: 'functions/core/job-spec.ts',
      from: 'jobNameOf(identifier)',
      to: 'jobNameOf(identifierOf(run.id, identity.claimId))',
    },
    and: { file: 'functions/core/claim.ts', from: ' || token?.claim !== claimId', to: '' },
    file: 'overlap',
    variant: 'both have polled before either claims, in 200 orders',
    says: /^[2-9] instead of 1$/u,
  },
  9: {
    mistake: 'thinks that there is always time for one more create',
    edit: {
      file: 'functions/ticks/budget.ts',
      from: 'return this.deadline.getTime() - this.#clock.now().getTime();',
      to: 'return Math.max(20_000, this.deadline.getTime() - this.#clock.now().getTime());',
    },
    file: 'overlap',
    variant: 'frozen for ten minutes with its create on the wire',
    says: /^2 instead of 1$/u,
  },
  10: {
    mistake: 'writes what it decided, whatever the run has become since',
    edit: { file: 'functions/ticks/guarded-write.ts', from: 'sameTruth(intent.basis, run) &&', to: '' },
    file: 'overlap',
    variant: 'on runs that die, wait and never start, in 40 orders',
    says: /^F: our Failed came while Job \S+ was at work$/u,
  },
  11: {
    mistake: 'does not look which Jobs a run has',
    edit: {
      file: 'functions/core/dispatch-plan.ts',
      from: 'const jobs = jobsOf.get(run.id) ?? [];',
      to: 'const jobs: JobSnapshot[] = [];',
    },
    file: 'overlap',
    variant: 'each event again while the pod is pending, after the server has forgotten the first',
    says: /^\[ \[ 'Scheduled', 'Submitted', 'Submitted' \], 1 \] instead of/u,
  },
  12: {
    mistake: 'takes a claim without an answer for none',
    edit: {
      file: 'functions/ticks/claim-waves.ts',
      from: 'this.#lostLogs += answers.lostLogs;',
      to: `if (answers.states.some(({ kind }) => kind === 'unknown')) throw new Error('not claimed');
           this.#lostLogs += answers.lostLogs;`,
    },
    file: 'wire',
    variant: 'the connection closes',
    says: /^0 instead of 3$/u,
  },
  13: {
    mistake: 'does not look whose Job has the name',
    edit: {
      file: 'functions/kubernetes/job-writer.ts',
      from: 'return isTaken ? this.#standing(job, refusal, signal) : refusal;',
      to: 'return refusal;',
    },
    file: 'wire',
    variant: '504 after it took effect',
    says: /^0 instead of 2$/u,
  },
  14: {
    mistake: 'sends requests without a time limit',
    edit: {
      file: 'functions/prefect/call.ts',
      from: 'AbortSignal.any([batch.signal, clock.limit(requestLimitMs)])',
      to: 'new AbortController().signal',
    },
    file: 'prefect',
    variant: 'so slow that a request is given up: both ticks end with it, and soon',
    says: /begun <= 16 \* second/u,
  },
  15: {
    mistake: 'takes the newest runs first',
    edit: {
      file: 'functions/prefect/reads.ts',
      from: "{ scheduled_start_time: 'asc' }",
      to: "{ scheduled_start_time: 'desc' }",
    },
    file: 'prefect',
    variant: 'a thousand runs, three hundred a tick',
    says: /^\[ 500, 501, .* instead of \[ 0, 1, /u,
  },
  16: {
    mistake: 'waits a quarter of an hour after the first claim that came to nothing',
    edit: { file: 'functions/core/dispatch-plan.ts', from: '2 ** (claims.length - 1)', to: '2 ** (claims.length + 3)' },
    file: 'prefect',
    variant: 'from the first claim on',
    says: /^T: claimed, and no Job of it is there/u,
  },
  17: {
    mistake: 'gives a wave up when one of its runs is gone',
    edit: {
      file: 'functions/ticks/claim-waves.ts',
      from: 'this.#read = { at, runs: new Map(runs.map((run) => [run.id, run])) };',
      to: `if (runs.length < ids.length) throw new Error('some runs could not be read');
           this.#read = { at, runs: new Map(runs.map((run) => [run.id, run])) };`,
    },
    file: 'prefect',
    variant: 'a run of it was deleted before the claim',
    says: /^0 instead of 4$/u,
  },
  18: {
    mistake: 'takes the rows beside an error for all there are',
    edit: {
      file: 'functions/prefect/reads.ts',
      from: 'if (answer === undefined || answer.problems.length > 0) throw',
      to: 'if (answer === undefined) throw',
    },
    file: 'prefect',
    variant: 'errors beside no rows, for five minutes, while one run works and another waits',
    says: /^\[ \[ 'Running', 0 \], \[ 'Submitted', 0 \] \] instead of/u,
  },
  19: {
    mistake: 'takes the rejected token from its memory again',
    edit: {
      file: 'functions/aws/runner-token.ts',
      from: 'refresh: read,',
      to: 'refresh: async () => memory.token ?? read(),',
    },
    file: 'secrets',
    variant: 'rotated: the old one is refused, the secret has the new one',
    says: /^\[ \{ code: 'PREFECT_REFUSED'.* instead of \[ null, 2 \]$/u,
  },
  20: {
    mistake: 'logs in again with the token that was refused',
    edit: {
      file: 'functions/aws/eks-token.ts',
      from: 'refresh: mint,',
      to: 'refresh: async () => minted?.token ?? mint(),',
    },
    file: 'cluster',
    variant: 'refused once, at creates',
    says: /^\[ \{ code: 'CLUSTER_FORBIDDEN'.* instead of \[ null, 1 \]$/u,
  },
  21: {
    mistake: 'waits for Secrets Manager as long as it takes',
    edit: {
      file: 'functions/aws/runner-token.ts',
      from: '.send(command, { abortSignal: clock.limit(awsLimitMs) })',
      to: '.send(command)',
    },
    file: 'secrets',
    variant: 'does not answer',
    says: /^'PREFECT_UNREACHABLE' instead of 'SECRET_UNAVAILABLE'$/u,
  },
  22: {
    mistake: 'does not send a read again over a new connection',
    edit: {
      file: 'functions/kubernetes/session.ts',
      from: "return wasNotProcessed(error) || (method === 'GET' && isDeadSession(error));",
      to: 'return wasNotProcessed(error);',
    },
    file: 'wire',
    variant: 'reset, at jobLists',
    says: /^\[ \{ code: 'CLUSTER_UNREACHABLE'.* instead of \[ null, /u,
  },
  23: {
    mistake: 'begins a wave without the time that the last one took',
    edit: { file: 'functions/ticks/claim-waves.ts', from: 'createLimitMs + this.#lastWaveMs', to: 'createLimitMs' },
    file: 'cluster',
    variant: 'a list and a create take nearly as long as they may: no second wave',
    says: /^\[ 30, \[ .* instead of \[ 25, \[\] \]$/u,
  },
  24: {
    mistake: 'does not wait as long as Retry-After says',
    edit: {
      file: 'functions/kubernetes/refusal.ts',
      from: 'return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;',
      to: 'return Number.isFinite(seconds) && seconds >= 0 ? 1 : null;',
    },
    file: 'cluster',
    variant: 'Retry-After 30, at creates',
    says: /instead of \[\]$/u,
  },
};
