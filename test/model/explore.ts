import { createHash } from 'node:crypto';

import { judge, type Fault } from './judge.ts';
import { movesFrom, type Windows } from './moves.ts';
import { jobsKey, runKey } from './requests.ts';
import type { Move } from './surroundings.ts';
import type { Ticks } from './tick.ts';
import type { Budget, Late, World } from './world.ts';

/** A violation, and a shortest way to it. */
export interface Finding extends Fault {
  readonly trace: readonly string[];
}

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Steps of the longest of the shortest ways. */
  readonly depth: number;
  /** One for each kind of violation. */
  readonly found: readonly Finding[];
}

export interface Exploration extends Windows {
  readonly start: World;
  readonly ticks: Ticks;
  /** Ends at the first violation of this; null: never. */
  readonly until: Fault['invariant'] | null;
  /**
   * Called for each state in which nothing of ours is at work or on its way. From every other state one of these is
   * reached without a fault, so what holds for all of them holds for all.
   */
  readonly onCalm?: (world: World, trace: () => readonly string[]) => Promise<void>;
}

const whatOf = (late: Late): string => {
  if (late.kind === 'insert') return `${late.state.type} ${late.version}`;
  return late.kind === 'create' ? late.job.name : late.uid;
};

const leftKey = ({ dispatches, reconciles, faults, delays, mishaps, user, lazarus, retries }: Budget): string =>
  [dispatches, reconciles, faults, delays, mishaps, user.length, lazarus, retries].join();

/** What the run and its Jobs are, counted from now. */
export function truthKey(world: World): string {
  const { now, lockedUntil, resurrected, begun, uids, started } = world;
  const lock = Math.max(0, lockedUntil - now);
  return [runKey(world, now), jobsKey(world, now), lock, resurrected, begun.join(), uids, started].join('|');
}

/** Equal for worlds that nothing can tell apart from now on: 120 bits of SHA-1 over all that is in them. */
function keyOf(world: World): string {
  const { now, invocations, late, left } = world;
  const places = invocations.map(({ place, startedAt, pinned }) => `${place.id} ${now - startedAt} ${pinned}`);
  const flying = late.map((one) => `${one.kind} ${whatOf(one)} ${one.until - now}`);
  const text = [truthKey(world), places.toSorted().join(), flying.toSorted().join(), leftKey(left)].join('#');
  return createHash('sha1').update(text).digest('base64').slice(0, 20);
}

/** The chain of steps without their worlds, so that what lies behind can be let go. */
interface Trail {
  readonly from: Trail | null;
  readonly says: string;
}

const pause = /^(?<seconds>\d+) s pass$/u;

/** Steps that only let time pass are told as one. */
function told(steps: readonly string[], says: string): readonly string[] {
  const [before, now] = [steps.at(-1), says].map((step) => pause.exec(step ?? '')?.groups?.['seconds']);
  if (before === undefined || now === undefined) return [...steps, says];
  return [...steps.slice(0, -1), `${Number(before) + Number(now)} s pass`];
}

function traceOf(trail: Trail): readonly string[] {
  const steps: string[] = [];
  for (let here: Trail | null = trail; here !== null; here = here.from) steps.push(here.says);
  return steps.toReversed().slice(1).reduce(told, []);
}

const isCalm = ({ invocations, late }: World): boolean => invocations.length === 0 && late.length === 0;

interface Reached {
  readonly world: World;
  readonly trail: Trail;
}

/** A breadth-first search at work. */
class Search {
  readonly #wanted: Exploration;
  readonly #visited: Set<string>;
  readonly #found = new Map<string, Finding>();
  #next: Reached[] = [];
  #transitions = 0;
  #isOver = false;

  constructor(wanted: Exploration) {
    this.#wanted = wanted;
    this.#visited = new Set([keyOf(wanted.start)]);
  }

  async run(): Promise<Explored> {
    let frontier: readonly Reached[] = [{ world: this.#wanted.start, trail: { from: null, says: '' } }];
    let depth = 0;
    for (; frontier.length > 0; depth += 1) {
      this.#next = [];
      for (const reached of frontier) await this.#expand(reached);
      frontier = this.#isOver ? [] : this.#next;
    }
    const found = [...this.#found.values()];
    return { states: this.#visited.size, transitions: this.#transitions, depth: depth - 1, found };
  }

  async #expand({ world, trail }: Reached): Promise<void> {
    if (this.#isOver) return;
    const { ticks, windows, onCalm } = this.#wanted;
    if (isCalm(world)) await onCalm?.(world, () => traceOf(trail));
    for (const move of await movesFrom(world, ticks, { windows })) this.#take(world, move, trail);
  }

  /** What lies beyond a violation is not looked at. */
  #take(world: World, move: Move, from: Trail): void {
    this.#transitions += 1;
    const fault = judge(world, move.world);
    if (fault !== null) {
      this.#note(fault, { from, says: move.says });
      return;
    }
    const key = keyOf(move.world);
    if (this.#visited.has(key)) return;
    this.#visited.add(key);
    this.#next.push({ world: move.world, trail: { from, says: move.says } });
  }

  #note(fault: Fault, trail: Trail): void {
    if (!this.#found.has(fault.why)) this.#found.set(fault.why, { ...fault, trace: traceOf(trail) });
    if (fault.invariant === this.#wanted.until) this.#isOver = true;
  }
}

/** Every state that can be reached, breadth first, so that the way to each is a shortest one. */
export const explore = (wanted: Exploration): Promise<Explored> => new Search(wanted).run();
