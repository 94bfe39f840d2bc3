import { runIdLabel } from '../../functions/core/job-identity.ts';
import { admitAndStore } from '../../infra/local/kubernetes-api/create.ts';
import { kubeTime, type Job } from '../../infra/local/kubernetes-api/objects.ts';
import { jobs } from '../../infra/local/kubernetes-api/resources.ts';
import { writeJob, type ClusterState } from '../../infra/local/kubernetes-api/state.ts';

export interface Crowd {
  readonly namespace: string;
  readonly count: number;
}

/**
 * Jobs of somebody else that are over and stay, with the label that every agent gives: each list has to go through all of
 * them, page by page.
 */
export function seedCrowd(cluster: ClusterState, { namespace, count }: Crowd, now: Date): void {
  const container = { name: 'flow', image: 'registry.example.com/flows:1.0' };
  const raw = { spec: { backoffLimit: 0, template: { spec: { containers: [container], restartPolicy: 'Never' } } } };
  const at = kubeTime(now);
  const complete = { type: 'Complete', status: 'True' as const, lastProbeTime: at, lastTransitionTime: at };
  for (let n = 0; n < count; n += 1) {
    const labels = { [runIdLabel]: `theirs-${n}` };
    const metadata = { name: `theirs-${String(n).padStart(6, '0')}`, namespace, labels };
    const job = admitAndStore(cluster, jobs, { raw, metadata, dryRun: false, now }).object as Job;
    writeJob(cluster, { ...job, status: { ...job.status, conditions: [complete], completionTime: at, succeeded: 1 } });
  }
}
