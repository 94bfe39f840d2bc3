/** A metric of the functions in an operator's words. */
export interface MetricText {
  readonly metric: string;
  /** Which function writes it. */
  readonly of: 'both' | 'dispatch' | 'reconcile';
  readonly means: string;
}

/** In the order of the source; units are counts a tick, unless the text says milliseconds. */
export const metricTexts: readonly MetricText[] = [
  { metric: 'tick_worked', of: 'both', means: '1 when the tick could work, 0 when it ended with a code' },
  { metric: 'prefect_latency', of: 'both', means: 'mean answer of the Prefect API, in ms' },
  { metric: 'cluster_latency', of: 'both', means: 'mean answer of the API server, in ms' },
  {
    metric: 'failed',
    of: 'both',
    means: 'refusals, by a further dimension `class`: `quota`, `forbidden`, `invalid`, `throttled`, …',
  },
  { metric: 'created', of: 'dispatch', means: 'Jobs created' },
  { metric: 'duplicate_avoided', of: 'dispatch', means: 'creates whose Job stood already: a second one was not made' },
  {
    metric: 'held',
    of: 'both',
    means: 'due runs that wait, and what reconcile had no time left for; the lines say why',
  },
  { metric: 'waiting', of: 'reconcile', means: 'Jobs and runs about which nothing was to be done' },
  { metric: 'applied', of: 'both', means: 'states, deletions and lines for run logs that stand' },
  { metric: 'already', of: 'reconcile', means: 'deletions of Jobs that were gone' },
  { metric: 'superseded', of: 'both', means: 'decisions that were dropped because something newer came in between' },
  { metric: 'claim_overwrote', of: 'both', means: 'states of ours that had covered a newer one, which was put back' },
  { metric: 'claim_lost', of: 'dispatch', means: 'claims that somebody else won' },
  { metric: 'refused', of: 'both', means: 'refusals of either API, and runs with two Jobs' },
  { metric: 'warned', of: 'both', means: 'warnings; the line says what to do' },
  {
    metric: 'unknown',
    of: 'both',
    means: 'writes, reads and lines whose fate is not known: the next tick looks again',
  },
  { metric: 'due', of: 'dispatch', means: 'runs that the poll found' },
  { metric: 'claimed', of: 'dispatch', means: 'claims that the history confirmed' },
  { metric: 'create_failed', of: 'dispatch', means: 'Jobs that were wanted and are not there, or may not be' },
  { metric: 'duplicates', of: 'reconcile', means: 'runs with more than one active Job: there must be none' },
  { metric: 'jobs', of: 'reconcile', means: 'Jobs of flow runs in the namespace, whoever made them' },
  { metric: 'pending_pods', of: 'reconcile', means: 'pods that have not started' },
  { metric: 'throttled', of: 'both', means: 'answers with status 429' },
  {
    metric: 'lost_logs',
    of: 'both',
    means: 'lines for run logs that the Prefect API did not take; written only when there were some',
  },
  {
    metric: 'lost_heartbeats',
    of: 'both',
    means:
      'heartbeats that it did not take; after ten minutes of them Lazarus takes waiting runs for lost. Written only when there were some',
  },
  { metric: 'second_agents', of: 'reconcile', means: 'other agents on our labels; written only when there are some' },
  {
    metric: 'unserved_runs',
    of: 'reconcile',
    means: 'late runs that no agent serves; written only when there are some',
  },
  {
    metric: 'late_runs',
    of: 'reconcile',
    means: 'runs of ours that are late by five minutes or more; written only when there are some',
  },
  {
    metric: 'foreign_runs_in_front',
    of: 'dispatch',
    means:
      'due runs of others before ours, where the server refuses our filter and its queue looks at 75; written only when there are so many',
  },
  { metric: 'oldest_due_age', of: 'dispatch', means: 'how late the oldest due run is, in ms' },
  { metric: 'oldest_submitted_age', of: 'reconcile', means: 'how long the oldest Submitted run has been so, in ms' },
  { metric: 'start_latency', of: 'dispatch', means: 'longest time from the due start of a run to its Job, in ms' },
  { metric: 'pod_start_latency', of: 'reconcile', means: 'longest time from a pod to the start of its flow, in ms' },
  { metric: 'tick_duration', of: 'both', means: 'time of the tick, in ms' },
  { metric: 'remaining_time', of: 'both', means: 'what was left of the invocation, in ms' },
];
