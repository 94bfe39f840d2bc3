import { randomUUID } from 'node:crypto';

import { composeDispatch } from '../../functions/compose-dispatch.ts';
import { composeReconcile } from '../../functions/compose-reconcile.ts';
import { clusterLogin, machineOutside, share, type Outside, type Tick } from '../../functions/composition.ts';
import { systemClock, type Clock } from '../../functions/clock.ts';
import { functionLimitMs } from '../../functions/limits.ts';
import { UsageError } from '../local/flag-values.ts';
import { functionLines, type FunctionLines } from '../local/function-lines.ts';
import { versionOfPackage } from '../local/version.ts';
import { playsRealRuns } from './local-world.ts';
import type { LaptopOptions } from './options.ts';
import { laptopSettings, type Env, type LaptopSettings } from './settings.ts';
import type { LaptopShow } from './show.ts';

export interface LaptopOutside {
  readonly show: LaptopShow;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
  readonly env: Env;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/** Both functions in warm containers of this process, one round after the other. */
class Laptop {
  readonly #options: LaptopOptions;
  readonly #settings: LaptopSettings;
  readonly #outside: LaptopOutside & { readonly clock: Clock };
  readonly #functions: readonly (readonly ['dispatch' | 'reconcile', Tick])[];
  readonly #lines: FunctionLines;
  readonly #ticks = { dispatch: 0, reconcile: 0 };
  #problems = 0;
  #jobsCreated = 0;

  constructor(options: LaptopOptions, settings: LaptopSettings, outside: LaptopOutside & { readonly clock: Clock }) {
    this.#options = options;
    this.#settings = settings;
    this.#outside = outside;
    const { config } = settings;
    const around = outsideOf(settings, outside.clock);
    this.#lines = functionLines(options.output === 'logs', config);
    this.#functions = [
      ['dispatch', composeDispatch(config, around)],
      ['reconcile', composeReconcile(config, around)],
    ];
  }

  begin(): void {
    const { config, context, server } = this.#settings;
    const { prefectApi: api, namespace, stackId: stack, agentName: agent, agentLabels: labels } = config;
    const { periodMs } = this.#options;
    const about = { api, context, server, namespace, stack, agent, labels };
    this.#outside.show.begin({ version: versionOfPackage(), ...about, periodMs });
  }

  async run(): Promise<void> {
    const { clock, show, signal } = this.#outside;
    const { ticks, periodMs } = this.#options;
    signal.addEventListener('abort', () => show.ending(), { once: true });
    for (let round = 1; !signal.aborted; round += 1) {
      const begun = clock.now().getTime();
      await this.#round(round);
      if (round === ticks) return;
      const left = begun + periodMs - clock.now().getTime();
      if (left > 0) await clock.sleep(left, signal);
    }
  }

  /** The exit status: 1 when a tick could not work. */
  end(): number {
    const { show, signal } = this.#outside;
    show.end({
      ticks: this.#ticks,
      problems: this.#problems,
      jobsCreated: this.#jobsCreated,
      interrupted: signal.aborted,
    });
    return this.#problems === 0 ? 0 : 1;
  }

  async #round(round: number): Promise<void> {
    const { clock, show, signal } = this.#outside;
    for (const [name, tick] of this.#functions) {
      if (signal.aborted) return;
      const at = clock.now();
      const endsAt = new Date(at.getTime() + functionLimitMs);
      const requestId = randomUUID();
      this.#lines.begin(requestId);
      const report = await tick({ endsAt, requestId }, this.#lines);
      this.#ticks[name] += 1;
      if (report.problem !== null) this.#problems += 1;
      this.#jobsCreated += report.counts.created;
      show.tick({ tick: round, at, tookMs: clock.now().getTime() - at.getTime(), report });
    }
  }
}

function outsideOf({ env, login }: LaptopSettings, clock: Clock): Outside {
  return { ...machineOutside(env), clock, ...(login === null ? {} : { cluster: login }) };
}

async function refusePlayedRuns(settings: LaptopSettings, clock: Clock): Promise<void> {
  const { config, context } = settings;
  const around = outsideOf(settings, clock);
  const { openSession } = around;
  const { prefectApi } = config;
  if (!(await playsRealRuns({ login: clusterLogin(share(config, around)), prefectApi, openSession }))) return;
  throw new UsageError(
    `The cluster of ${context} is the local world of this machine, and the Prefect API at ${prefectApi} is not: real runs would be claimed and only played. Choose another context, or the Prefect API of the local world.`,
  );
}

/**
 * Runs both functions on real parts until the ticks are over or somebody interrupts.
 *
 * @returns the exit status: 0, or 1 when a tick could not work
 * @throws UsageError before anything is claimed, when it must not or cannot begin; BoundaryError when the cluster is away
 */
export async function runLaptop(options: LaptopOptions, outside: LaptopOutside): Promise<number> {
  const { clock = systemClock } = outside;
  const settings = laptopSettings(options, outside.env, clock);
  await refusePlayedRuns(settings, clock);
  const laptop = new Laptop(options, settings, { ...outside, clock });
  laptop.begin();
  await laptop.run();
  return laptop.end();
}
