import type { JsonObject } from '../../functions/core/json.ts';
import { isRight } from './judge.ts';
import { begin, goOn } from './moves.ts';
import { truthKey } from './explore.ts';
import { endOfDeleted, podGoesOn, serverActs } from './surroundings.ts';
import type { Role, Ticks } from './tick.ts';
import { at } from './time.ts';
import { instant, secondsOf, type Job, type Row, type World } from './world.ts';

/** Both functions begin once a minute. */
const periodSeconds = 60;
const mostSeconds = 45 * 60;

const shifted = (text: unknown, by: number): string => instant(secondsOf(new Date(String(text))) - by).toISOString();

/** The same world with another beginning of time, and names in the order in which they appear: fewer of them differ. */
function normal(world: World): World {
  const by = world.now;
  const claims = new Map<string, string>();
  const claimed = (id: string): string => {
    const name = claims.get(id) ?? `claim-${claims.size - 100}`;
    claims.set(id, name);
    return name;
  };
  const contextIn = (context: JsonObject): JsonObject => {
    const { claim, until } = context;
    return typeof claim === 'string' ? { ...context, claim: claimed(claim), until: shifted(until, by) } : context;
  };
  const stateIn = (state: Row['state']): Row['state'] => ({
    ...state,
    ...('start_time' in state ? { start_time: shifted(state['start_time'], by) } : {}),
    ...('context' in state ? { context: contextIn(state['context'] as JsonObject) } : {}),
    ...('state' in state && state['state'] !== null ? { state: stateIn(state['state'] as Row['state']) } : {}),
  });
  const jobIn = (job: Job, place: number): Job => ({
    ...job,
    uid: `uid-${place}`,
    claimId: claimed(job.claimId),
    at: job.at - by,
    finishedAt: job.finishedAt === null ? null : job.finishedAt - by,
  });
  return {
    ...world,
    now: 0,
    started: 0,
    uids: 100,
    rows: world.rows.map((row) => ({ ...row, at: row.at - by, state: stateIn(row.state) })),
    jobs: world.jobs.map(jobIn),
    heartbeat: world.heartbeat === null ? null : world.heartbeat - by,
    lockedUntil: Math.max(0, world.lockedUntil - by),
  };
}

async function tick(world: World, role: Role, ticks: Ticks): Promise<World> {
  let { world: here } = await begin(world, role, ticks);
  for (;;) {
    const [invocation] = here.invocations;
    if (invocation === undefined) return here;
    ({ world: here } = await goOn(here, invocation, ticks));
  }
}

/** Pods do what they were made for, and what is being deleted is gone. */
function podsEnd(world: World): World {
  let here = endOfDeleted(world);
  for (;;) {
    const job = here.jobs.find(({ phase }) => phase === 'active');
    if (job === undefined) return here;
    ({ world: here } = podGoesOn(here, job));
  }
}

/** A minute without faults: dispatch, reconcile, the pods, the server's services. */
async function minute(world: World, ticks: Ticks): Promise<World> {
  let here = await tick(world, 'dispatch', ticks);
  here = podsEnd(here);
  here = podsEnd(await tick(here, 'reconcile', ticks));
  here = serverActs(here)?.world ?? here;
  return at(here, here.now + periodSeconds);
}

export interface Lives {
  /** Seconds that a run took to come right; null: it has not within 45 minutes. */
  readonly of: (world: World) => Promise<number | null>;
  /** Distinct worlds that were looked at. */
  readonly known: () => number;
}

/** L under fairness: what becomes of a run when nothing goes wrong any more and both functions go on. */
export function lives(ticks: Ticks): Lives {
  const known = new Map<string, number | null>();
  const from = async (world: World, seconds: number): Promise<number | null> => {
    const here = normal(world);
    const key = truthKey(here);
    const found = known.get(key);
    if (found !== undefined) return found;
    if (isRight(here)) return 0;
    if (seconds >= mostSeconds) return null;
    const rest = await from(await minute(here, ticks), seconds + periodSeconds);
    const all = rest === null ? null : rest + periodSeconds;
    known.set(key, all);
    return all;
  };
  return { of: async (world) => from(podsEnd(world), 0), known: () => known.size };
}
