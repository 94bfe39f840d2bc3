/**
 * What was seen of a world, whoever watched it: a proxy in front of real sockets, or a simulation. The checker reads
 * nothing else, so one set of invariants judges every suite.
 */

/** A request that left one of the functions. */
export interface WitnessedRequest {
  /** When it was sent. */
  readonly at: Date;
  /** The invocation that sent it, `dispatch#3`. */
  readonly actor: string;
  readonly to: 'prefect' | 'kubernetes' | 'aws';
  readonly method: string;
  readonly path: string;
  /** Without headers: credentials travel there, and only there. */
  readonly body: string;
  /** Null: there was no answer that could be read. */
  readonly status: number | null;
  /** It took effect at the server, at once or later. */
  readonly applied: boolean;
  readonly answered: boolean;
}

export interface WitnessedInvocation {
  /** `dispatch#3`, as the requests name it. */
  readonly actor: string;
  readonly function: 'dispatch' | 'reconcile';
  readonly startedAt: Date;
  /** Null: it never returned. */
  readonly endedAt: Date | null;
  /** When Lambda would have ended it. */
  readonly deadline: Date;
  readonly killed: boolean;
}

/** One row of a run's history. */
export interface WitnessedState {
  readonly id: string;
  readonly version: number;
  readonly state: string;
  readonly message: string | null;
  /** The database's clock. */
  readonly at: Date;
  /** `stack`, `claim` and `key` of the state's context; null where there is none. */
  readonly stack: string | null;
  readonly claim: string | null;
  readonly key: string | null;
}

export interface WitnessedRun {
  readonly id: string;
  /** The agent labels of the stack take it, and no setting of the operator holds it back. */
  readonly ours: boolean;
  readonly state: string;
  /** When it was deleted; null: it is there. */
  readonly deletedAt: Date | null;
  /** Start time that the standing state waits for. */
  readonly dueAt: Date | null;
  /** Earliest start time of a task run that waits for one; null: none waits. */
  readonly taskDueAt: Date | null;
  /** In the order in which the database has them. */
  readonly history: readonly WitnessedState[];
}

/** A Job that existed at some time. */
export interface WitnessedJob {
  readonly uid: string;
  readonly name: string;
  readonly runId: string;
  /** Null: not a Job of this product. */
  readonly key: string | null;
  readonly stackId: string | null;
  readonly createdAt: Date;
  /** When its terminal condition came; null: never. */
  readonly finishedAt: Date | null;
  /** When the object was gone; null: it is there. */
  readonly deletedAt: Date | null;
  /** A person deleted it, not one of the functions. */
  readonly byHand: boolean;
}

/** `nothing-to-do`: the process ended without having begun the flow, as it does for a run that is finished or early. */
export type ExecutionOutcome = 'nothing-to-do' | 'success' | 'failed' | 'cancelled' | 'crashed' | 'killed' | 'working';

/** One start of a flow process. */
export interface WitnessedExecution {
  readonly runId: string;
  readonly jobUid: string;
  readonly startedAt: Date;
  /** Null: it still works. */
  readonly endedAt: Date | null;
  readonly outcome: ExecutionOutcome;
}

export interface Witnessed {
  /** Whose rows and Jobs are ours. */
  readonly stackId: string;
  readonly requests: readonly WitnessedRequest[];
  readonly invocations: readonly WitnessedInvocation[];
  readonly runs: readonly WitnessedRun[];
  readonly jobs: readonly WitnessedJob[];
  readonly executions: readonly WitnessedExecution[];
  /** When the last fault, and whatever follows from it by itself, was over; null: there was none. */
  readonly lastFaultAt: Date | null;
  readonly endedAt: Date;
  /** Secrets that may be nowhere. */
  readonly canaries: readonly string[];
  /** Everything that was printed, logged, returned or thrown. */
  readonly outputs: readonly string[];
}

/** What can be measured against a limit; a suite with other settings passes its own. */
export interface Limits {
  /** Q of the protocol: nothing that a dispatch began takes effect after it. */
  readonly quietAgeMs: number;
  /** T: a period of dispatch, one of reconcile, and a lease. */
  readonly repairMs: number;
  /** The services of the Prefect server have had their say by then. */
  readonly lostMs: number;
  readonly pendingGraceMs: number;
  readonly cancelGraceMs: number;
  /** No create is sent with less left of the invocation. */
  readonly createLimitMs: number;
  /** Requests of one invocation: a base, and more for every run and Job of the world. */
  readonly requests: { readonly base: number; readonly each: number };
}

const minute = 60_000;

export const defaultLimits: Limits = {
  quietAgeMs: 2 * minute,
  repairMs: 5 * minute,
  lostMs: 45 * minute,
  pendingGraceMs: 60 * minute,
  cancelGraceMs: minute,
  createLimitMs: 10_000,
  requests: { base: 60, each: 12 },
};
