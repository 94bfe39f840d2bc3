/** What a program under measurement is told, as JSON in its first argument. */
export interface Task {
  /** Which of the program's ways to do it. */
  readonly way: string;
  readonly endpoint: string;
  readonly caPem: string;
  /** The Prefect API, where runs are read too. */
  readonly prefect?: string;
  /** Jobs to create, or that are listed. */
  readonly jobs: number;
  /** Creates in flight at a time. */
  readonly concurrency: number;
  /** For how long a program works that is not given its work by number, in milliseconds. */
  readonly forMs?: number;
}

/** What it answers, once, when it is done. */
export interface Done {
  readonly ms: number;
  readonly cpuMs: number;
  /** Peak of the process above what it held before the work. */
  readonly grownBytes: number;
  readonly peakRssBytes: number;
  /** Milliseconds each create took; empty for a list. */
  readonly latencies: readonly number[];
}
