import { isRecord } from '../../infra/local/prefect-api/jsonb.ts';
import type { RowOf } from '../../infra/local/prefect-api/catalogue.ts';
import type { PrefectState } from '../../infra/local/prefect-api/state.ts';
import type { WitnessedRun, WitnessedState } from '../faults/witness.ts';
import type { LiveRun, SoakWorld } from './world.ts';

const dateOf = (micros: number | null): Date | null => (micros === null ? null : new Date(Math.floor(micros / 1000)));

function witnessedState(row: RowOf<'flow_run_state'>, skewMs: number): WitnessedState {
  const serialized = isRecord(row.serialized_state) ? row.serialized_state : {};
  const context = isRecord(serialized['context']) ? serialized['context'] : {};
  const text = (name: string): string | null => {
    const value = context[name];
    return typeof value === 'string' ? value : null;
  };
  const { id, state, message } = row;
  return {
    id,
    state,
    message,
    version: row.version ?? 0,
    at: new Date(Math.floor(row.created / 1000) - skewMs),
    stack: text('stack'),
    claim: text('claim'),
    key: text('key'),
  };
}

/** The rows of a run in the order of the database, dated by the clock of the world. */
const historyOf = ({ prefect, scenario }: SoakWorld, runId: string): readonly WitnessedState[] =>
  prefect.tables.flow_run_state
    .by('flow_run_id', runId)
    .toSorted((a, b) => a.created - b.created)
    .map((row) => witnessedState(row, scenario.settings.skewMs.prefect));

const kept = new WeakMap<LiveRun, readonly WitnessedState[]>();

/** Before a run is deleted, and its rows with it. */
export const keepHistory = (world: SoakWorld, run: LiveRun): void => void kept.set(run, historyOf(world, run.id));

const waiting: ReadonlySet<string> = new Set(['Scheduled', 'Paused', 'Resume', 'Retrying', 'Queued']);

function taskDueAt(state: PrefectState, runId: string): Date | null {
  const starts = state.tables.task_run
    .by('flow_run_id', runId)
    .filter((task) => waiting.has(task.state ?? ''))
    .map((task) => task.state_start_time ?? Number.POSITIVE_INFINITY);
  const first = Math.min(...starts);
  return Number.isFinite(first) ? dateOf(first) : null;
}

/** A run as the checker wants to see it. */
export function witnessedRun(world: SoakWorld, run: LiveRun): WitnessedRun {
  const row = world.prefect.tables.flow_run.get(run.id);
  const isDue = row?.state === 'Scheduled';
  return {
    id: run.id,
    ours: !run.script.isForeign,
    state: row?.state ?? 'deleted',
    deletedAt: run.deletedAt,
    dueAt: isDue ? dateOf(row.state_start_time) : null,
    taskDueAt: taskDueAt(world.prefect, run.id),
    history: kept.get(run) ?? historyOf(world, run.id),
  };
}
