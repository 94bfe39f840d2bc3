import { systemClock } from '../../../functions/clock.ts';
import { connectKubernetes } from '../../../functions/kubernetes/gateway.ts';
import { Secret } from '../../../functions/secret.ts';
import { constant } from '../../../functions/source.ts';
import { answerCluster, labCluster, labStack } from '../lab/cluster.ts';
import type { Task } from './contract.ts';
import { jobsPath } from './job.ts';
import { measured } from './measured.ts';

// Lists the Jobs of a stack as the functions do, or parses the very same pages and forgets them.

const pageSize = 500;

async function ours({ endpoint, caPem, jobs }: Task): Promise<void> {
  const gateway = connectKubernetes({
    address: { endpoint, ca: caPem },
    token: constant(new Secret('bench-token')),
    namespace: 'flows',
    stackId: labStack,
    clock: systemClock,
  });
  const listed = await gateway.listJobs('bench', AbortSignal.timeout(60_000));
  if (listed.length !== jobs) throw new Error(`${listed.length} Jobs were listed where there are ${jobs}.`);
  gateway.close();
}

function pagesOf(jobs: number): readonly string[] {
  const cluster = labCluster(jobs);
  return Array.from({ length: Math.ceil(jobs / pageSize) }, (_, page) => {
    const path = `${jobsPath}?limit=${pageSize}&continue=${page * pageSize}`;
    return answerCluster(cluster, { method: 'GET', path, headers: {}, body: '' }).body;
  });
}

const { way, jobs } = JSON.parse(process.argv[2] ?? '{}') as Task;
const pages = way === 'parse' ? pagesOf(jobs) : [];

await measured(async (task) => {
  if (task.way === 'ours') await ours(task);
  for (const page of pages) JSON.parse(page);
  return [];
});
