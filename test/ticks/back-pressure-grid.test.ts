import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { play, seatedUnevenly, type Played } from '../support/busy-server.ts';

const seatsOf = [4, 8, 16, 24, 32, 49, 60, 200];
const latenciesMs = [5, 20, 50, 200];
const settings = [8, 32, 64];
const jobsOf = [100, 1_000, 3_000];

/** A burst of refusals is remembered for so long: then one more is tried, and refused. */
const memoryMs = 10_000;

interface Cell {
  readonly seats: number;
  readonly latencyMs: number;
  readonly setting: number;
  readonly jobs: number;
  readonly seen: Played;
  /** With as many in flight as the server takes, which nobody knows beforehand. */
  readonly best: Played;
}

/** Where the server takes the setting, it is the best; a world that was played is not played again. */
const cache = new Map<string, Played>();

async function playOnce(seats: number, latencyMs: number, [jobs, size]: readonly [number, number]): Promise<Played> {
  const key = [seats, latencyMs, jobs, size].join(' ');
  const played = cache.get(key) ?? (await play(seatedUnevenly(seats, latencyMs), jobs, size));
  cache.set(key, played);
  return played;
}

async function playCell(cell: Omit<Cell, 'seen' | 'best'>): Promise<Cell> {
  const { seats, latencyMs, setting, jobs } = cell;
  const best = await playOnce(seats, latencyMs, [jobs, Math.min(setting, seats)]);
  return { ...cell, best, seen: await playOnce(seats, latencyMs, [jobs, setting]) };
}

const worlds = seatsOf.flatMap((seats) =>
  latenciesMs.flatMap((latencyMs) =>
    settings.flatMap((setting) => jobsOf.map((jobs) => ({ seats, latencyMs, setting, jobs }))),
  ),
);

// Before the first test: a test watches every promise, and these are some millions.
const cells: Cell[] = [];
for (const world of worlds) cells.push(await playCell(world));

const nameOf = ({ seats, latencyMs, setting, jobs }: Cell): string =>
  `${seats} seats, ${latencyMs} ms, setting ${setting}, ${jobs} Jobs`;

/** Seconds that the server asks everybody to wait: for the first burst, and for one try in each ten seconds. */
const triesOf = ({ seats, setting, seen }: Cell): number => (seats < setting ? 1 + Math.floor(seen.ms / memoryMs) : 0);

/** What a property is broken by, as a text. */
function worst(breaks: (cell: Cell) => boolean): readonly string[] {
  return cells.filter(breaks).map((cell) => `${nameOf(cell)}: ${JSON.stringify(cell.seen)}, best ${cell.best.ms} ms`);
}

describe('at every server of the grid, with every setting', () => {
  it('every Job is created, and never more are in flight than the setting', () => {
    assert.deepEqual(
      worst(({ seen, jobs, setting }) => seen.created !== jobs || seen.mostInFlight > setting),
      [],
    );
    assert.equal(cells.length, 288);
  });

  it('where the server takes the setting, nothing is slower for it', () => {
    assert.deepEqual(
      worst(({ seats, setting, seen, best }) => seats >= setting && (seen.rejected > 0 || seen.ms > best.ms)),
      [],
    );
  });

  it('it takes the seconds that the server asks for, and a tenth more than the best fixed number in flight', () => {
    assert.deepEqual(
      worst((cell) => cell.seen.ms > 1.1 * cell.best.ms + 1_000 * triesOf(cell)),
      [],
    );
  });

  it('it is at least half as fast as that wherever there is work for one of these seconds', () => {
    assert.deepEqual(
      worst(({ seen, best }) => best.ms >= 1_000 && seen.ms > 2 * best.ms),
      [],
    );
  });

  it('what is refused is the rest of the first burst, and one for each try later', () => {
    assert.deepEqual(
      worst((cell) => {
        const burst = Math.max(0, Math.min(cell.setting, cell.jobs) - cell.seats);
        return cell.seen.rejected > burst + Math.max(0, triesOf(cell) - 1);
      }),
      [],
    );
  });
});
