import { isLocked, lostAnswer, serve, shortName, takeLock } from './effects.ts';
import { isStateWrite, mayChange, type Answer, type Request } from './requests.ts';
import { lastWords, oneLess, spend, surroundingMoves, type Move } from './surroundings.ts';
import type { Invocation, Role, Ticks } from './tick.ts';
import { latestLanding, timeMoves } from './time.ts';
import { standingRow, typed, type Late, type World } from './world.ts';

/** How an exploration treats the time between a read and the write that rests on it. */
export interface Windows {
  /** `closed`: nobody writes a state in between. `open`: anybody may. */
  readonly windows: 'closed' | 'open';
}

const named = ({ role, n }: Pick<Invocation, 'role' | 'n'>): string => `${role} ${n}`;

const typesOf = ({ states }: Extract<Request, { kind: 'write' }>): string =>
  states.map((state) => typed(state).type).join(', ');

const readings = {
  poll: 'polls',
  unfinished: 'reads the unfinished runs',
  read: 'reads the run again',
  jobs: 'lists Jobs',
  pods: 'lists pods',
} as const;

function saysOf(request: Request, world: World): string {
  if (request.kind === 'create') return `creates ${shortName(request.job.name, request.job.key)}`;
  if (request.kind === 'delete') {
    const job = world.jobs.find(({ uid }) => uid === request.uid);
    return `deletes ${job === undefined ? request.uid : shortName(job.name, job.key)}`;
  }
  if (request.kind !== 'write') return readings[request.kind];
  return request.states.length === 0 ? 'sends a heartbeat' : `writes ${typesOf(request)}`;
}

const without = (world: World, invocation: Invocation): World => ({
  ...world,
  invocations: world.invocations.filter((one) => one !== invocation),
});

function withAnswered(world: World, invocation: Invocation, change: Partial<Invocation> | null): World {
  if (change === null) return without(world, invocation);
  const next = { ...invocation, pinned: null, ...change };
  return { ...world, invocations: world.invocations.map((one) => (one === invocation ? next : one)) };
}

/** What an answer lets an invocation do; the write that follows a read may have to follow at once. */
class Wire {
  readonly #ticks: Ticks;
  readonly #windows: Windows['windows'];

  constructor(ticks: Ticks, windows: Windows['windows']) {
    this.#ticks = ticks;
    this.#windows = windows;
  }

  async movesOf(world: World, invocation: Invocation): Promise<readonly Move[]> {
    const { next } = invocation.place;
    if (next === null) return [];
    if (this.#cameTooLate(world, invocation, next))
      return [{ says: `${named(invocation)} ends, because its read is too old`, world: without(world, invocation) }];
    return [...(await this.#served(world, invocation, next)), ...(await this.#faults(world, invocation, next))];
  }

  async #answered(
    world: World,
    invocation: Invocation,
    { says, answer }: { readonly says: string; readonly answer: Answer },
  ): Promise<readonly Move[]> {
    const place = await this.#ticks.answer(invocation, answer);
    const saw = answer.reply.kind === 'run' ? world.rows.length : invocation.saw;
    const after = withAnswered(world, invocation, place === null ? null : { place, saw });
    const now = after.invocations.find(({ n }) => n === invocation.n);
    const follows = this.#windows === 'closed' && now !== undefined && isStateWrite(now.place.next);
    if (!follows) return [{ says, world: after }];
    const chained = await this.movesOf(after, now);
    return chained.map((move) => ({ says: `${says}; ${move.says}`, world: move.world }));
  }

  async #served(world: World, invocation: Invocation, request: Request): Promise<readonly Move[]> {
    const { world: after, answer } = serve(world, request, invocation);
    const words = after.rows.length > world.rows.length ? `writes ${lastWords(after)}` : saysOf(request, world);
    const refused =
      isStateWrite(request) && after.rows.length === world.rows.length ? ', and is refused by the lock' : '';
    const says = `${named(invocation)} ${words}${refused}${answer.key.endsWith('exists') ? ', which is there' : ''}`;
    return this.#answered(after, invocation, { says, answer });
  }

  /** With closed windows a claim lands on what was read last, or not at all. */
  #cameTooLate({ rows }: World, { saw, pinned }: Invocation, request: Request): boolean {
    const isClaim = request.kind === 'write' && request.states[0]?.['type'] === 'Submitted';
    return this.#windows === 'closed' && isClaim && pinned === null && saw !== rows.length;
  }

  async #faults(world: World, invocation: Invocation, request: Request): Promise<readonly Move[]> {
    if (world.left.faults === 0) return [];
    const less = oneLess(world, 'faults');
    const says = `${named(invocation)} ${saysOf(request, world)}`;
    const answer = lostAnswer(world.now, invocation.startedAt);
    const lost = await this.#answered(less, invocation, { says: `${says}: lost on its way`, answer });
    if (!mayChange(request)) return lost;
    const { world: done } = serve(less, request, invocation);
    return [
      ...lost,
      ...(await this.#answered(done, invocation, { says: `${says}: done, and the answer is lost`, answer })),
      { says: `${named(invocation)} dies before it ${saysOf(request, world)}`, world: without(less, invocation) },
      { says: `${says}: done, and it dies`, world: without(done, invocation) },
      ...(await this.#late(less, invocation, { request, says, answer })),
    ];
  }

  /** Its sender has given up, or is dead; the server has not. Or the server takes its time between read and insert. */
  async #late(
    world: World,
    invocation: Invocation,
    { request, says, answer }: { readonly request: Request; readonly says: string; readonly answer: Answer },
  ): Promise<readonly Move[]> {
    const { world: sent, late } = lateOf(world, request);
    if (late === null) return [];
    const flying = { ...sent, late: [...sent.late, late] };
    const slow =
      late.kind === 'insert' && invocation.pinned === null
        ? [{ says: `${says}: the server has read v${late.version}`, world: withPinned(sent, invocation, late.version) }]
        : [];
    return [
      ...(await this.#answered(flying, invocation, { says: `${says}: late`, answer })),
      { says: `${says}: late, and it dies`, world: without(flying, invocation) },
      ...slow,
    ];
  }
}

function withPinned(world: World, invocation: Invocation, version: number): World {
  const invocations = world.invocations.map((one) => (one === invocation ? { ...one, pinned: version } : one));
  return { ...world, invocations };
}

function lateOf(world: World, request: Request): { readonly world: World; readonly late: Late | null } {
  const until = latestLanding(world, request.kind);
  if (request.kind === 'create') return { world, late: { kind: 'create', job: request.job, until } };
  if (request.kind === 'delete') return { world, late: { kind: 'delete', uid: request.uid, until } };
  const [state] = request.kind === 'write' ? request.states : [];
  if (state === undefined) return { world, late: null };
  const row = typed(state);
  if (row.type === 'Submitted' && isLocked(world)) return { world, late: null };
  const locked = row.type === 'Submitted' ? takeLock(world) : world;
  return { world: locked, late: { kind: 'insert', state: row, version: standingRow(world).version, until } };
}

/** Two dispatchers may overlap; of reconcile there is one at a time. */
const sideBySide: Readonly<Record<Role, number>> = { dispatch: 2, reconcile: 1 };

async function startMoves(world: World, ticks: Ticks): Promise<readonly Move[]> {
  const moves: Move[] = [];
  for (const role of ['dispatch', 'reconcile'] as const) {
    const left = role === 'dispatch' ? world.left.dispatches : world.left.reconciles;
    const busy = world.invocations.filter((one) => one.role === role).length;
    if (left > 0 && busy < sideBySide[role]) moves.push(await begin(world, role, ticks));
  }
  return moves;
}

/** Begins an invocation now. */
export async function begin(world: World, role: Role, ticks: Ticks): Promise<Move> {
  const n = world.started + 1;
  const invocation = await ticks.start({ role, n, startedAt: world.now });
  const { dispatches, reconciles } = world.left;
  const left = role === 'dispatch' ? { dispatches: dispatches - 1 } : { reconciles: reconciles - 1 };
  const after = { ...world, started: n, invocations: [...world.invocations, invocation] };
  return { says: `${named(invocation)} begins`, world: spend(after, left) };
}

/** Every step that may come next. */
export async function movesFrom(world: World, ticks: Ticks, { windows }: Windows): Promise<readonly Move[]> {
  const wire = new Wire(ticks, windows);
  const moves = [...(await startMoves(world, ticks)), ...surroundingMoves(world), ...timeMoves(world)];
  for (const invocation of world.invocations) moves.push(...(await wire.movesOf(world, invocation)));
  return moves;
}

/** The step in which an invocation is answered without a fault. */
export async function goOn(world: World, invocation: Invocation, ticks: Ticks): Promise<Move> {
  const [move] = await new Wire(ticks, 'open').movesOf(world, invocation);
  if (move === undefined) throw new Error(`${named(invocation)} does not go on`);
  return move;
}
