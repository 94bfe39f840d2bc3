import * as z from 'zod/mini';

import type { FlowRun, FlowRunId, StateRow } from '../core/flow-run.ts';
import { isDeeperThan, isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { RunsRead, UnreadableRun } from './contract.ts';

const isoText = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d(?::?\d\d)?)?$/u;

/** `Z`, `+00` and `+0530` as the ISO form that `Date` reads; the server means UTC when it gives no zone. */
function zoneOf(text: string | undefined): string {
  if (text === undefined || text === 'Z') return 'Z';
  const digits = text.slice(1).replace(':', '').padEnd(4, '0');
  return `${text.charAt(0)}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

/**
 * Microseconds since the epoch of a timestamp as Postgres prints it. `Date` keeps milliseconds only, and rows of one
 * batch differ by less.
 *
 * @returns NaN for text that is no timestamp.
 */
export function microsOf(text: string): number {
  const parts = isoText.exec(text);
  if (parts === null) return Number.NaN;
  const [, day, time, fraction = '', zone] = parts;
  return Date.parse(`${day}T${time}${zoneOf(zone)}`) * 1000 + Number(fraction.padEnd(6, '0'));
}

const micros = z.pipe(
  z.string().check(z.refine((text) => !Number.isNaN(microsOf(text)), 'not a timestamp')),
  z.transform(microsOf),
);
const instant = z.pipe(
  micros,
  z.transform((value) => new Date(Math.floor(value / 1000))),
);
/** A state has a few levels, and is written again as JSON, which takes as much stack as it has levels. */
const mostLevels = 200;
const jsonObject = z.custom<JsonObject>(
  (value) => isJsonObject(value) && !isDeeperThan(mostLevels, value),
  `expected a JSON object of at most ${mostLevels} levels`,
);
/** Absent where the read did not ask for it. */
const json = z.optional(z.custom<Json>(() => true));

const stateRow = z.object({
  id: z.string(),
  version: z.int(),
  state: z.string(),
  created: micros,
  message: z.nullish(z.string()),
  serialized_state: jsonObject,
});

const flowOfRun = z.object({
  id: z.string(),
  name: z.nullish(z.string()),
  core_version: z.nullish(z.string()),
  storage: json,
  flow_group: z.nullish(z.object({ settings: z.nullish(jsonObject) })),
});

const flowRun = z.object({
  // Only a UUID may become a label and part of a name in the cluster.
  id: z.guid(),
  name: z.nullish(z.string()),
  version: z.int(),
  state: z.string(),
  serialized_state: jsonObject,
  labels: z.nullish(z.array(z.string())),
  scheduled_start_time: z.nullish(instant),
  heartbeat: z.nullish(instant),
  times_resurrected: z.nullish(z.int()),
  run_config: json,
  flow: flowOfRun,
  task_runs: z.array(z.object({ state_start_time: z.nullish(instant) })),
  states: z.array(stateRow),
  logs: z.optional(z.array(z.object({ info: z.unknown() }))),
});

const stateRowOf = ({ created, message, serialized_state, ...row }: z.infer<typeof stateRow>): StateRow => ({
  ...row,
  createdMicros: created,
  message: message ?? null,
  serializedState: serialized_state,
});

const flowOf = (flow: z.infer<typeof flowOfRun>): FlowRun['flow'] => ({
  id: flow.id,
  name: flow.name ?? null,
  coreVersion: flow.core_version ?? null,
  storage: flow.storage ?? null,
  settings: flow.flow_group?.settings ?? {},
});

const dueAmong = (tasks: z.infer<typeof flowRun>['task_runs'], dueAt: Date): number =>
  tasks.filter(({ state_start_time: start }) => start !== null && start !== undefined && start <= dueAt).length;

/** Marks that our own lines carry in `info`; lines of others carry none. */
const marksAmong = (logs: z.infer<typeof flowRun>['logs']): readonly string[] =>
  (logs ?? []).flatMap(({ info }) => (isJsonObject(info) && typeof info['event'] === 'string' ? [info['event']] : []));

const runOf = (row: z.infer<typeof flowRun>, dueAt: Date): FlowRun => ({
  id: row.id as FlowRunId,
  name: row.name ?? null,
  version: row.version,
  state: row.state,
  serializedState: row.serialized_state,
  labels: row.labels ?? [],
  scheduledStartTime: row.scheduled_start_time ?? null,
  heartbeat: row.heartbeat ?? null,
  timesResurrected: row.times_resurrected ?? 0,
  runConfig: row.run_config ?? null,
  flow: flowOf(row.flow),
  dueTaskRuns: dueAmong(row.task_runs, dueAt),
  waitingTaskRuns: row.task_runs.length,
  history: row.states.map(stateRowOf),
  eventMarks: marksAmong(row.logs),
});

/** The path of the first problem and what was expected there; never the value, which may be a secret. */
function unreadable(row: unknown, issue: z.core.$ZodIssue | undefined): UnreadableRun {
  const id = isJsonObject(row) && typeof row['id'] === 'string' ? row['id'] : null;
  const path = (issue?.path ?? []).join('.');
  return { id, problem: `${path === '' ? 'the run' : path}: ${issue?.message ?? 'cannot be read'}` };
}

/**
 * Rows of `flow_run` as they come from the query engine. A row that cannot be parsed is reported beside the others: it
 * is never evidence for anything.
 *
 * @param dueAt a waiting task run counts as due from this instant on
 */
export function parseRuns(rows: readonly unknown[], dueAt: Date): RunsRead {
  const runs: FlowRun[] = [];
  const bad: UnreadableRun[] = [];
  for (const row of rows) {
    const parsed = flowRun.safeParse(row);
    if (parsed.success) runs.push(runOf(parsed.data, dueAt));
    else bad.push(unreadable(row, parsed.error.issues[0]));
  }
  return { runs, unreadable: bad };
}
