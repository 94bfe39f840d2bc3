import { runIdSelector } from '../core/job-identity.ts';
import { isActive } from '../core/cluster.ts';
import type { Budget } from './budget.ts';
import type { Confirm, Intent } from './guarded-write.ts';
import type { ReconcileCluster } from './ports.ts';

const listMs = 15_000;

/**
 * A Running run is failed because of what its Jobs are, and the Job of a task retry comes without any state (protocol
 * rule 17): the history cannot show it. So the Jobs of these runs are listed once more right before the write, in one
 * request for a hundred runs. Anything but the same newest Job, with none active, and the write is dropped.
 */
export function confirmJobs(cluster: Pick<ReconcileCluster, 'listJobs'>, budget: Budget): Confirm {
  return async (intents) => {
    const fails = intents.filter(({ basis, state }) => basis.state === 'Running' && state['type'] === 'Failed');
    if (fails.length === 0) return () => true;
    const jobs = await cluster.listJobs(runIdSelector(fails.map(({ basis }) => basis.id)), budget.signal(listMs));
    const jobsOf = Map.groupBy(jobs, (job) => job.runId);
    const isStill = ({ basis, job, endsActiveJob }: Intent): boolean => {
      const found = jobsOf.get(basis.id) ?? [];
      const own = found.find((each) => each.name === job);
      const others = found.filter((each) => each !== own);
      if (own === undefined) return job === null && others.length === 0;
      const isNewest = others.every((each) => each.createdAt <= own.createdAt && !isActive(each));
      return isNewest && (endsActiveJob === true || !isActive(own));
    };
    return (intent) => !fails.includes(intent) || isStill(intent);
  };
}
