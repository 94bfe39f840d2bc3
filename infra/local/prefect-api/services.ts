import type { RowOf } from './catalogue.ts';
import { select } from './hasura.ts';
import { insertRow, updateRow, type Moment } from './rows.ts';
import type { PrefectState } from './state.ts';
import { lazarusExcludes } from './state-json.ts';
import { formatColumn, formatIso, microsOf } from './timestamps.ts';
import { setFlowRunStateOf, setTaskRunStateOf } from './transitions.ts';

/** A heartbeat this old counts as dead; Cloud is said to wait 2 minutes only. */
const staleMs = 10 * 60_000;
const lazarusLimit = 500;
const zombieLimit = 5000;
const resurrectionLimit = 3;

const staleBefore = (now: Date): string => formatColumn(microsOf(new Date(now.getTime() - staleMs)));
const switchedOff = (setting: string) => ({ settings: { _contains: { [setting]: false } } });

function log(
  moment: Moment,
  run: { readonly tenant_id: string; readonly flow_run_id: string; readonly task_run_id?: string },
  entry: { readonly level: string; readonly name: string; readonly message: string },
): void {
  insertRow(moment, 'log', { ...run, ...entry, timestamp: microsOf(moment.now) });
}

const lazarusLogger = 'prefect-server.Lazarus.FlowRun';

function resurrect(moment: Moment, run: RowOf<'flow_run'>): void {
  const owner = { tenant_id: run.tenant_id, flow_run_id: run.id };
  const attempt = (run.times_resurrected ?? 0) + 1;
  if (attempt > resurrectionLimit) {
    const message =
      `A Lazarus process attempted to reschedule this run ${resurrectionLimit} times ` +
      'without success. Marking as failed.';
    setFlowRunStateOf(moment, run.id, { type: 'Failed', message });
    log(moment, owner, { level: 'ERROR', name: lazarusLogger, message });
    return;
  }
  setFlowRunStateOf(moment, run.id, { type: 'Scheduled', message: 'Rescheduled by a Lazarus process.' });
  updateRow(moment, run, { times_resurrected: attempt });
  const message = `Rescheduled by a Lazarus process. This is attempt ${attempt}.`;
  log(moment, owner, { level: 'INFO', name: lazarusLogger, message });
}

/**
 * One round of Lazarus: Running and Submitted runs with a stale heartbeat and no task that runs or will run are
 * scheduled again, three times, then failed (PrefectHQ/server services/towel/lazarus.py). Returns the ids it touched.
 */
export function runLazarus(state: PrefectState, now: Date): string[] {
  const group = { _or: [switchedOff('heartbeat_enabled'), switchedOff('lazarus_enabled')] };
  const rows = select({ state, table: 'flow_run' }, state.tables.flow_run.all(), {
    where: {
      state: { _in: ['Running', 'Submitted'] },
      heartbeat: { _lte: staleBefore(now) },
      _and: [{ _not: { task_runs: { state: { _in: lazarusExcludes } } } }, { _not: { flow: { flow_group: group } } }],
    },
    order_by: { updated: 'asc' },
    limit: lazarusLimit,
  });
  const runs = rows as readonly RowOf<'flow_run'>[];
  for (const run of runs) resurrect({ state, now }, run);
  return runs.map((run) => run.id);
}

/** Seconds of a Postgres interval as Prefect writes it, `[D days ]HH:MM:SS`. */
function intervalSeconds(interval: string | null): number {
  const match = /^(?:(\d+) days? ?,? ?)?(\d+):(\d+):(\d+)/.exec(interval ?? '');
  if (match === null) return 0;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return ((days ?? 0) * 24 + (hours ?? 0)) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0);
}

/** A retry when the flow run is Running and retries are left, else null. */
function nextRetry({ state, now }: Moment, run: RowOf<'task_run'>) {
  const task = state.tables.task.get(run.task_id);
  const retries = state.tables.task_run_state.by('task_run_id', run.id).filter((row) => row.state === 'Retrying');
  const attempt = retries.length + 1;
  const allowed = task?.max_retries ?? 0;
  if (state.tables.flow_run.get(run.flow_run_id)?.state !== 'Running' || attempt > allowed) return null;
  const start = microsOf(now) + intervalSeconds(task?.retry_delay ?? null) * 1_000_000;
  const message = `No heartbeat detected from the remote task; retrying the run.This will be retry ${attempt} of ${allowed}.`;
  return { type: 'Retrying', message, run_count: attempt, start_time: formatIso(start) };
}

function reapTaskRun(moment: Moment, run: RowOf<'task_run'>): void {
  const failed = {
    type: 'Failed',
    message: `No heartbeat detected from the remote task; marking the task run ${run.id} (${run.name ?? 'None'}) as failed.`,
  };
  const next = nextRetry(moment, run) ?? failed;
  setTaskRunStateOf(moment, run.id, next);
  log(
    moment,
    { tenant_id: run.tenant_id, flow_run_id: run.flow_run_id, task_run_id: run.id },
    { level: 'ERROR', name: 'prefect-server.ZombieKiller.TaskRun', message: next.message },
  );
}

function reapFlowRun(moment: Moment, run: RowOf<'flow_run'>): void {
  const message = 'No heartbeat detected from the flow run; marking the run as failed.';
  setFlowRunStateOf(moment, run.id, { type: 'Failed', message });
  log(
    moment,
    { tenant_id: run.tenant_id, flow_run_id: run.id },
    { level: 'ERROR', name: 'prefect-server.ZombieKiller.FlowRun', message },
  );
}

/**
 * One round of the zombie killer: Running task runs of flow runs with a stale heartbeat are retried or failed, then
 * Cancelling flow runs with one are failed (PrefectHQ/server services/towel/zombie_killer.py). Returns what it touched.
 */
export function runZombieKiller(state: PrefectState, now: Date): { taskRuns: string[]; flowRuns: string[] } {
  const stale = { heartbeat: { _lte: staleBefore(now) } };
  const alive = { flow_group: { _not: switchedOff('heartbeat_enabled') } };
  const taskRuns = select({ state, table: 'task_run' }, state.tables.task_run.all(), {
    where: { state: { _eq: 'Running' }, flow_run: stale, task: { flow: alive } },
    order_by: { updated: 'desc' },
    limit: zombieLimit,
  }) as readonly RowOf<'task_run'>[];
  for (const run of taskRuns) reapTaskRun({ state, now }, run);
  const flowRuns = select({ state, table: 'flow_run' }, state.tables.flow_run.all(), {
    where: { state: { _eq: 'Cancelling' }, ...stale, flow: alive },
    order_by: { updated: 'desc' },
    limit: zombieLimit,
  }) as readonly RowOf<'flow_run'>[];
  for (const run of flowRuns) reapFlowRun({ state, now }, run);
  return { taskRuns: taskRuns.map(({ id }) => id), flowRuns: flowRuns.map(({ id }) => id) };
}
