import type { JobSnapshot } from './cluster.ts';
import type { FlowRun } from './flow-run.ts';
import { contextOf, inOrder } from './history.ts';

/** The newest Submitted row: the last claim of a run, whoever made it. A Running after it drops the token. */
const lastClaim = ({ history }: FlowRun) => inOrder(history).findLast((row) => row.state === 'Submitted') ?? null;

const stackOf = (row: ReturnType<typeof lastClaim>): unknown =>
  row === null ? null : contextOf(row.serializedState)['stack'];

/**
 * The last claim of the run is this stack's: what the run does since, it does in a Job of ours. An agent's name or labels
 * prove nothing, two stacks may share them.
 */
export function isClaimedBy(run: FlowRun, stackId: string): boolean {
  return stackOf(lastClaim(run)) === stackId;
}

/** Somebody else has claimed the run since the Job was made: the run is at work elsewhere, whatever became of the Job. */
export function isTakenOver(run: FlowRun, job: JobSnapshot, stackId: string): boolean {
  const claim = lastClaim(run);
  return claim !== null && stackOf(claim) !== stackId && claim.createdMicros / 1000 > job.createdAt.getTime();
}
