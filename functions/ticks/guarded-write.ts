import type { FlowRun, FlowRunId } from '../core/flow-run.ts';
import { judgeWrite, sameTruth } from '../core/guarded-write.ts';
import type { JsonObject } from '../core/json.ts';
import { restoredState } from '../core/states.ts';
import type { Outcome, OutcomeKind } from '../core/tick-report.ts';
import type { PrefectClient, StateWrite, WriteAnswer } from '../prefect/contract.ts';
import type { Budget } from './budget.ts';

/** A state that is to be written only if the run is still what it was when that was decided. */
export interface Intent {
  readonly basis: FlowRun;
  readonly state: JsonObject;
  readonly rule: string;
  readonly action: string;
  readonly job: string | null;
  readonly why: string;
  readonly evidence?: Outcome['evidence'];
  /** The Job is still active, and that is no reason against the write: it is ended once this stands. */
  readonly endsActiveJob?: boolean;
}

/** Looks once more at what no history shows, right before the write; false: this intent is dropped. Throws as reads do. */
export type Confirm = (intents: readonly Intent[]) => Promise<(intent: Intent) => boolean>;

export interface GuardedWriteDeps {
  readonly prefect: Pick<PrefectClient, 'readRuns' | 'write'>;
  readonly budget: Budget;
  readonly stackId: string;
  readonly confirm?: Confirm;
}

export interface SettledIntent {
  readonly intent: Intent;
  readonly outcome: Outcome;
}

/** Changes per request: one write and two reads for each hundred. */
const batchSize = 100;
const requestMs = 15_000;

async function readById(deps: GuardedWriteDeps, intents: readonly Intent[]): Promise<ReadonlyMap<FlowRunId, FlowRun>> {
  const ids = intents.map((intent) => intent.basis.id);
  const { runs } = await deps.prefect.readRuns(ids, deps.budget.signal(requestMs));
  return new Map(runs.map((run) => [run.id, run]));
}

function settled(intent: Intent, kind: OutcomeKind, why: string = intent.why): SettledIntent {
  const { rule, action, job, basis, evidence } = intent;
  const record = evidence === undefined ? {} : { evidence };
  return { intent, outcome: { kind, rule, action, job, runId: basis.id, why, ...record } };
}

const answerOutcome = (intent: Intent, answer: WriteAnswer): SettledIntent =>
  answer.kind === 'refused'
    ? settled(intent, 'refused', answer.message)
    : settled(intent, 'unknown', 'the write cannot be seen in the history');

/** One intent after its write: what to report, and the state to write back if ours covers a newer one. */
function judge(intent: Intent, after: FlowRun | undefined, context: { answer: WriteAnswer; stackId: string }) {
  if (after === undefined)
    return { ...settled(intent, 'unknown', 'the run could not be read after the write'), restore: null };
  const verdict = judgeWrite(intent.basis, after, { state: intent.state, stackId: context.stackId });
  switch (verdict.kind) {
    case 'stands':
      return { ...settled(intent, 'applied'), restore: null };
    case 'superseded':
      return { ...settled(intent, 'superseded', `${after.state} came after it`), restore: null };
    case 'absent':
      return { ...answerOutcome(intent, context.answer), restore: null };
    case 'covers': {
      const restore: StateWrite = {
        runId: after.id,
        version: after.version,
        state: restoredState(verdict.row, context.stackId),
      };
      return { ...settled(intent, 'restored', `${verdict.row.state} had come in between`), restore };
    }
  }
}

async function writeBatch(deps: GuardedWriteDeps, intents: readonly Intent[]): Promise<readonly SettledIntent[]> {
  // The states come last: they change more often than Jobs, and most of what changes them shows in no Job.
  const confirms = (await deps.confirm?.(intents)) ?? (() => true);
  const fresh = await readById(deps, intents);
  const unchanged = (intent: Intent): boolean => {
    const run = fresh.get(intent.basis.id);
    return run !== undefined && sameTruth(intent.basis, run) && confirms(intent);
  };
  const dropped = intents
    .filter((intent) => !unchanged(intent))
    .map((intent) => settled(intent, 'superseded', 'the run or its Jobs changed meanwhile'));
  const ready = intents.filter(unchanged);
  if (ready.length === 0) return dropped;
  const states = ready.map(({ basis, state }) => ({ runId: basis.id, version: basis.version, state }));
  const { states: answers } = await deps.prefect.write({
    states,
    logs: [],
    heartbeats: [],
    signal: deps.budget.signal(requestMs),
  });
  const after = await readById(deps, ready);
  const judged = ready.map((intent, index) =>
    judge(intent, after.get(intent.basis.id), {
      answer: answers[index] ?? { kind: 'unknown', message: 'no answer' },
      stackId: deps.stackId,
    }),
  );
  const restores = judged.flatMap(({ restore }) => (restore === null ? [] : [restore]));
  if (restores.length > 0) {
    await deps.prefect.write({ states: restores, logs: [], heartbeats: [], signal: deps.budget.signal(requestMs) });
  }
  return [...dropped, ...judged];
}

/**
 * Writes states the only safe way there is without compare-and-set (protocol rules 11 and 12): read again right before,
 * drop what changed, write, read the history, and put back what a write of ours has covered. A read that fails leaves
 * its batch `unknown`: nothing is concluded, the next tick decides afresh.
 */
export async function writeGuarded(
  deps: GuardedWriteDeps,
  intents: readonly Intent[],
): Promise<readonly SettledIntent[]> {
  const results: SettledIntent[] = [];
  for (let start = 0; start < intents.length; start += batchSize) {
    const batch = intents.slice(start, start + batchSize);
    if (deps.budget.leftMs() <= 0) {
      results.push(...batch.map((intent) => settled(intent, 'held', 'no time left in this invocation')));
      continue;
    }
    try {
      results.push(...(await writeBatch(deps, batch)));
    } catch (error) {
      const why = error instanceof Error ? error.message : 'no readable answer';
      results.push(...batch.map((intent) => settled(intent, 'unknown', why)));
    }
  }
  return results;
}
