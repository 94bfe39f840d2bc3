import { runLazarus, runZombieKiller } from '../../infra/local/prefect-api/services.ts';
import { check, type Violation } from '../faults/checker.ts';
import { defaultLimits, type Witnessed } from '../faults/witness.ts';
import { Lambda } from './lambda.ts';
import { Pods } from './pods.ts';
import { witnessedRun } from './run-record.ts';
import type { Scenario } from './scenario.ts';
import { rowOfShape } from './shapes.ts';
import { Wire } from './wire.ts';
import { planAct } from './world-acts.ts';
import { accessKey, SoakWorld } from './world.ts';

const second = 1_000;
const minute = 60 * second;
/** Rounds of the server's services (PrefectHQ/server services/towel). */
const lazarusMs = 10 * minute;
const zombieKillerMs = 2 * minute;

export interface SimulationResult {
  readonly violations: readonly Violation[];
  readonly witnessed: Witnessed;
  readonly rulesFired: ReadonlyMap<string, number>;
  readonly rowsHit: ReadonlySet<number>;
  readonly faults: number;
  /** The same scenario gives the same one. */
  readonly fingerprint: string;
}

/** Again and again, from `firstMs` on. */
function every(world: SoakWorld, { periodMs, firstMs }: { periodMs: number; firstMs: number }, run: () => void): void {
  const again = (): void => {
    run();
    world.scheduler.after(periodMs, again);
  };
  world.scheduler.after(firstMs, again);
}

function schedule(world: SoakWorld, lambda: Lambda, pods: Pods): void {
  every(world, { periodMs: minute, firstMs: second }, () => lambda.invoke('dispatch'));
  every(world, { periodMs: minute, firstMs: 31 * second }, () => {
    if (!world.modes.has('reconcile-stopped')) lambda.invoke('reconcile');
  });
  every(world, { periodMs: second, firstMs: second }, () => {
    if (!pods.isIdle || world.now.getTime() % (10 * second) === 0) pods.step();
  });
  const isUp = (): boolean => !world.modes.has('prefect-down');
  every(world, { periodMs: zombieKillerMs, firstMs: zombieKillerMs }, () => {
    if (isUp()) runZombieKiller(world.prefect, world.prefectNow);
  });
  every(world, { periodMs: lazarusMs, firstMs: lazarusMs }, () => {
    if (isUp()) runLazarus(world.prefect, world.prefectNow);
  });
  for (const act of world.scenario.acts) planAct(world, lambda, act);
}

const finished: ReadonlySet<string> = new Set(['Success', 'Failed', 'Cancelled', 'TriggerFailed']);

/** Nothing will happen any more: no fault is to come, every run is over, and nothing of it is left in the cluster. */
function isAtRest(world: SoakWorld, lambda: Lambda, lastActMs: number): boolean {
  const isQuiet = world.now.getTime() - world.startedAt.getTime() > lastActMs && lambda.busy === 0;
  if (!isQuiet) return false;
  const isOver = world.runs.every(
    ({ id, script }) => script.isForeign || finished.has(world.prefect.tables.flow_run.get(id)?.state ?? 'Success'),
  );
  if (!isOver) return false;
  return !world.jobs.all.some(({ runId, deletedAt }) => deletedAt === null && world.runOf(runId) !== null);
}

function witnessOf(world: SoakWorld): Witnessed {
  return {
    stackId: world.stackId,
    requests: world.requests,
    invocations: world.invocations,
    runs: world.runs.map((run) => witnessedRun(world, run)),
    jobs: world.jobs.all,
    executions: world.executions,
    lastFaultAt: world.lastFaultAt,
    endedAt: world.now,
    canaries: [...world.tokens, accessKey.secret],
    outputs: world.outputs,
  };
}

function fingerprintOf({ requests, runs }: Witnessed): string {
  const histories = runs.map(({ history }) => history.map(({ state, at }) => `${state}@${at.getTime()}`).join());
  return `${requests.length} ${requests.at(-1)?.at.toISOString()} ${histories.join(' ')}`;
}

/** Rows that are in a world from its beginning: the shapes of its runs, and clocks that are wrong. */
function rowsOfTheWorld({ runs, settings }: Scenario): readonly number[] {
  const isSkewed = Object.values(settings.skewMs).some((ms) => ms !== 0);
  return [...runs.map(({ shape }) => rowOfShape[shape]), isSkewed ? 44 : undefined].filter((row) => row !== undefined);
}

/** Plays one scenario from its beginning to its end, or until nothing can happen any more, and judges it. */
export async function simulate(scenario: Scenario): Promise<SimulationResult> {
  const world = new SoakWorld(scenario);
  const wire = new Wire(world);
  const lambda = new Lambda(world, wire);
  schedule(world, lambda, new Pods(world));
  for (const row of rowsOfTheWorld(scenario)) world.rowsHit.add(row);
  const endMs = scenario.hours * 60 * minute;
  const lastActMs = Math.max(...scenario.acts.map(({ atMs }) => atMs), ...scenario.runs.map(({ dueAtMs }) => dueAtMs));
  const end = new Date(world.startedAt.getTime() + endMs);
  await world.scheduler.runUntil(end, () => isAtRest(world, lambda, lastActMs));
  const witnessed = witnessOf(world);
  const { pendingGraceMs } = scenario.settings;
  const crashes = world.crashes.map((why) => ({ invariant: 'B', runId: null, why }) as const);
  return {
    violations: [...crashes, ...check(witnessed, { ...defaultLimits, pendingGraceMs })],
    witnessed,
    rulesFired: world.rulesFired,
    rowsHit: world.rowsHit,
    faults: world.faults,
    fingerprint: fingerprintOf(witnessed),
  };
}
