import { sameTruth } from '../core/guarded-write.ts';
import type { ReconcileAction } from '../core/reconcile-case.ts';
import type { Outcome, OutcomeKind } from '../core/tick-report.ts';
import type { DeleteAnswer } from '../kubernetes/contract.ts';
import { outcomeOf } from './action-outcome.ts';
import type { Budget } from './budget.ts';
import type { ReconcileCluster, ReconcileDeps } from './ports.ts';

export type DeleteJob = Extract<ReconcileAction, { kind: 'delete-job' }>;

export interface DeleteDeps {
  readonly prefect: Pick<ReconcileDeps['prefect'], 'readRuns'>;
  readonly cluster: Pick<ReconcileCluster, 'deleteJob'>;
  readonly budget: Budget;
}

/** Deletions that rest on one read of their runs. */
const batchSize = 100;
/** Deletions at once: they share the connection with everything else. */
const concurrency = 16;
const requestMs = 15_000;

const outcomes: Readonly<Record<'deleted' | 'gone' | 'changed', OutcomeKind>> = {
  deleted: 'applied',
  gone: 'already',
  changed: 'superseded',
};

function judge(action: DeleteJob, answer: DeleteAnswer): Outcome {
  if (answer.kind !== 'refused') return outcomeOf(action, outcomes[answer.kind]);
  const kind = answer.class === 'unknown' ? 'unknown' : 'refused';
  return { ...outcomeOf(action, kind, answer.message), class: answer.class };
}

const held = (action: DeleteJob): Outcome => outcomeOf(action, 'held', 'no time left in this invocation');

/** Deletes Jobs whose runs were read just now. What the time does not reach is held: the next tick decides afresh. */
export async function deleteJobs(deps: DeleteDeps, actions: readonly DeleteJob[]): Promise<readonly Outcome[]> {
  const done: Outcome[] = [];
  for (let start = 0; start < actions.length && deps.budget.leftMs() > 0; start += concurrency) {
    const some = actions.slice(start, start + concurrency);
    const signal = deps.budget.signal(requestMs);
    const deleted = some.map(async (action) =>
      judge(action, await deps.cluster.deleteJob(action.job, action.propagation, signal)),
    );
    done.push(...(await Promise.all(deleted)));
  }
  return [...done, ...actions.slice(done.length).map(held)];
}

/** Whether the runs are still what they were when the deletion of their Job was decided. */
async function readAgain(deps: DeleteDeps, actions: readonly DeleteJob[]): Promise<(action: DeleteJob) => boolean> {
  const ids = [...new Set(actions.map((action) => action.runId))];
  const { runs, unreadable } = await deps.prefect.readRuns(ids, deps.budget.signal(requestMs));
  const fresh = new Map(runs.map((run) => [run.id, run]));
  return (action) => {
    const run = fresh.get(action.runId);
    // An unreadable row could be any of them.
    if (action.run === null) return run === undefined && unreadable.length === 0;
    return run !== undefined && sameTruth(action.run, run);
  };
}

async function deleteBatch(deps: DeleteDeps, actions: readonly DeleteJob[]): Promise<readonly Outcome[]> {
  if (deps.budget.leftMs() <= 0) return actions.map(held);
  try {
    const holds = await readAgain(deps, actions);
    const changed = actions.filter((action) => !holds(action));
    const dropped = changed.map((action) => outcomeOf(action, 'superseded', 'the run changed meanwhile'));
    return [...dropped, ...(await deleteJobs(deps, actions.filter(holds)))];
  } catch (error) {
    const why = error instanceof Error ? error.message : 'no readable answer';
    return actions.map((action) => outcomeOf(action, 'unknown', why));
  }
}

/**
 * Deletes Jobs in batches, each on a read of its runs right before (protocol rule 11): whatever differs there is left
 * alone this round, and a read that fails leaves its batch `unknown`. Never throws.
 */
export async function deleteConfirmed(deps: DeleteDeps, actions: readonly DeleteJob[]): Promise<readonly Outcome[]> {
  const settled: Outcome[] = [];
  for (let start = 0; start < actions.length; start += batchSize) {
    settled.push(...(await deleteBatch(deps, actions.slice(start, start + batchSize))));
  }
  return settled;
}
