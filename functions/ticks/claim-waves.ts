import type { FlowRunId } from '../core/flow-run.ts';
import { sameTruth } from '../core/guarded-write.ts';
import { submittedState } from '../core/states.ts';
import { nextPace, startingPace, type Pace } from './pace.ts';
import { apiServerRequestMs, claimLimitMs, createLimitMs, freshMs } from './ports.ts';
import {
  outcomeOf,
  type Reception,
  type TimedRead,
  type WaveCreates,
  type WaveDeps,
  type WaveItem,
  type WaveSettings,
} from './wave-creates.ts';

/** Time a first wave is assumed to need: one claim write, one read, before any create. */
const firstWaveMs = 5_000;

/** A wave that is claimed while another one is created; `slow` as long as nobody knows how its creates are taken. */
type Creating = Promise<Reception>;

const unknownYet: Creating = Promise.resolve('slow');

const nothingRead: TimedRead = { at: new Date(0), runs: new Map() };

/** While the poll is younger than this, the next wave will find it fresh enough and is not read ahead. */
const longFreshMs = freshMs / 2;

/**
 * Claims and verifies in waves: the verifying read of one wave is the fresh read of the next (protocol rules 5 to 7).
 * While the API server takes everything at once, the next wave is claimed during the creates of the last one; otherwise
 * after them. Nothing is claimed that cannot be created in the time left; the first refusal by quota, RBAC or login ends
 * the claiming. One for all rounds of a tick: it knows what Prefect bears.
 */
export class ClaimWaves {
  readonly #deps: WaveDeps;
  readonly #settings: WaveSettings;
  readonly #creates: WaveCreates;
  #polled: TimedRead = nothingRead;
  #read: TimedRead = nothingRead;
  #pace: Pace = startingPace;
  #lastWaveMs = firstWaveMs;
  /** The creates of the last two waves, the older one first. */
  #creating: readonly [Creating, Creating] = [unknownYet, unknownYet];
  readonly #waiting = new Set<FlowRunId>();
  #waves = 0;
  #lostLogs = 0;

  constructor(deps: WaveDeps, settings: WaveSettings, creates: WaveCreates) {
    this.#deps = deps;
    this.#settings = settings;
    this.#creates = creates;
  }

  /** Number of waves sent. */
  get waves(): number {
    return this.#waves;
  }

  /** Log lines that rode along with a claim batch and were not accepted. */
  get lostLogs(): number {
    return this.#lostLogs;
  }

  /** Runs with a claim of ours whose turn did not come: kept alive until it does. */
  get waiting(): ReadonlySet<FlowRunId> {
    return this.#waiting;
  }

  /** Claims the items of one plan, found by `start`; returns when the last are claimed, their creates under way. */
  async run(items: readonly WaveItem[], start: TimedRead): Promise<void> {
    this.#polled = start;
    let rest = items;
    while (rest[0] !== undefined && (await this.#mayClaimNow())) {
      await this.#deps.budget.wait(rest[0].startAt);
      // The wait for a start may have taken the time that the create needs.
      if (!this.#mayClaim()) break;
      const now = this.#deps.now();
      const due = rest.slice(0, this.#pace.size).filter((item) => item.startAt <= now);
      if (due.length === 0) break;
      rest = rest.slice(due.length);
      await this.#wave(due, rest);
    }
    this.#hold(rest);
    // A page of runs with their run configs is megabytes, and the next one is on its way.
    this.#polled = nothingRead;
  }

  /** Resolves when everything that was claimed is created and settled. */
  async settled(): Promise<void> {
    await Promise.all(this.#creating);
  }

  /** At most two waves are claimed and not created, and one where the last but one met anything but Jobs at once. */
  async #mayClaimNow(): Promise<boolean> {
    const [before, last] = this.#creating;
    if ((await before) === 'slow') await last;
    return this.#mayClaim();
  }

  #hold(items: readonly WaveItem[]): void {
    for (const item of items) {
      this.#deps.report(outcomeOf(item, 'held', this.#whyNoMore()));
      if (item.run.state === 'Submitted') this.#waiting.add(item.run.id);
    }
  }

  #mayClaim(): boolean {
    if (this.#creates.end !== null || this.#creates.unanswered) return false;
    return this.#deps.budget.leftMs() > createLimitMs + this.#lastWaveMs;
  }

  #whyNoMore(): string {
    const { end, unanswered } = this.#creates;
    if (end !== null) return `the claiming ended: ${end.message}`;
    return unanswered ? 'the API server did not answer' : 'no time left in this invocation';
  }

  async #wave(due: readonly WaveItem[], rest: readonly WaveItem[]): Promise<void> {
    const begun = this.#deps.now().getTime();
    this.#waves += 1;
    let ready = due;
    try {
      ready = await this.#freshen(due);
      // The read may have taken the time that the create needs.
      if (this.#mayClaim()) return await this.#claimAndCreate(ready, { rest, begun });
      this.#hold(ready);
    } catch (error) {
      // A read that fails creates nothing: the claims heal by protocol rule 10.
      const why = error instanceof Error ? error.message : 'no readable answer';
      for (const item of ready) this.#deps.report(outcomeOf(item, 'unknown', why));
    }
    this.#noteTime(begun);
  }

  async #claimAndCreate(
    ready: readonly WaveItem[],
    { rest, begun }: { readonly rest: readonly WaveItem[]; readonly begun: number },
  ): Promise<void> {
    await this.#claim(ready.filter((item) => item.mode === 'claim'));
    const next = this.#ageOf(this.#polled) < longFreshMs ? [] : rest.slice(0, this.#pace.size);
    await this.#readAgain([...ready, ...next]);
    const creating = this.#create(ready, begun);
    // A fault of ours is thrown where it is awaited; until then it must not end the process.
    creating.catch(() => undefined);
    this.#creating = [this.#creating[1], creating];
  }

  async #create(items: readonly WaveItem[], begun: number): Creating {
    const reception = await this.#creates.settle({ items, read: this.#read });
    this.#noteTime(begun);
    return reception;
  }

  #noteTime(begun: number): void {
    this.#lastWaveMs = Math.max(1_000, this.#deps.now().getTime() - begun);
  }

  #ageOf({ at }: TimedRead): number {
    return this.#deps.now().getTime() - at.getTime();
  }

  async #readAgain(items: readonly WaveItem[]): Promise<void> {
    const at = this.#deps.now();
    const ids = items.map((item) => item.run.id);
    const { runs } = await this.#deps.prefect.readRuns(ids, this.#deps.budget.signal(claimLimitMs));
    this.#read = { at, runs: new Map(runs.map((run) => [run.id, run])) };
  }

  /** The items that are still what the plan saw, on a read at most 2 s old. */
  async #freshen(due: readonly WaveItem[]): Promise<readonly WaveItem[]> {
    const isFresh = (read: TimedRead): boolean =>
      this.#ageOf(read) <= freshMs && due.every(({ run }) => read.runs.has(run.id));
    const known = [this.#read, this.#polled].find(isFresh);
    if (known === undefined) await this.#readAgain(due);
    const { runs } = known ?? this.#read;
    return due.filter((item) => {
      const fresh = runs.get(item.run.id);
      const same = fresh !== undefined && sameTruth(item.run, fresh);
      if (!same) this.#deps.report(outcomeOf(item, 'superseded', 'the run changed before it was claimed'));
      return same;
    });
  }

  async #claim(items: readonly WaveItem[]): Promise<void> {
    if (items.length === 0) return;
    const { stackId, endsAt } = this.#settings;
    const until = new Date(endsAt.getTime() + apiServerRequestMs);
    const states = items.map(({ run, key, claimId }) => ({
      runId: run.id,
      version: run.version,
      state: submittedState(run, { stack: stackId, claim: claimId, key, until }),
    }));
    const begun = this.#deps.now().getTime();
    const answers = await this.#deps.prefect.write({
      states,
      logs: this.#creates.takeLogs(),
      heartbeats: [],
      signal: this.#deps.budget.signal(claimLimitMs),
    });
    this.#lostLogs += answers.lostLogs;
    this.#pace = nextPace(this.#pace, {
      milliseconds: this.#deps.now().getTime() - begun,
      readable: answers.states.some((answer) => answer.kind !== 'unknown'),
    });
  }
}
