import { contextOf } from '../../functions/core/history.ts';
import { STACK } from '../support/builders.ts';
import { isCancel, wantedOf } from '../faults/timeline.ts';
import type { WitnessedState } from '../faults/witness.ts';
import { finished, instant, isAtWork, isLive, standingRow, type Row, type World } from './world.ts';

/** A step that must never be. */
export interface Fault {
  readonly invariant: 'U' | 'F' | 'L';
  readonly why: string;
}

/** U: never two live Jobs of the run, and no second Job for an attempt whose flow has begun. */
function duplicate(before: World, after: World): string | null {
  if (after.jobs.filter(isLive).length > 1) return 'two live Jobs';
  const made = after.jobs.find(({ uid }) => !before.jobs.some((job) => job.uid === uid));
  return made !== undefined && before.begun.includes(made.key) ? 'a second Job for an attempt that had begun' : null;
}

const isEnd = ({ state }: Row): boolean => state.type === 'Failed' || state.type === 'Cancelled';

/** The rows as the checker of the fault matrix reads them. It shares no code with the functions. */
function witnessed({ rows }: World): readonly WitnessedState[] {
  return rows.map(({ at, version, state, by }, place) => {
    const message = typeof state['message'] === 'string' ? state['message'] : null;
    const stack = by === 'us' ? STACK : null;
    return { id: `row-${place}`, version, state: state.type, message, at: instant(at), stack, claim: null, key: null };
  });
}

/** F: our Failed or Cancelled never stands while the flow is at work in a pod. One of a lower version is only a row. */
function falseEnd(before: World, after: World): string | null {
  const isNew = after.standing >= before.rows.length;
  const row = standingRow(after);
  if (!isNew || row.by !== 'us' || !isEnd(row) || !before.jobs.some(isAtWork)) return null;
  return putsBack(before, row) ? null : `our ${row.state.type} comes while the flow is at work`;
}

/** What others had written, and a write of ours had covered. */
const putsBack = ({ rows }: World, { state }: Row): boolean =>
  rows.some((row) => row.by !== 'us' && row.state.type === state.type && row.state['message'] === state['message']);

/** F: no Job for a claim that came when the run was cancelled already. */
function forCancelled(before: World, after: World): string | null {
  const made = after.jobs.find(({ uid }) => !before.jobs.some((job) => job.uid === uid));
  const claimed = after.rows.findIndex(({ by, state }) => by === 'us' && contextOf(state)['claim'] === made?.claimId);
  if (made === undefined || claimed < 0) return null;
  const since = witnessed(after).slice(0, claimed);
  return isCancelled(since) && isCancelled(witnessed(after))
    ? 'a Job for a run that was cancelled before its claim'
    : null;
}

const isCancelled = (history: readonly WitnessedState[]): boolean => {
  const wanted = wantedOf(history, STACK);
  return wanted !== null && isCancel(wanted);
};

/** What is wrong with one step; null: nothing. */
export function judge(before: World, after: World): Fault | null {
  const twice = duplicate(before, after);
  if (twice !== null) return { invariant: 'U', why: twice };
  const falsely = falseEnd(before, after) ?? forCancelled(before, after);
  return falsely === null ? null : { invariant: 'F', why: falsely };
}

/** The run has come right: it ended as others wanted it to, or as our own end of its attempt says, and no Job lives on. */
export function isRight(world: World): boolean {
  const standing = standingRow(world);
  if (!finished.has(standing.state.type) || world.jobs.some(isLive)) return false;
  const history = witnessed(world);
  if (isCancelled(history)) return standing.state.type === 'Cancelled';
  return standing.by !== 'us' || isGround(world, history);
}

/** What our end of the run rests on: an attempt that a claim of ours had begun, or one that ran; or it was put back. */
function isGround(world: World, history: readonly WitnessedState[]): boolean {
  const wanted = wantedOf(history, STACK);
  const { type } = standingRow(world).state;
  if (wanted === null || wanted.state === type) return true;
  const since = history.indexOf(wanted);
  const isClaimed = history.slice(since).some(({ state, stack }) => state === 'Submitted' && stack === STACK);
  return type === 'Failed' && (wanted.state === 'Running' || (wanted.state === 'Scheduled' && isClaimed));
}
