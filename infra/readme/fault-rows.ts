/** A fault that the functions must outlive, and how it must end. */
export interface FaultRow {
  readonly row: number;
  readonly fault: string;
  /** The invariants at stake; S (no secret anywhere) and B (budgets) are asserted in every row. */
  readonly invariants: string;
  /** How it must end. */
  readonly end: string;
}

const rows: readonly (readonly [fault: string, invariants: string, end: string])[] = [
  ['dispatch killed before the poll is answered', 'L', 'the next tick takes every run'],
  ['dispatch killed after the poll, before the claim', 'L U', 'the next tick takes every run, once'],
  ['dispatch killed after the claim took effect, before the create', 'L T', 'claimed again after the lease, one Job'],
  ['dispatch killed after the create took effect, before its answer', 'U', 'the Job stands and nothing is repeated'],
  ['dispatch killed before or after it writes the run log', 'U F', 'lines may be missing, none is written twice'],
  [
    'reconcile killed before or after each report and deletion',
    'F T',
    'the next tick does what is left, and nothing twice',
  ],
  ['Lambda timeout while 30 claims are in flight', 'L T', 'unclaimed runs are taken, claimed ones repaired'],
  [
    'two dispatchers at once, same batch',
    'U',
    'one Job for each run; Submitted over Running with a live Job is at work',
  ],
  ['two dispatchers, one frozen between claim and create', 'U', 'woken after its deadline it creates nothing'],
  ['dispatch and reconcile interleaved on one run', 'U F', 'one Job, and the state of its flow'],
  ['a duplicate or stale tick event', 'L U', 'nothing is done twice'],
  ['claim answer lost', 'L', 'read again, recognised as ours, one Job'],
  ['create answer lost, 504, or 500 after it took effect', 'U', 'read by name and adopted'],
  [
    'Prefect answers 5xx, 429, 408, slowly, half, or in HTML',
    'L B',
    'a bounded number of requests, the rest in the next tick',
  ],
  ['Prefect down for an hour, then 1000 late runs', 'L T U', 'drained in bounded ticks, oldest first'],
  ['Prefect restarts in the middle of a batch', 'L U', 'one Job for each run'],
  ['a GraphQL batch with one bad item', 'L', 'the others keep their result'],
  ['200 with errors and half of the data, or none', 'L', 'no answer is no evidence; nothing is lost'],
  ['401 in the middle, key rotated, 403 on one call', 'L S', 'the secret is read once more, then a clean stop'],
  ['EKS token expires in the middle, or over a freeze', 'L', 'a fresh token, once'],
  ['Secrets Manager or EKS throttled or down', 'L B', 'nothing is claimed, the next tick works'],
  ['API server restarts: refused, GOAWAY, reset of a kept connection', 'L U', 'one Job for each run'],
  ['API server slow, 5 to 60 s a call', 'B', 'nothing is claimed that cannot be created in time'],
  ['API server answers 429 with Retry-After', 'L B', 'honoured within the time left'],
  ['RBAC missing, namespace missing', 'L', 'no run fails; one wave is claimed at most; the tick fails'],
  ['quota on Jobs, quota on pods', 'L T', 'waits with a growing pause, runs once there is room'],
  ['webhook denies, webhook is away', 'L F', 'Failed with its words; left for the next tick'],
  ['PodSecurity refuses the pods', 'F', 'Failed after the grace, the Job deleted'],
  ['Job deleted by hand: pending, running, after success', 'F', 'claimed again; left to the server; untouched'],
  ['TTL takes the Job before reconcile looked', 'F', 'the state is the truth'],
  ['pod evicted, preempted or drained before the start', 'L', 'created again under the same key, within INFRA_RETRIES'],
  ['pod lost while running, Lazarus rescheduled the run', 'F', 'the old Job does not fail the new attempt'],
  ['node unreachable for ten minutes, and back', 'F U', 'no report while the pod object lives'],
  ['out of memory, exit 1, exit 0 with the run still Running', 'F', 'Failed with the reason and the last log lines'],
  [
    'image, config or node missing; healed just within and just after the grace',
    'F T',
    'runs; or fails with its Job deleted, so that it cannot start later',
  ],
  [
    'DeadlineExceeded, PodFailurePolicy, Suspended, FailureTarget alone',
    'F',
    'one report for the first two, none for the others',
  ],
  ['the flow succeeds in the second in which reconcile reads', 'F', 'success wins'],
  [
    'cancel: before the claim, before the create, pending, running, after the end',
    'F L',
    'Cancelled, no Job left, never Running again',
  ],
  [
    'restart of a finished run; task retry of a Running one',
    'L U',
    'a new attempt has a new Job, though the old one exists',
  ],
  ['run or flow deleted meanwhile', 'L', 'the others go on, its Job is deleted'],
  ['malformed run config', 'L', 'Failed with a readable reason; the others go on'],
  ['hostile job template', 'F', 'the policy decides, our fields come last'],
  ['template paths that lead inside, redirects, DNS rebinding', 'S', 'refused, nothing is fetched'],
  ['clocks ten minutes off', 'T', 'no harm to runs; a bounded delay'],
  ['10,000 Jobs, 410 in the middle of the list', 'B F', 'the list is begun again; no absence from half a list'],
  ['list served from an old cache', 'F L', 'lists are asked for the most recent; nothing is concluded from an old one'],
  ['5000 due runs, foreign labels hiding ours', 'L T', 'progress in every tick, no starvation'],
  ['two stacks, another agent, somebody else’s Jobs', 'U', 'nothing of others is touched'],
  ['logs: API down, 413, one line of 10 MB', 'L', 'cut or lost, never in the way of a run'],
  ['answers that echo secrets', 'S', 'in no output'],
  ['upgrade: Jobs of the previous version or of the ordinary agent', 'F', 'reported by their labels, or left alone'],
  ['random faults from all rows, by seed', 'L U F T S B', 'all invariants hold'],
];

/** The faults by number: what is tested of each is found by its number in the names of the tests. */
export const faultRows: readonly FaultRow[] = rows.map(([fault, invariants, end], index) => ({
  row: index + 1,
  fault,
  invariants,
  end,
}));
