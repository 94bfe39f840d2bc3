import type { ReconcileAction } from '../core/reconcile-case.ts';
import type { Outcome, OutcomeKind } from '../core/tick-report.ts';

/** Name of the Job that an action is about. */
export const jobOf = (action: ReconcileAction): string | null => ('job' in action ? (action.job?.name ?? null) : null);

function runIdOf(action: ReconcileAction): string | null {
  if (action.kind === 'wait' || action.kind === 'delete-job') return action.runId;
  return action.run.id;
}

/** What became of an action, under the rule that asked for it; `why` is the action's own unless something came between. */
export const outcomeOf = (action: ReconcileAction, kind: OutcomeKind, why: string = action.why): Outcome => ({
  kind,
  rule: action.rule,
  action: action.kind,
  runId: runIdOf(action),
  job: jobOf(action),
  why,
});
