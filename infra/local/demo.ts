import { setTimeout as delay } from 'node:timers/promises';

import type { TickReport } from '../../functions/core/tick-report.ts';
import { composeFunctions, type LocalFunctions } from './functions.ts';
import { JobWatch } from './job-watch.ts';
import { Ledger, type RunRow } from './ledger.ts';
import type { DemoOptions } from './options.ts';
import { Player } from './player.ts';
import { tickMs, type ScenarioRun } from './scenario.ts';
import { seedScenario } from './seed-scenario.ts';
import { countBy, type Show, type Summary } from './show.ts';
import { writeTemporary } from './temporary-file.ts';
import { versionOfPackage } from './version.ts';
import { startWorld, type World } from './world.ts';

export interface DemoOutside {
  readonly show: Show;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Reconcile comes half a minute after dispatch: two schedules of a minute each, which nobody lined up. */
const stages = [
  { name: 'dispatch', atMs: 0, endMs: tickMs / 2 },
  { name: 'reconcile', atMs: tickMs / 2, endMs: tickMs },
] as const;

/** One showing: the world, the functions that work in it, and the count of what has been. */
class Demo {
  readonly #options: DemoOptions;
  readonly #outside: DemoOutside;
  readonly #world: World;
  readonly #functions: LocalFunctions;
  readonly #player: Player;
  readonly #jobs: JobWatch;
  readonly #ledger: Ledger;
  readonly #startedAt: Date;
  readonly #ticks = { dispatch: 0, reconcile: 0 };
  #problems = 0;

  constructor(world: World, scenario: readonly ScenarioRun[], { options, outside }: Given) {
    const seeded = seedScenario(world, scenario);
    this.#options = options;
    this.#outside = outside;
    this.#world = world;
    this.#functions = composeFunctions(world, options.output === 'logs');
    this.#player = new Player(world, seeded);
    this.#jobs = new JobWatch(world.kubernetes.state);
    this.#ledger = new Ledger(world, this.#jobs, seeded);
    this.#startedAt = world.clock.now();
  }

  begin(kubeconfig: string): void {
    const { prefect, kubernetes, aws, namespace } = this.#world;
    const urls = { prefect: prefect.url, kubernetes: kubernetes.url, kubeconfig, aws: aws.url };
    const { periodMs } = this.#options;
    this.#outside.show.begin({
      version: versionOfPackage(),
      ...urls,
      namespace,
      periodMs,
      rows: this.#ledger.rows(),
    });
  }

  async run(ticks: number): Promise<void> {
    for (let tick = 1; tick <= ticks && !this.#isOver; tick += 1) {
      for (const stage of stages) await this.#stage(stage, tick);
      if (this.#ticks.reconcile === tick) this.#ledger.judge(tick);
      this.#outside.show.rows(this.#ledger.rows());
    }
  }

  end(): Summary {
    const rows = this.#ledger.rows();
    const summary = this.#summarise(rows);
    this.#outside.show.end(summary, rows);
    return summary;
  }

  get #isOver(): boolean {
    return this.#outside.signal.aborted;
  }

  async #stage({ name, atMs, endMs }: (typeof stages)[number], tick: number): Promise<void> {
    if (this.#ticks.dispatch > 0) await this.#pause();
    if (this.#isOver) return;
    const minuteMs = (tick - 1) * tickMs;
    const begun = performance.now();
    const report = await this.#functions[name]();
    const tookMs = Math.round(performance.now() - begun);
    this.#note(report);
    this.#outside.show.tick({ tick, worldMs: minuteMs + atMs, tookMs, report });
    this.#player.playUntil(new Date(this.#startedAt.getTime() + minuteMs + endMs));
    this.#jobs.look();
    this.#outside.show.rows(this.#ledger.rows());
  }

  #note(report: TickReport): void {
    this.#ticks[report.function] += 1;
    if (report.problem !== null) this.#problems += 1;
    this.#ledger.note(report);
  }

  async #pause(): Promise<void> {
    const { signal } = this.#outside;
    await delay(this.#options.periodMs / 2, undefined, { signal }).catch(() => undefined);
  }

  #summarise(rows: readonly RunRow[]): Summary {
    const standings = countBy(rows, ({ standing }) => standing);
    return {
      runs: countBy(rows, ({ state }) => state),
      expectedMismatches: standings['mismatch'] ?? 0,
      underWay: standings['under-way'] ?? 0,
      jobsCreated: this.#jobs.created,
      duplicateJobs: this.#jobs.duplicates,
      ticks: this.#ticks,
      problems: this.#problems,
      interrupted: this.#isOver,
    };
  }
}

interface Given {
  readonly options: DemoOptions;
  readonly outside: DemoOutside;
}

const lastHour = (scenario: readonly ScenarioRun[]): number =>
  Math.max(...scenario.map(({ expect }) => expect.afterTicks));

function exitStatus({ expectedMismatches, duplicateJobs, problems, interrupted }: Summary): number {
  if (interrupted) return 130;
  return expectedMismatches + duplicateJobs + problems === 0 ? 0 : 1;
}

/**
 * Plays a scenario in a local world of its own, shows it, and judges every run against its script.
 *
 * @returns the exit status: 0, 1 (a run is elsewhere, a Job came twice, or a tick could not work), 130 (interrupted)
 */
export async function runDemo(
  options: DemoOptions,
  scenario: readonly ScenarioRun[],
  outside: DemoOutside,
): Promise<number> {
  await using world = await startWorld({ latencyMs: options.latencyMs });
  await using kubeconfig = await writeTemporary('kubeconfig', world.kubernetes.kubeconfig('admin'));
  const demo = new Demo(world, scenario, { options, outside });
  demo.begin(kubeconfig.path);
  await demo.run(options.ticks ?? lastHour(scenario));
  return exitStatus(demo.end());
}
