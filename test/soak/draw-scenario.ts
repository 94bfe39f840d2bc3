import { Random } from './random.ts';
import type { Act, Play, RunActKind, RunScript, Scenario, Settings, Shape, WorkEnd, WorldActKind } from './scenario.ts';
import { drawStrike, strikeCatalogue } from './strike-catalogue.ts';

export interface Size {
  /** Flow runs. */
  readonly runs: number;
  /** Virtual hours. */
  readonly hours: number;
}

const second = 1_000;
const minute = 60 * second;

/** Faults come in this share of the time; the rest shows what becomes of them. */
const faultyShare = 0.5;

const acts: readonly [readonly [number, RunActKind], ...(readonly [number, RunActKind])[]] = [
  [38, 'cancel'],
  [38, 'cancel'],
  [38, 'cancel'],
  [39, 'restart'],
  [39, 'restart'],
  [40, 'delete-run'],
  [29, 'delete-job'],
  [29, 'delete-job'],
  [36, 'suspend-job'],
  [48, 'foreign-job'],
  [14, 'pause'],
];

const worldActs: readonly [readonly [number, WorldActKind, number], ...(readonly [number, WorldActKind, number])[]] = [
  [8, 'two-dispatches', 0],
  [8, 'two-dispatches', 0],
  [10, 'side-by-side', 0],
  [11, 'stale-event', 0],
  [14, 'prefect-errors', 10],
  [15, 'prefect-down', 20],
  [16, 'prefect-restart', 0],
  [19, 'token-rotated', 0],
  [21, 'aws-down', 8],
  [22, 'kubernetes-down', 2],
  [23, 'kubernetes-slow', 3],
  [25, 'rbac-missing', 6],
  [26, 'job-quota', 8],
  [26, 'pod-quota', 8],
  [28, 'pod-security', 8],
  [30, 'reconcile-stopped', 20],
  [51, 'new-version', 0],
];

const works = (random: Random, ends: WorkEnd): Play => ({
  kind: 'works',
  ends,
  workMs: random.chance(0.2) ? random.whole(2, 12) * minute : random.whole(2, 90) * second,
  startsAfterMs: random.chance(0.15) ? random.whole(1, 8) * minute : random.whole(2, 20) * second,
});

/** A second before the grace is over, or after it. */
function healing(random: Random, settings: Settings): Play {
  const why = random.pick(['image', 'no-node'] as const);
  const grace = why === 'image' ? settings.imageGraceMs : settings.pendingGraceMs;
  return { kind: 'heals', why, afterMs: grace + random.pick([-1, 1, -20, 20, 61]) * second };
}

const befalls = (kind: 'preempted-early' | 'preempted' | 'evicted' | 'node-lost' | 'node-returns') => (): Play => ({
  kind,
});
const worksUntil =
  (ends: WorkEnd) =>
  (random: Random): Play =>
    works(random, ends);

type DrawPlay = (random: Random, settings: Settings) => Play;

const troubles: readonly [DrawPlay, ...DrawPlay[]] = [
  (random) => ({ kind: 'never-starts', why: random.pick(['image', 'image-name', 'config', 'no-node']) }),
  healing,
  befalls('preempted-early'),
  befalls('preempted'),
  befalls('evicted'),
  befalls('node-lost'),
  befalls('node-returns'),
  worksUntil('failed'),
  worksUntil('exit-1'),
  worksUntil('out-of-memory'),
  worksUntil('load-error'),
  worksUntil('leave-retry'),
  worksUntil('vanish'),
  worksUntil('early'),
];

const shapes: readonly [Shape, ...Shape[]] = [
  'sidecar',
  'sidecar',
  'backoff',
  'deadline',
  'pod-failure-policy',
  'unreadable',
  'hostile',
  'forbidden-path',
  'no-service-account',
];

function drawRun(random: Random, settings: Settings, endMs: number): RunScript {
  const plays: Play[] = [];
  while (plays.length < 3 && random.chance(0.45)) plays.push(random.pick(troubles)(random, settings));
  if (plays.length === 0) plays.push(works(random, 'success'));
  return {
    dueAtMs: random.chance(0.4) ? random.whole(0, 60) * second : random.whole(0, Math.floor(endMs * 0.8)),
    shape: random.chance(0.3) ? random.pick(shapes) : 'plain',
    plays,
    withoutLazarus: random.chance(0.15),
    isForeign: random.chance(0.05),
  };
}

const drawSettings = (random: Random): Settings => ({
  infraRetries: random.pick([0, 0, 1, 3]),
  pendingGraceMs: random.pick([10, 10, 20]) * minute,
  imageGraceMs: 3 * minute,
  skewMs: random.chance(0.3)
    ? {
        dispatch: random.whole(-4, 4) * second,
        reconcile: random.whole(-4, 4) * second,
        prefect: random.whole(-60, 60) * second,
      }
    : { dispatch: 0, reconcile: 0, prefect: 0 },
  crowd: random.chance(0.02) ? 520 : 0,
});

/** A pause and a suspension are taken back. */
const undone: Partial<Record<RunActKind, RunActKind>> = { pause: 'resume', 'suspend-job': 'resume-job' };

function drawActs(random: Random, runs: number, endMs: number): readonly Act[] {
  const ofRuns = Array.from({ length: random.whole(0, 5) }, (): readonly Act[] => {
    const [row, kind] = random.pick(acts);
    const act = { row, kind, run: random.whole(0, runs - 1), atMs: random.whole(0, endMs - 4 * minute) };
    const undo = undone[kind];
    return undo === undefined ? [act] : [act, { ...act, kind: undo, atMs: act.atMs + random.whole(30, 200) * second }];
  });
  const ofWorld = Array.from({ length: random.whole(0, 4) }, (): Act => {
    const [row, kind, minutes] = random.pick(worldActs);
    const forMs = Math.min(minutes * minute, Math.floor(endMs / 2)) * (0.5 + random.next() / 2);
    return { row, kind, forMs, atMs: random.whole(0, Math.floor(endMs - forMs)) };
  });
  return [...ofRuns.flat(), ...ofWorld];
}

/** What befalls the world of this seed. Pure. */
export function drawScenario(seed: number, { runs, hours }: Size): Scenario {
  const random = new Random(seed * 7919 + 17);
  const endMs = Math.floor(hours * 60 * minute * faultyShare);
  const settings = drawSettings(random);
  return {
    seed,
    hours,
    settings,
    runs: Array.from({ length: runs }, () => drawRun(random, settings, endMs)),
    strikes: Array.from({ length: random.whole(0, 7) }, () => drawStrike(random, random.pick(strikeCatalogue), endMs)),
    acts: drawActs(random, runs, endMs),
  };
}
