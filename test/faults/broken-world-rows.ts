import type { BrokenRow } from './broken-rows.ts';

/** Rows of what happens in the cluster, and of what people do. */
export const brokenWorldRows: Readonly<Record<number, BrokenRow>> = {
  25: {
    mistake: 'goes on claiming without the right to create',
    edit: {
      file: 'functions/ticks/create-job.ts',
      from: "'quota', 'forbidden', 'login', 'namespace'",
      to: "'quota', 'login', 'namespace'",
    },
    file: 'cluster',
    variant: 'no right to create: one wave is claimed, none fails',
    says: /^undefined instead of 'CLUSTER_FORBIDDEN'$/u,
  },
  26: {
    mistake: 'fails a run for a quota at once',
    edit: {
      file: 'functions/ticks/wave-creates.ts',
      from: "if (refusal.class === 'invalid') return true;",
      to: "if (refusal.class === 'invalid' || refusal.class === 'quota') return true;",
    },
    file: 'cluster',
    variant: 'on Jobs: the others wait, with a growing pause',
    says: /^1,1,1$/u,
  },
  27: {
    mistake: 'takes the no of a webhook for a missing right',
    edit: {
      file: 'functions/kubernetes/refusal.ts',
      from: String.raw`/\bdenied\b|violates PodSecurity/u`,
      to: '/violates PodSecurity/u',
    },
    file: 'cluster',
    variant: 'denies with 403: Failed, in its words',
    says: /^'Submitted' instead of 'Failed'$/u,
  },
  28: {
    mistake: 'hopes that a pod which PodSecurity refused will be taken later',
    edit: {
      file: 'functions/core/pod-refusals.ts',
      from: "category: 'PodSecurity', permanent: true",
      to: "category: 'PodSecurity', permanent: false",
    },
    file: 'cluster',
    variant: 'the namespace enforces a level that the pod violates',
    says: /^'Submitted' instead of 'Failed'$/u,
  },
  29: {
    mistake: 'gives the server no time for a run whose Job is gone',
    edit: {
      file: 'functions/core/reconcile-rules.ts',
      from: 'return unserved || isBeyond(policy.pendingGraceMs, since, now);',
      to: 'return unserved || isBeyond(policy.imageGraceMs, since, now);',
    },
    file: 'pods',
    variant: 'by hand, while it works',
    says: /^'Failed' instead of 'Running'$/u,
  },
  30: {
    mistake: 'fails a run without a Job though the server looks after it',
    edit: {
      file: 'functions/core/reconcile-rules.ts',
      from: 'const unserved = lazarusIsOff(observed) && ',
      to: 'const unserved = ',
    },
    file: 'pods',
    variant: 'and the run is Running',
    says: /^\[ 'Failed', 1 \] instead of \[ 'Success', 2 \]$/u,
  },
  31: {
    mistake: 'counts the first claim as a retry',
    edit: {
      file: 'functions/core/reconcile-rules.ts',
      from: 'claimsUnderKey(observed) < 1 + observed.policy.infraRetries',
      to: 'claimsUnderKey(observed) < observed.policy.infraRetries',
    },
    file: 'pods',
    variant: 'evicted while unschedulable, one retry',
    says: /^\[ 'Failed', 1 \] instead of \[ 'Success', 2 \]$/u,
  },
  32: {
    mistake: 'fails whatever the newest Job failed for',
    edit: {
      file: 'functions/core/reconcile-case.ts',
      from: "observed.run?.state === 'Running' && isLastWord(observed) && !observed.siblings.some(isActive)",
      to: 'isLastWord(observed) && !observed.siblings.some(isActive)',
    },
    file: 'pods',
    variant: 'and Lazarus has rescheduled the run: the old Job fails nothing',
    says: /^'Failed' instead of 'Scheduled'$/u,
  },
  33: {
    mistake: 'takes a pod that is not ready for one that has ended',
    edit: {
      file: 'functions/core/pod-diagnosis.ts',
      from: "if (flow?.state === 'terminated') return",
      to: `const isAway = pod.conditions.some(({ type, status }) => type === 'Ready' && status === 'False');
           if (flow !== undefined && (isAway || flow.state === 'terminated')) return`,
    },
    file: 'pods',
    variant: 'for ten minutes with their node, and come back',
    says: /^\[ 'Failed', 1 \] instead of \[ 'Running', 1 \]$/u,
  },
  34: {
    mistake: 'does not wait for the services of the server',
    edit: {
      file: 'functions/core/reconcile-rules.ts',
      from: 'const nobodyActs = isBeyond(policy.pendingGraceMs, since, now) &&',
      to: 'const nobodyActs =',
    },
    file: 'pods',
    variant: 'exit 0 with the run still Running: left to the server',
    says: /^'Failed' instead of 'Running'$/u,
  },
  35: {
    mistake: 'leaves the Job of a run that it failed',
    edit: {
      file: 'functions/ticks/apply-reconcile.ts',
      from: 'deleteJobs(deps, written.ended)',
      to: 'deleteJobs(deps, [])',
    },
    file: 'pods',
    variant: 'image-never-pulls, healed just after the grace',
    says: /^\[ 'Failed', 1, 1 \] instead of \[ 'Failed', 0, 1 \]$/u,
  },
  36: {
    mistake: 'takes FailureTarget for the end of a Job',
    edit: {
      file: 'functions/kubernetes/observe.ts',
      from: "text(each, 'type') === 'Failed'",
      to: "text(each, 'type').startsWith('Fail')",
    },
    file: 'pods',
    variant: 'FailureTarget alone: no report',
    says: /^\[ 'Failed', 1 \] instead of \[ 'Running', 1 \]$/u,
  },
  37: {
    mistake: 'writes a state without reading the run again',
    edit: {
      file: 'functions/ticks/guarded-write.ts',
      from: 'const fresh = await readById(deps, intents);',
      to: 'const fresh = new Map(intents.map(({ basis }) => [basis.id, basis]));',
    },
    file: 'reconcile',
    variant: 'before and after each request of the tick that would fail it',
    says: /^\d+ times$/u,
  },
  38: {
    mistake: 'does not see a cancel under its claim',
    edit: {
      file: 'functions/core/claim.ts',
      from: "if (effective.state !== 'Scheduled') return",
      to: "if (effective.state === 'Success') return",
    },
    file: 'people',
    variant: 'before the claim lands',
    says: /^'Success' instead of 'Cancelled'$/u,
  },
  39: {
    mistake: 'makes one name for all attempts of a run',
    edit: {
      file: 'functions/core/job-spec.ts',
      from: 'identifierOf(run.id, identity.key)',
      to: "identifierOf(run.id, '')",
    },
    file: 'people',
    variant: 'a run that is finished',
    says: /^1 instead of 2$/u,
  },
  40: {
    mistake: 'never finds a run deleted',
    edit: {
      file: 'functions/ticks/reconcile-tick.ts',
      from: 'nameless ? [] : asked.filter((id) => !known.has(id))',
      to: '[]',
    },
    file: 'people',
    variant: 'while it works',
    says: /^1 instead of 0$/u,
  },
  41: {
    mistake: 'takes a run config that it cannot read for an empty one',
    edit: {
      file: 'functions/core/run-config.ts',
      from: "return unreadable('it is not an object.')",
      to: "return { kind: 'read', config: emptyRunConfig }",
    },
    file: 'authors',
    variant: 'text for a run config: refused, the others go on',
    says: /^\[ 'Success', 1 \] instead of \[ 'Failed', 0 \]$/u,
  },
  42: {
    mistake: 'lets authors mount the node’s disk',
    edit: {
      file: 'functions/core/template-rules.ts',
      from: "(fieldOf(volume, 'hostPath') ?? null) !== null",
      to: "fieldOf(volume, 'hostPath') === ''",
    },
    file: 'authors',
    variant: 'under the policy baseline',
    says: /^true instead of false$/u,
  },
  43: {
    mistake: 'looks at addresses that are written out, and not at what a name leads to',
    edit: {
      file: 'functions/templates/guarded-get.ts',
      from: '!addresses.every(isPublicAddress)',
      to: 'isIP(hostOf(url)) !== 0 && !addresses.every(isPublicAddress)',
    },
    file: 'authors',
    variant: 'inside.example.com, though it is an allowed place',
    says: /^1 instead of 0$/u,
  },
  44: {
    mistake: 'gives a claim up while the API server may still act on it',
    edit: {
      file: 'functions/core/history.ts',
      from: 'token.until.getTime() + clockSkewMs',
      to: 'token.until.getTime() - 60_000',
    },
    file: 'time-and-size',
    variant: "the Prefect server's, by -10 min, and a claim has no Job yet",
    says: /^\[ \[ 'Scheduled', 'Submitted', 'Submitted' \], 1 \] instead of/u,
  },
  45: {
    mistake: 'takes half of a list for the list',
    edit: {
      file: 'functions/kubernetes/lists.ts',
      from: "return { kind: 'expired' }",
      to: "return { kind: 'whole', found }",
    },
    file: 'time-and-size',
    variant: 'and it expires in every pass: nothing is claimed, deleted or failed',
    says: /^undefined instead of 'CLUSTER_REFUSED'$/u,
  },
  46: {
    mistake: 'is content with a list from a cache',
    edit: {
      file: 'functions/kubernetes/lists.ts',
      from: '{ limit: String(limit) }',
      to: "{ limit: String(limit), resourceVersion: '0' }",
    },
    file: 'time-and-size',
    variant: 'every list is asked for the most recent',
    says: /path\.includes\('resourceVersion'\)/u,
  },
  47: {
    mistake: 'asks the queue, as the ordinary agent does',
    edit: {
      file: 'functions/prefect/reads.ts',
      from: 'kinds.some((answer) => answer?.problems.some(isSchemaMismatch))',
      to: 'kinds.length > 0',
    },
    file: 'people',
    variant: '4,500 older runs with other labels hide 500 of ours',
    says: /^\[ 0, 0, 0, 0 \] instead of \[ 200, 200, 100, 0 \]$/u,
  },
  48: {
    mistake: 'looks for its own Jobs only',
    edit: {
      file: 'functions/core/dispatch-plan.ts',
      from: 'matches: ({ jobs }) => jobs.some(isActive)',
      to: 'matches: ({ jobs }) => jobs.some((job) => isActive(job) && job.key !== null)',
    },
    file: 'people',
    variant: 'an active Job of the ordinary agent holds the run',
    says: /^'due' instead of 'active-job'$/u,
  },
  49: {
    mistake: 'ends the tick when its lines are lost',
    edit: {
      file: 'functions/prefect/send-writes.ts',
      from: "const message = error instanceof Error ? error.message : 'The request failed.';",
      to: 'throw error;',
    },
    file: 'prefect',
    variant: 'too large all the time',
    says: /"code":"PREFECT_REFUSED".* instead of \[\]$/u,
  },
  50: {
    mistake: 'repeats what the API server says as it is',
    edit: {
      file: 'functions/kubernetes/api.ts',
      from: 'return token === null ? answer : withoutEcho(answer, token);',
      to: 'return answer;',
    },
    file: 'secrets',
    variant: 'status 403, from each API',
    says: /outputs\.includes\(secret\)/u,
  },
  51: {
    mistake: 'takes a Job without a key for that of the claim',
    edit: {
      file: 'functions/core/reconcile-case.ts',
      from: 'token.key === job.key',
      to: '(job.key === null || token.key === job.key)',
    },
    file: 'people',
    variant: 'a failed Job without our annotations, its run Submitted: left alone',
    says: /^'Failed' instead of 'Submitted'$/u,
  },
  52: {
    mistake: 'deletes Jobs that a dispatcher at work may still be about to create',
    edit: {
      file: 'functions/core/reconcile-case.ts',
      from: 'ageMs(job.createdAt, now) > policy.quietAgeMs',
      to: 'true',
    },
    file: 'time-and-size',
    variant: 'a dozen worlds in which flows die and pods wait, ten minutes each',
    says: /^U: reconcile#\d+ deleted Job \S+ \(\S+\) at the age of \d+ s$/u,
  },
};
