import { forgetOldEvents } from './events.ts';
import { collectGarbage } from './garbage-collector.ts';
import { syncJob } from './job-controller.ts';
import { ownerOf } from './job-pods.ts';
import type { Job, Pod } from './objects.ts';
import { jobs, pods } from './resources.ts';
import type { ClusterState } from './state.ts';

// A Job goes through its longest chain of changes in far fewer; more would mean that two controllers quarrel.
const mostRounds = 50;

function oneRound(state: ClusterState, now: Date): void {
  const podsByOwner = Map.groupBy([...state.all(pods)] as Pod[], ownerOf);
  for (const job of [...state.all(jobs)] as Job[]) {
    syncJob(state, { job, pods: podsByOwner.get(job.metadata.uid) ?? [] }, now);
  }
  collectGarbage(state, now);
}

/**
 * Lets the Job controller, garbage collector, TTL controller and pod collector work at one instant of the world.
 *
 * They go on until nothing changes. With `rounds` they stop earlier: each round is about a second of the real ones, and
 * makes at most one change of a Job's conditions.
 */
export function stepControllers(
  state: ClusterState,
  now: Date,
  { rounds = mostRounds }: { rounds?: number } = {},
): void {
  forgetOldEvents(state, now);
  for (let round = 0; round < rounds; round += 1) {
    const before = state.version;
    oneRound(state, now);
    if (state.version === before) return;
  }
  if (rounds === mostRounds) throw new Error('the local controllers do not come to rest');
}
