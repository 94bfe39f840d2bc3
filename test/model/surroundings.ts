import { create, insertRow, remove, shortName } from './effects.ts';
import {
  finished,
  isAtWork,
  scheduledState,
  standingRow,
  stateOf,
  type Budget,
  type Job,
  type Late,
  type Row,
  type World,
} from './world.ts';

/** One step of the world, and how a trace tells it. */
export interface Move {
  readonly says: string;
  readonly world: World;
}

/** The server's services take a run for dead after so long (PrefectHQ/server services/towel). */
export const staleSeconds = 600;
const mostResurrections = 3;

export const spend = (world: World, what: Partial<Budget>): World => ({ ...world, left: { ...world.left, ...what } });
export const oneLess = (world: World, what: 'faults' | 'delays' | 'mishaps' | 'lazarus' | 'retries'): World =>
  spend(world, { [what]: world.left[what] - 1 });

const writes = (world: World, by: Row['by'], state: Row['state']): World => insertRow(world, { state, by });

/** `Cancelled v3`, of the row that came last. */
export const lastWords = ({ rows }: World): string => {
  const row = rows.at(-1);
  return row === undefined ? '' : `${row.state.type} v${row.version}`;
};

function withJob(world: World, job: Job, change: Partial<Job>): World {
  return { ...world, jobs: world.jobs.map((one) => (one.uid === job.uid ? { ...job, ...change } : one)) };
}

const over = (world: World, job: Job, phase: 'complete' | 'failed'): World =>
  withJob(world, job, { phase, finishedAt: world.now, pod: 'over' });

/** What the process in a pod does next (prefect 1.4.1, engine/cloud/flow_runner.py), when it does it well. */
export function podGoesOn(world: World, job: Job): Move {
  const name = `pod of ${shortName(job.name, job.key)}`;
  const state = stateOf(world);
  if (job.pod === 'waiting') {
    if (finished.has(state))
      return { says: `${name} starts, reads ${state} and ends`, world: over(world, job, 'complete') };
    if (state === 'Cancelling') return cancels(world, job, name);
    return { says: `${name} starts and reads ${state}`, world: withJob(world, job, { pod: 'loaded' }) };
  }
  if (job.pod === 'loaded') return begins(world, job, name);
  if (state === 'Cancelling') return cancels(world, job, name);
  const after = over({ ...writes(world, 'pod', { type: 'Success', message: '' }), dueTasks: 0 }, job, 'complete');
  return { says: `${name} writes ${lastWords(after)} and ends`, world: after };
}

function begins(world: World, job: Job, name: string): Move {
  const runs = stateOf(world) === 'Running' ? world : writes(world, 'pod', { type: 'Running', message: '' });
  const begun = [...new Set([...world.begun, job.key])];
  const after = { ...withJob(runs, job, { pod: 'working' }), begun };
  return { says: `${name} works: ${lastWords(after)}`, world: after };
}

function cancels(world: World, job: Job, name: string): Move {
  const after = over(writes(world, 'pod', { type: 'Cancelled', message: '' }), job, 'complete');
  return { says: `${name} hears of the cancel, writes ${lastWords(after)} and ends`, world: after };
}

function mishaps(world: World, job: Job): readonly Move[] {
  if (world.left.mishaps === 0 || job.deleting) return [];
  const less = oneLess(world, 'mishaps');
  const name = `pod of ${shortName(job.name, job.key)}`;
  if (job.pod === 'waiting')
    return [
      { says: `${name} fails before it works`, world: over(less, job, 'failed') },
      { says: `${name} ends with 0 before it works`, world: over(less, job, 'complete') },
    ];
  return job.pod === 'working' ? [{ says: `${name} crashes`, world: over(less, job, 'failed') }] : [];
}

function jobMoves(world: World, job: Job): readonly Move[] {
  if (job.phase !== 'active') return [];
  const gone = (): Move => ({
    says: `Job ${shortName(job.name, job.key)} and its pod are gone`,
    world: { ...world, jobs: world.jobs.filter(({ uid }) => uid !== job.uid) },
  });
  return [podGoesOn(world, job), ...mishaps(world, job), ...(job.deleting ? [gone()] : [])];
}

export const podMoves = (world: World): readonly Move[] => world.jobs.flatMap((job) => jobMoves(world, job));

/** A pod that runs is told to stop, and its Job goes with it. */
export const endOfDeleted = (world: World): World => ({
  ...world,
  jobs: world.jobs.filter(({ deleting }) => !deleting),
});

function cancel(world: World): World | null {
  const state = stateOf(world);
  if (finished.has(state) || state === 'Cancelling') return null;
  const type = state === 'Running' ? 'Cancelling' : 'Cancelled';
  return writes(world, 'user', { type, message: `Flow run is ${type.toLowerCase()}` });
}

/** A restart from the UI is a fresh Scheduled row. */
const restart = (world: World): World | null =>
  finished.has(stateOf(world)) ? writes(world, 'user', scheduledState(world.now, 'restarted')) : null;

function userMoves(world: World): readonly Move[] {
  const [act, ...rest] = world.left.user;
  if (act === undefined) return [];
  const after = { cancel, restart }[act](world);
  return after === null ? [] : [{ says: `the user ${act}s: ${lastWords(after)}`, world: spend(after, { user: rest }) }];
}

const isStale = ({ heartbeat, now }: World): boolean => heartbeat !== null && now - heartbeat >= staleSeconds;

/** What Lazarus and the zombie killer do, if they do anything now. */
export function serverActs(world: World): Move | null {
  const state = stateOf(world);
  if (!isStale(world) || world.dueTasks > 0) return null;
  if (state === 'Cancelling') {
    const after = writes(world, 'server', { type: 'Failed', message: 'No heartbeat detected from the flow run' });
    return { says: `the zombie killer writes ${lastWords(after)}`, world: after };
  }
  if (!['Submitted', 'Running'].includes(state)) return null;
  const resurrected = world.resurrected + 1;
  const isLast = resurrected > mostResurrections;
  const next = isLast
    ? ({ type: 'Failed', message: 'A Lazarus process attempted to reschedule this run' } as const)
    : scheduledState(world.now, 'Rescheduled by a Lazarus process.');
  const after = { ...writes(world, 'server', next), resurrected: isLast ? world.resurrected : resurrected };
  return { says: `Lazarus writes ${lastWords(after)}`, world: after };
}

function serverMoves(world: World): readonly Move[] {
  const move = world.left.lazarus > 0 ? serverActs(world) : null;
  return move === null ? [] : [{ ...move, world: oneLess(move.world, 'lazarus') }];
}

function retryMoves(world: World): readonly Move[] {
  if (world.left.retries === 0 || stateOf(world) !== 'Running') return [];
  return [
    { says: 'another task retry comes due', world: oneLess({ ...world, dueTasks: world.dueTasks + 1 }, 'retries') },
  ];
}

/** Whoever restarts the server restarts its lock. */
function lockMoves(world: World): readonly Move[] {
  if (world.left.faults === 0 || world.lockedUntil <= world.now) return [];
  return [{ says: 'the server restarts and loses its lock', world: oneLess({ ...world, lockedUntil: 0 }, 'faults') }];
}

/** A late request takes effect. */
export function lands(world: World, late: Late): Move {
  const rest = { ...world, late: world.late.filter((one) => one !== late) };
  switch (late.kind) {
    case 'create':
      return {
        says: `the late create of ${shortName(late.job.name, late.job.key)} lands`,
        world: create(rest, late.job).world,
      };
    case 'delete':
      return { says: 'the late deletion lands', world: remove(rest, late.uid).world };
    case 'insert': {
      const after = insertRow(rest, { state: late.state, by: 'us', version: late.version });
      const stands = standingRow(after).version === after.rows.at(-1)?.version;
      return {
        says: `the late write lands: ${lastWords(after)}${stands ? '' : ', and is no more than a row'}`,
        world: after,
      };
    }
  }
}

/** Everything that happens without the functions. */
export const surroundingMoves = (world: World): readonly Move[] => [
  ...podMoves(world),
  ...userMoves(world),
  ...serverMoves(world),
  ...retryMoves(world),
  ...lockMoves(world),
  ...world.late.map((late) => lands(world, late)),
];

export const worksSomewhere = (world: World): boolean => world.jobs.some(isAtWork);
