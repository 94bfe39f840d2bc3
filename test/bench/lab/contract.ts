/** What a lab holds and how it answers. */
export interface LabOptions {
  /** Flow runs, all in `runState`. */
  readonly runs: number;
  /** `Scheduled` (due), or `Submitted` to reconcile. */
  readonly runState?: string;
  /** Number of the first of them; default 0. Runs whose numbers no Job has are nobody's yet. */
  readonly firstRun?: number;
  /** Running Jobs of the stack, each with its pod and the run of its number. */
  readonly jobs: number;
  /** Added to every answer, in milliseconds. */
  readonly latencyMs: number;
  /** Requests the API server takes at a time; it turns others away with 429. Unset: all. */
  readonly seats?: number;
  /** Bytes of each answer to a create, at the least. Unset: what there is to say. */
  readonly answerBytes?: number;
}

export interface LabReady {
  readonly prefect: string;
  readonly kubernetes: string;
  readonly aws: string;
  readonly caPem: string;
}

/** Makes so many new due runs and counts from nought. */
export type LabCommand = { readonly kind: 'report' } | { readonly kind: 'reset'; readonly runs: number };

/** What the servers saw since the last reset. */
export interface LabReport {
  readonly created: number;
  readonly rejected: number;
  /** From the first create to the last. */
  readonly spanMs: number;
  readonly connections: number;
  readonly prefectRequests: number;
  readonly kubernetesRequests: number;
}
