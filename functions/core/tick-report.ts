/**
 * What happened to one flow run or Job in a tick.
 *
 * - `created`, `already-exists`: dispatch; the Job is there.
 * - `held`, `waiting`: nothing was done, and the rule says why; `why` says it when there was no time left.
 * - `applied`: a state, log or deletion of reconcile, or a Failed of dispatch, stands.
 * - `already`: it stood before we came (a Job gone, a state written by somebody else of ours).
 * - `superseded`: newer truth came in between, nothing of ours stands.
 * - `restored`: a write of ours had covered newer truth, which was written back.
 * - `lost`: a claim that another one won.
 * - `refused`: the API said no; `class` says how.
 * - `warned`: nothing was to be done here, but somebody should look.
 * - `unknown`: no readable answer; the next tick decides afresh.
 */
export type OutcomeKind =
  | 'created'
  | 'already-exists'
  | 'held'
  | 'waiting'
  | 'applied'
  | 'already'
  | 'superseded'
  | 'restored'
  | 'lost'
  | 'refused'
  | 'warned'
  | 'unknown';

export interface Outcome {
  readonly kind: OutcomeKind;
  /** Name of the rule that decided. */
  readonly rule: string;
  /** What was to be done: `create-job`, `fail-run`, `delete-job`, ... */
  readonly action: string;
  readonly runId: string | null;
  readonly job: string | null;
  /** One sentence for the log line; untrusted text in it is cut. */
  readonly why: string;
  /** Class of a refusal. */
  readonly class?: string;
  /** What a terminal mark rests on. */
  readonly evidence?: Readonly<Record<string, string | number | null>>;
}

/** What a tick cost and saw beside its outcomes: numbers only, in the units their names say. */
export type TickFacts = Readonly<Record<string, number>>;

export interface TickReport {
  readonly function: 'dispatch' | 'reconcile';
  readonly outcomes: readonly Outcome[];
  /** How many outcomes of each kind; every kind is present. */
  readonly counts: Readonly<Record<OutcomeKind, number>>;
  /** How many outcomes each rule decided. */
  readonly byRule: Readonly<Record<string, number>>;
  /** How many refusals of each class. */
  readonly byClass: Readonly<Record<string, number>>;
  readonly facts: TickFacts;
  /** Why the tick itself could not work; null when it could. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

const none: Readonly<Record<OutcomeKind, number>> = {
  created: 0,
  'already-exists': 0,
  held: 0,
  waiting: 0,
  applied: 0,
  already: 0,
  superseded: 0,
  restored: 0,
  lost: 0,
  refused: 0,
  warned: 0,
  unknown: 0,
};

function countBy<K extends string>(
  outcomes: readonly Outcome[],
  keyOf: (outcome: Outcome) => K | undefined,
): Record<K, number> {
  const counts = {} as Record<K, number>;
  for (const outcome of outcomes) {
    const key = keyOf(outcome);
    if (key !== undefined) counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** Counts the outcomes of a tick; the log line and the metrics are made from this one object and cannot disagree. */
export function summarise(
  tick: 'dispatch' | 'reconcile',
  outcomes: readonly Outcome[],
  rest: { readonly facts: TickFacts; readonly problem: TickReport['problem'] },
): TickReport {
  return {
    function: tick,
    outcomes,
    counts: { ...none, ...countBy(outcomes, (outcome) => outcome.kind) },
    byRule: countBy(outcomes, (outcome) => outcome.rule),
    byClass: countBy(outcomes, (outcome) => outcome.class),
    facts: rest.facts,
    problem: rest.problem,
  };
}
