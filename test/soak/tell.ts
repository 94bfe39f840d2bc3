import type { Witnessed } from '../faults/witness.ts';
import { T0 } from '../support/time.ts';
import { isRunAct, type Act, type Scenario, type Strike } from './scenario.ts';
import type { Failing } from './shrink.ts';

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)}s`;
const since = (instant: Date | null): string =>
  instant === null ? 'never' : seconds(instant.getTime() - T0.getTime());

const tellStrike = ({ row, on, by, notBeforeMs, passes, times, effect }: Strike): string => {
  const { kind, ...rest } = effect;
  const details = JSON.stringify(rest) === '{}' ? '' : ` ${JSON.stringify(rest)}`;
  return `from ${seconds(notBeforeMs)}: ${kind}${details} at ${on} of ${by ?? 'anybody'}, ${times} time(s) after ${passes} (row ${row})`;
};

const tellAct = (act: Act): string =>
  isRunAct(act)
    ? `at ${seconds(act.atMs)}: ${act.kind}, run ${act.run} (row ${act.row})`
    : `at ${seconds(act.atMs)}: ${act.kind}, for ${seconds(act.forMs)} (row ${act.row})`;

/** What befell the world, without the runs that never came due. */
function tellScenario({ settings, runs, strikes, acts, hours }: Scenario): readonly string[] {
  const due = runs.flatMap((run, place) =>
    run.dueAtMs >= hours * 3_600_000
      ? []
      : [`  run ${place}: due at ${seconds(run.dueAtMs)}, ${run.shape}, pods ${JSON.stringify(run.plays)}`],
  );
  return [
    `  settings ${JSON.stringify(settings)}`,
    ...due,
    ...acts.map((act) => `  ${tellAct(act)}`),
    ...strikes.map((strike) => `  ${tellStrike(strike)}`),
  ];
}

/** What happened to one run: its states, its Jobs, its executions. */
function tellRun(witnessed: Witnessed, runId: string): readonly string[] {
  const run = witnessed.runs.find(({ id }) => id === runId);
  const states = (run?.history ?? []).map(
    ({ at, state, message, stack, key }) =>
      `    ${since(at)} ${state}${stack === null ? '' : ` of ours${key === null ? '' : `, key ${key}`}`}: ${message ?? ''}`,
  );
  const jobs = witnessed.jobs
    .filter((job) => job.runId === runId)
    .map(
      ({ name, uid, createdAt, finishedAt, deletedAt }) =>
        `    ${since(createdAt)} Job ${name} ${uid}: finished ${since(finishedAt)}, gone ${since(deletedAt)}`,
    );
  const executions = witnessed.executions
    .filter((execution) => execution.runId === runId)
    .map(
      ({ jobUid, startedAt, endedAt, outcome }) =>
        `    ${since(startedAt)} process in Job ${jobUid}: ${outcome}, until ${since(endedAt)}`,
    );
  return [`  run ${runId}`, ...states, ...jobs, ...executions];
}

/** A failing seed for whoever has to find out why: the invariants, the shortest history, and how to see it again. */
export function tellFailing({ scenario, violations }: Failing, witnessed: Witnessed, command: string): string {
  const runIds = [...new Set(violations.flatMap(({ runId }) => (runId === null ? [] : [runId])))];
  return [
    `seed ${scenario.seed} violates ${[...new Set(violations.map(({ invariant }) => invariant))].join(', ')}: ${command}`,
    ...violations.map(
      ({ invariant, runId, why }) => `  ${invariant}${runId === null ? '' : ` (run ${runId})`}: ${why}`,
    ),
    'the shortest history found that still does:',
    ...tellScenario(scenario),
    ...runIds.flatMap((runId) => tellRun(witnessed, runId)),
    '',
  ].join('\n');
}
