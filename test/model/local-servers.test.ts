import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Random } from '../soak/random.ts';
import { LocalServers } from './local-servers.ts';
import { movesFrom } from './moves.ts';
import type { Move } from './surroundings.ts';
import { Ticks } from './tick.ts';
import { aWorld, instant, standingRow, stateOf, type World } from './world.ts';

/** Steps that the local servers cannot be brought to take at a moment of our choice. */
const isOurs = ({ says }: Move): boolean =>
  !/has read v|(?:writes|deletes) \w+: late|loses its lock|killer|heartbeat: late|sends a heartbeat:/u.test(says);

/** What ends a walk soon is left out of most of them: a read that is lost, a cancel before there is a Job. */
function isDull({ says }: Move, seed: number, { jobs }: World): boolean {
  if (/(?:polls|reads|lists).*: lost/u.test(says)) return seed % 10 > 0;
  return says.startsWith('the user') && jobs.length === 0 && seed % 4 > 0;
}

const isRare = ({ says }: Move): boolean => /deletes|gone|lands|and ends$/u.test(says);

const kinds: Readonly<Record<string, readonly string[]>> = {
  poll: ['poll'],
  unfinished: ['unfinished'],
  read: ['read'],
  jobs: ['list-jobs'],
  pods: ['list-pods'],
  create: ['create'],
  delete: ['delete'],
  write: ['claim', 'fail', 'cancel', 'restore', 'words'],
};

type Step = (servers: LocalServers, found: Readonly<Record<string, string | undefined>>) => void | Promise<void>;

const starting = { waiting: { reason: 'ContainerCreating' } } as const;
const begun = { running: { startedAt: instant(0).toISOString() } } as const;

function ends(servers: LocalServers, how: 'Complete' | 'Failed'): void {
  const terminated = { exitCode: how === 'Failed' ? 1 : 0, reason: how === 'Failed' ? 'Error' : 'Completed' };
  servers.showPod(how === 'Failed' ? 'Failed' : 'Succeeded', { terminated });
  servers.endJob(how);
}

/** Every step of the model, by how it is told, on the local servers. The first that matches is meant. */
const steps: readonly (readonly [RegExp, Step])[] = [
  [
    /^(?<role>dispatch|reconcile) (?<n>\d+) begins$/u,
    (servers, { role, n }) => servers.begin(role === 'dispatch' ? role : 'reconcile', Number(n)),
  ],
  [/^\w+ (?<n>\d+) dies before it/u, (servers, { n }) => servers.end(Number(n))],
  [/^\w+ (?<n>\d+) .*: done, and it dies$/u, (servers, { n }) => servers.dieAfter(Number(n))],
  [
    /^\w+ (?<n>\d+) .*: done, and the answer is lost$/u,
    (servers, { n }) => servers.step(Number(n), { done: true, answered: false }),
  ],
  [
    /^\w+ (?<n>\d+) .*: lost on its way$/u,
    (servers, { n }) => servers.step(Number(n), { done: false, answered: false }),
  ],
  [
    /^\w+ (?<n>\d+) .*: late$/u,
    async (servers, { n }) => {
      servers.delay(Number(n));
      await servers.step(Number(n), { done: false, answered: false });
    },
  ],
  [
    /^\w+ (?<n>\d+) .*: late, and it dies$/u,
    async (servers, { n }) => {
      servers.delay(Number(n));
      servers.end(Number(n));
    },
  ],
  [/^the late create/u, (servers) => servers.landCreate()],
  [/^the user cancels/u, (servers) => servers.cancel()],
  [/^the user restarts/u, (servers) => servers.write('Scheduled', 'restarted')],
  [/^Lazarus writes Scheduled/u, (servers) => servers.write('Scheduled', 'Rescheduled by a Lazarus process.')],
  [/^pod .* starts, reads \w+ and ends$/u, (servers) => ends(servers, 'Complete')],
  [/^pod .* starts and reads/u, (servers) => servers.showPod('Running', begun)],
  [
    /^pod .* writes (?<state>\w+) v\d+ and ends$/u,
    (servers, { state = '' }) => {
      servers.write(state);
      ends(servers, 'Complete');
    },
  ],
  [/^pod .* (?:fails before it works|crashes)$/u, (servers) => ends(servers, 'Failed')],
  [/^pod .* ends with 0/u, (servers) => ends(servers, 'Complete')],
  [/^Job .* gone$/u, (servers) => servers.finishDeletions()],
  [/ s pass/u, () => undefined],
  [/^(?:dispatch|reconcile) (?<n>\d+) /u, (servers, { n }) => servers.step(Number(n), { done: true, answered: true })],
];

async function playStep(servers: LocalServers, says: string): Promise<void> {
  const [pattern, step] = steps.find(([one]) => one.test(says)) ?? [];
  if (pattern === undefined || step === undefined) throw new Error(`nobody plays this: ${says}`);
  await step(servers, pattern.exec(says)?.groups ?? {});
}

/** What comes with a step by itself: Lambda ends who is late, a new Job has a pod, and a process that works is heard of. */
function follow(servers: LocalServers, before: World, world: World): void {
  const alive = new Set(world.invocations.map(({ n }) => n));
  const over = Object.keys(servers.waiting).filter((n) => !alive.has(Number(n)));
  for (const n of over) servers.end(Number(n));
  const known = new Set(before.jobs.map(({ uid }) => uid));
  if (world.jobs.some(({ uid }) => !known.has(uid))) servers.showPod('Pending', starting);
  if (world.jobs.some(({ pod }) => pod === 'working') && world.now > before.now) servers.beat();
}

async function play(servers: LocalServers, before: World, { says, world }: Move): Promise<void> {
  servers.setClock(instant(world.now));
  if (!/^pod of \S+ works:/u.test(says)) await playStep(servers, says);
  else if (stateOf(before) !== 'Running') servers.write('Running');
  follow(servers, before, world);
  servers.setClock(instant(world.now));
}

/** What the model says of the run, in the words of the local servers. */
function truthOf(world: World): readonly string[] {
  const standing = standingRow(world);
  return [
    ...world.rows.map(({ state, version }) => `${state.type} v${version}`),
    `stands: ${standing.state.type} v${standing.version}`,
    ...world.jobs.map(({ key, phase, deleting }) => `Job ${key} ${phase}${deleting ? ', deleting' : ''}`).toSorted(),
  ];
}

function agree(servers: LocalServers, world: World, path: readonly string[]): void {
  const told = path.join('\n');
  assert.deepEqual(servers.truth, truthOf(world), told);
  for (const { n, place } of world.invocations) {
    const want = kinds[place.next?.kind ?? ''] ?? [];
    assert.ok(want.includes(servers.waiting[n] ?? ''), `${told}\n${n} waits for ${servers.waiting[n]}, not ${want[0]}`);
  }
  assert.equal(Object.keys(servers.waiting).length, world.invocations.length, told);
}

const budget = {
  dispatches: 3,
  reconciles: 2,
  faults: 2,
  delays: 1,
  mishaps: 1,
  user: ['cancel', 'restart'],
  lazarus: 1,
  retries: 0,
} as const;

/** Says which of the steps comes next; none: the walk is over. */
type Choose = (moves: readonly Move[], world: World) => Move | undefined;

const atRandom = (seed: number): Choose => {
  const random = new Random(seed);
  return (moves, world) => {
    const bright = moves.filter((move) => !isDull(move, seed, world));
    const rare = bright.filter(isRare);
    const among = rare.length > 0 && random.whole(0, 1) === 0 ? rare : bright;
    return among[random.whole(0, among.length - 1)];
  };
};

/** A cancelled Job whose pod waits is deleted once it is no longer young: seldom met by chance. */
const toTheDeletion: Choose = (moves, { jobs, now }) => {
  const wishes = [
    /gone$/u,
    /^dispatch [^:]+$/u,
    ...(jobs.length > 0 ? [/^the user cancels/u] : []),
    ...(now > 120 ? [/^reconcile [^:]+$/u] : []),
    / s pass/u,
  ];
  return wishes.flatMap((wish) => moves.filter(({ says }) => wish.test(says)))[0];
};

/** One walk through the model, step by step on both. Returns what was played. */
async function walk(choose: Choose, start: World, ticks: Ticks): Promise<readonly string[]> {
  const servers = new LocalServers();
  const path: string[] = [];
  let world = start;
  for (;;) {
    const here = world;
    const move = choose((await movesFrom(here, ticks, { windows: 'open' })).filter(isOurs), here);
    if (move === undefined || path.length > 80) return path;
    path.push(move.says);
    await play(servers, here, move);
    ({ world } = move);
    agree(servers, world, path);
  }
}

describe('the world of the model', () => {
  it('is that of the local servers and the real clients, step by step', async () => {
    const ticks = new Ticks();
    const start = aWorld({ dispatches: 1, reconciles: 1, user: ['cancel'] });
    const played = [...(await walk(toTheDeletion, start, ticks))];
    for (let seed = 1; seed <= 100; seed += 1) played.push(...(await walk(atRandom(seed), aWorld(budget), ticks)));

    for (const [pattern] of steps)
      assert.ok(
        played.some((says) => pattern.test(says)),
        `never played: ${pattern.source}`,
      );
  });
});
