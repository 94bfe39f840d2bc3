import type { TickReport } from '../../functions/core/tick-report.ts';
import type { JobWatch } from './job-watch.ts';
import { readFlowRun, type FlowRunView } from './prefect-api/inspect.ts';
import { isFinished } from './prefect-api/state-json.ts';
import type { JobFate, ScenarioRun } from './scenario.ts';
import { worldTime } from './world-clock.ts';
import type { World } from './world.ts';

/** Whether a run is where its script says: too early to tell, yes, or no. */
export type Standing = 'under-way' | 'held' | 'mismatch';

/** One flow run as the table shows it. */
export interface RunRow {
  readonly name: string;
  readonly state: string;
  readonly job: JobFate;
  /** The last word about it: the state's message when it is over, else what the functions said. */
  readonly why: string;
  readonly expect: ScenarioRun['expect'];
  readonly standing: Standing;
  /** Null unless `standing` is mismatch: what was found, and after how many ticks. */
  readonly found: string | null;
}

/** `1 tick`, `4 ticks`. */
export const ticksText = (count: number): string => `${count} tick${count === 1 ? '' : 's'}`;

export interface SeededRun {
  readonly id: string;
  readonly run: ScenarioRun;
}

function isAsExpected({ expect }: ScenarioRun, ticks: number, { state, job }: Pick<RunRow, 'state' | 'job'>): boolean {
  // A finished Job is deleted when its time is over: only the hour of the expectation says anything about it.
  return state === expect.state && (ticks > expect.afterTicks || job === expect.job);
}

/** Keeps what has become of every run, and judges it against what was written before anything ran. */
export class Ledger {
  readonly #world: World;
  readonly #jobs: JobWatch;
  readonly #seeded: readonly SeededRun[];
  readonly #said = new Map<string, string>();
  readonly #found = new Map<string, string>();
  readonly #startedAt: number;
  #ticks = 0;

  constructor(world: World, jobs: JobWatch, seeded: readonly SeededRun[]) {
    this.#world = world;
    this.#jobs = jobs;
    this.#seeded = seeded;
    this.#startedAt = world.clock.now().getTime();
  }

  /** Takes note of what a tick said about each run. */
  note(report: TickReport): void {
    for (const { runId, why } of report.outcomes) if (runId !== null) this.#said.set(runId, why);
  }

  /** After a tick of each function, and what follows from it: judges the runs whose hour has come. */
  judge(ticks: number): void {
    this.#ticks = ticks;
    for (const { id, run } of this.#seeded) {
      const seen = this.#see(id);
      if (ticks < run.expect.afterTicks || this.#found.has(id) || isAsExpected(run, ticks, seen)) continue;
      this.#found.set(id, `${seen.state}, Job ${seen.job}, after ${ticksText(ticks)}`);
    }
  }

  rows(): readonly RunRow[] {
    return this.#seeded.map(({ id, run }) => {
      const found = this.#found.get(id) ?? null;
      const standing = found === null && this.#ticks < run.expect.afterTicks ? 'under-way' : 'held';
      return {
        name: run.name,
        ...this.#see(id),
        expect: run.expect,
        standing: found === null ? standing : 'mismatch',
        found,
      };
    });
  }

  #see(id: string): Pick<RunRow, 'state' | 'job' | 'why'> {
    const view = readFlowRun(this.#world.prefect.state, id);
    const job = this.#jobs.jobOf(id)?.fate ?? 'none';
    if (view === null) return { state: 'deleted', job, why: '' };
    return { state: view.state, job, why: this.#whyOf(view) };
  }

  #whyOf(view: FlowRunView): string {
    const { id, state, message, labels, scheduledStartTime } = view;
    if (isFinished(state)) return message ?? '';
    const said = this.#said.get(id);
    if (said !== undefined) return said;
    if (labels.length > 0) return `its labels (${labels.join(', ')}) are another agent's`;
    const isDue = scheduledStartTime === null || scheduledStartTime <= this.#world.clock.now();
    return isDue ? (message ?? '') : `due at ${worldTime(scheduledStartTime.getTime() - this.#startedAt)}`;
  }
}
