import { identifierOf } from '../../functions/core/job-identity.ts';
import type { JsonObject } from '../../functions/core/json.ts';
import type { WriteAnswer } from '../../functions/prefect/contract.ts';
import { jobsKey, runKey, type Answer, type Found, type Reply, type Request } from './requests.ts';
import {
  podOf,
  runId,
  runOf,
  secondsOf,
  snapshotOf,
  standingRow,
  stateOf,
  typed,
  type Job,
  type NewJob,
  type Row,
  type World,
} from './world.ts';

/** The server keeps a second Submitted off for so long (PrefectHQ/server, since 2021-10-21). */
const lockSeconds = 30;

/**
 * Adds a row as the server's service does: under the version it read, plus one; it stands if the run's is not higher
 * (PrefectHQ/server src/prefect_server/api/states.py, and the trigger of the table).
 */
export function insertRow(
  world: World,
  { state, by, version }: { readonly state: Row['state']; readonly by: Row['by']; readonly version?: number },
): World {
  const current = standingRow(world).version;
  const row: Row = { at: world.now, version: (version ?? current) + 1, state, by };
  const stands = row.version >= current;
  const beats = state.type === 'Running' || state.type === 'Submitted';
  return {
    ...world,
    rows: [...world.rows, row],
    standing: stands ? world.rows.length : world.standing,
    heartbeat: beats ? world.now : world.heartbeat,
  };
}

export const isLocked = ({ now, lockedUntil }: World): boolean => now < lockedUntil;

/** The server's lock on Submitted, taken as soon as the write arrives. */
export const takeLock = (world: World): World => ({ ...world, lockedUntil: world.now + lockSeconds });

interface Written {
  readonly world: World;
  readonly answer: WriteAnswer;
}

function writeState(world: World, state: JsonObject, pinned: number | null): Written {
  const row = typed(state);
  // A write that had arrived before has taken the lock then.
  const locks = row.type === 'Submitted' && pinned === null;
  if (locks && isLocked(world)) return { world, answer: { kind: 'refused', message: 'already been submitted' } };
  const before = locks ? takeLock(world) : world;
  const version = pinned === null ? {} : { version: pinned };
  return { world: insertRow(before, { state: row, by: 'us', ...version }), answer: { kind: 'applied' } };
}

function write(world: World, request: Extract<Request, { kind: 'write' }>, pinned: number | null): Effect {
  let after = world;
  const states: WriteAnswer[] = [];
  for (const state of request.states) {
    const written = writeState(after, state, pinned);
    after = written.world;
    states.push(written.answer);
  }
  if (request.beats) after = { ...after, heartbeat: after.now };
  return { world: after, reply: { kind: 'written', states }, key: states.map(({ kind }) => kind).join(',') };
}

/** Jobs under one name: the second is told that there is one. */
export function create(world: World, job: NewJob): Effect {
  const there = world.jobs.find(({ name }) => name === job.name);
  if (there !== undefined) {
    const snapshot = snapshotOf(there);
    const reply: Reply = { kind: 'created', answer: { kind: 'already-exists', job: snapshot } };
    return { world, reply, key: 'exists' };
  }
  const made: Job = {
    ...job,
    uid: `uid-${world.uids + 1}`,
    at: world.now,
    phase: 'active',
    finishedAt: null,
    deleting: false,
    pod: 'waiting',
  };
  const after = { ...world, jobs: [...world.jobs, made], uids: world.uids + 1 };
  const answer = { kind: 'created', uid: made.uid, warnings: [] } as const;
  return { world: after, reply: { kind: 'created', answer }, key: 'created' };
}

/** A finished Job is gone at once, an active one when its pod has ended. */
export function remove(world: World, uid: string): Effect {
  const job = world.jobs.find((one) => one.uid === uid);
  const gone: Effect = { world, reply: { kind: 'deleted', answer: { kind: 'gone' } }, key: 'gone' };
  if (job === undefined) return gone;
  const others = world.jobs.filter((one) => one !== job);
  const left = job.phase === 'active' ? [...others, { ...job, deleting: true }] : others;
  const jobs = left.toSorted((a, b) => a.at - b.at || (a.uid < b.uid ? -1 : 1));
  return { world: { ...world, jobs }, reply: { kind: 'deleted', answer: { kind: 'deleted' } }, key: 'deleted' };
}

interface Effect {
  readonly world: World;
  readonly reply: Reply;
  /** Says the reply in a word; what was read is added by the reader. */
  readonly key: string;
}

/** As which of its three questions the poll finds the run. */
function foundBy(world: World, { dueBefore, quietBefore }: Extract<Request, { kind: 'poll' }>): Found {
  const state = stateOf(world);
  if (state === 'Scheduled') return standingRow(world).at <= secondsOf(dueBefore) ? 'scheduled' : 'nothing';
  if (state === 'Running') return world.dueTasks > 0 ? 'retry' : 'nothing';
  const isQuiet = world.heartbeat === null || world.heartbeat <= secondsOf(quietBefore);
  return state === 'Submitted' && isQuiet ? 'claim' : 'nothing';
}

const unfinished: ReadonlySet<string> = new Set(['Submitted', 'Running', 'Cancelling']);
const unfinishedFound = (world: World): Found => (unfinished.has(stateOf(world)) ? 'claim' : 'nothing');

type Look = Exclude<Request, { kind: 'write' | 'create' | 'delete' }>;

function look(world: World, request: Look, since: number): Effect {
  if (request.kind === 'poll') return seen(world, foundBy(world, request), since);
  if (request.kind === 'read' || request.kind === 'unfinished')
    return seen(world, request.kind === 'read' ? 'claim' : unfinishedFound(world), since);
  const key = jobsKey(world, since);
  if (request.kind === 'pods') return { world, reply: { kind: 'pods', pods: world.jobs.flatMap(podOf) }, key };
  return { world, reply: { kind: 'jobs', jobs: world.jobs.map(snapshotOf) }, key };
}

function seen(world: World, found: Found, since: number): Effect {
  const key = found === 'nothing' ? found : `${found};${runKey(world, since)}`;
  return { world, reply: { kind: 'run', run: runOf(world), found }, key };
}

function effectOf(world: World, request: Request, sender: Sender): Effect {
  if (request.kind === 'write') return write(world, request, sender.pinned);
  if (request.kind === 'create') return create(world, request.job);
  return request.kind === 'delete' ? remove(world, request.uid) : look(world, request, sender.startedAt);
}

interface Sender {
  readonly startedAt: number;
  /** Version that the server read when the write arrived; null: it arrives now. */
  readonly pinned: number | null;
}

/** What a request does, and what is answered, when it takes effect now. */
export function serve(
  world: World,
  request: Request,
  sender: Sender,
): { readonly world: World; readonly answer: Answer } {
  const { world: after, reply, key } = effectOf(world, request, sender);
  return { world: after, answer: answerAt(after.now, sender.startedAt, { key, reply }) };
}

const answerAt = (at: number, since: number, { key, reply }: { key: string; reply: Reply }): Answer => ({
  at,
  key: `${at - since} ${key}`,
  reply,
});

export const lostAnswer = (at: number, since: number): Answer =>
  answerAt(at, since, { key: 'lost', reply: { kind: 'lost' } });

/** The name that the protocol gives the Job of a key, without the hash: for those who read traces. */
export const shortName = (name: string, key: string): string =>
  name.endsWith(identifierOf(runId, key)) ? `k${key.slice(0, 6)}` : name;
