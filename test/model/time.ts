import { contextOf } from '../../functions/core/history.ts';
import { isStateWrite } from './requests.ts';
import { oneLess, staleSeconds, worksSomewhere, type Move } from './surroundings.ts';
import { limitSeconds, type Invocation } from './tick.ts';
import { secondsOf, type World } from './world.ts';

/** Limits of single requests in seconds (functions/ticks/ports.ts and the ticks): a claim or read, a create. */
const requestSeconds = 15;
const createSeconds = 10;
/** What the API server may still do with a create after its client is gone; the same for other writes. */
const afterlifeSeconds = 60;
/** Q of the protocol, and the skew that everybody adds to a lease. */
export const quietSeconds = 120;
const skewSeconds = 10;
const cancelGraceSeconds = 60;
/** The last second in which a create is still sent: 2 s to report and 10 s for itself are left. */
const lastCreateSeconds = limitSeconds - 13;

/** When what an invocation waits for has been waited for long enough. */
export function limitOf({ place, startedAt }: Invocation): number {
  const since = place.answers.at(-1)?.at ?? startedAt;
  return since + (place.next?.kind === 'create' ? createSeconds : requestSeconds);
}

/** A request that is sent now is over by then, whatever became of its sender. */
export const latestLanding = (world: World, kind: string): number =>
  world.now + (kind === 'create' ? createSeconds : requestSeconds) + afterlifeSeconds;

function ofRows({ rows }: World): readonly number[] {
  return rows.flatMap(({ at, state }, place) => {
    const { until } = contextOf(state);
    if (typeof until === 'string') {
      const claims = rows.slice(0, place + 1).filter(({ state: { type } }) => type === 'Submitted').length;
      return [secondsOf(new Date(until)) + skewSeconds, at + 60 * Math.min(2 ** (claims - 1), 15)];
    }
    return state.type.startsWith('Cancel') ? [at + cancelGraceSeconds + 1] : [];
  });
}

const ofInvocations = ({ invocations }: World): readonly number[] =>
  invocations.flatMap((invocation) => [
    invocation.startedAt + lastCreateSeconds,
    invocation.startedAt + limitSeconds,
    limitOf(invocation),
  ]);

/** A process at work sends heartbeats: then its age is none. */
const ofHeartbeat = (world: World): readonly number[] => {
  const { heartbeat, left } = world;
  if (heartbeat === null || worksSomewhere(world)) return [];
  return [heartbeat + quietSeconds, ...(left.lazarus > 0 ? [heartbeat + staleSeconds] : [])];
};

/** Instants at which something begins to be true that anybody decides by. Between two of them nothing changes. */
const instants = (world: World): readonly number[] => [
  ...ofInvocations(world),
  ...ofRows(world),
  ...ofHeartbeat(world),
  ...world.late.map(({ until }) => until),
  ...world.jobs.map(({ at }) => at + quietSeconds + 1),
  world.lockedUntil,
];

/** Nobody waits longer than its limit, and nothing that is late comes later than it can. */
const horizonOf = (world: World): number =>
  Math.min(...world.late.map(({ until }) => until), ...world.invocations.map((invocation) => limitOf(invocation)));

/** At its time limit Lambda ends an invocation wherever it is. */
export function at(world: World, now: number): World {
  const invocations = world.invocations.filter(({ startedAt }) => now < startedAt + limitSeconds);
  const heartbeat = worksSomewhere(world) ? now : world.heartbeat;
  return { ...world, now, invocations, heartbeat };
}

/** Nobody comes who could decide otherwise later. */
const isOver = ({ left, invocations, late }: World): boolean =>
  left.dispatches + left.reconciles + left.lazarus + invocations.length + late.length === 0;

/** The clock goes on to the next instant that matters. */
export function timeMoves(world: World): readonly Move[] {
  const next = Math.min(...instants(world).filter((instant) => instant > world.now));
  if (!Number.isFinite(next) || next > horizonOf(world)) return [];
  if (isOver(world)) return [];
  const isBusy = world.invocations.length > 0;
  if (isBusy && world.left.delays === 0) return [];
  const after = at(isBusy ? oneLess(world, 'delays') : world, next);
  const ended = world.invocations.length - after.invocations.length;
  const killed = ended === 0 ? '' : ', and Lambda ends what still runs';
  return [{ says: `${next - world.now} s pass${killed}`, world: after }];
}

export const waitsToWrite = ({ place }: Invocation): boolean => isStateWrite(place.next);
