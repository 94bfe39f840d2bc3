import type { SeededRun } from './ledger.ts';
import { readFlowRun } from './prefect-api/inspect.ts';
import { seedFlow, seedFlowRun, setFlowRunState, setTaskRunState } from './prefect-api/seed.ts';
import type { ScenarioRun } from './scenario.ts';
import type { World } from './world.ts';

const project = 'local-world';
const tasks = [{ slug: 'extract' }, { slug: 'load', maxRetries: 3, retryDelaySeconds: 900 }];
const image = 'registry.example.com/flows:1.0';

const before = (instant: Date, minutes: number): Date => new Date(instant.getTime() - minutes * 60_000);

/** Registers flows of these names, each with two tasks; returns their ids by name. */
export function seedFlows({ prefect, clock }: World, names: readonly string[]): ReadonlyMap<string, string> {
  const now = clock.now();
  const seed = (name: string): string =>
    seedFlow(prefect.state, { name, projectName: project, tasks, runConfig: { type: 'KubernetesRun', image } }, now);
  return new Map([...new Set(names)].map((name) => [name, seed(name)]));
}

/** A run whose process ended because a task's retry is far away: Running, one task done, the other waits. */
function leaveForRetry({ prefect: { state }, clock }: World, runId: string, dueAt: Date): void {
  const now = before(clock.now(), 20);
  setFlowRunState(state, { runId, state: { type: 'Running', message: 'Running flow.' } }, now);
  const [done, waiting] = readFlowRun(state, runId)?.taskRuns ?? [];
  if (done === undefined || waiting === undefined) throw new Error(`flow run ${runId} has no tasks to retry`);
  setTaskRunState(state, { taskRunId: done.id, state: { type: 'Success', message: 'Task run succeeded.' } }, now);
  const retrying = { type: 'Retrying', message: 'Retrying Task', run_count: 2, start_time: dueAt.toISOString() };
  setTaskRunState(state, { taskRunId: waiting.id, state: retrying }, now);
}

/** Schedules the runs of a scenario, counted from the world's present. */
export function seedScenario(world: World, scenario: readonly ScenarioRun[]): readonly SeededRun[] {
  const { state } = world.prefect;
  const now = world.clock.now();
  const flows = seedFlows(
    world,
    scenario.map(({ flow }) => flow),
  );
  return scenario.map((run) => {
    const flowId = flows.get(run.flow) ?? '';
    const dueAt = new Date(now.getTime() + run.dueAtMs);
    const startTime = run.isRetry ? before(now, 21) : dueAt;
    const { name, labels, runConfig } = run;
    const id = seedFlowRun(state, { flowId, name, labels, runConfig, startTime }, before(now, 30));
    if (run.isRetry) leaveForRetry(world, id, dueAt);
    return { id, run };
  });
}
