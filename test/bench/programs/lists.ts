import http2 from 'node:http2';
import { buffer } from 'node:stream/consumers';

import { systemClock } from '../../../functions/clock.ts';
import { connectKubernetes } from '../../../functions/kubernetes/gateway.ts';
import { Secret } from '../../../functions/secret.ts';
import { constant } from '../../../functions/source.ts';
import { labStack } from '../lab/cluster.ts';
import type { Task } from './contract.ts';
import { jobsPath } from './job.ts';
import { measured } from './measured.ts';

// Lists the Jobs of a stack as the functions do, or parses the very same pages and forgets them.

const pageSize = 500;
const token = 'bench-token';

async function ours({ endpoint, caPem, jobs }: Task): Promise<void> {
  const gateway = connectKubernetes({
    address: { endpoint, ca: caPem },
    token: constant(new Secret(token)),
    namespace: 'flows',
    stackId: labStack,
    clock: systemClock,
  });
  const listed = await gateway.listJobs('bench', AbortSignal.timeout(60_000));
  if (listed.length !== jobs) throw new Error(`${listed.length} Jobs were listed where there are ${jobs}.`);
  gateway.close();
}

/** The very pages, as bytes in memory. Fetched like ours, so that both heaps have the same past. */
async function fetchPages({ endpoint, caPem, jobs }: Task): Promise<readonly Buffer[]> {
  const session = http2.connect(endpoint, { ca: caPem });
  const pages: Buffer[] = [];
  for (let start = 0; start < jobs; start += pageSize) {
    const path = `${jobsPath}?limit=${pageSize}&continue=${start}`;
    pages.push(await buffer(session.request({ ':path': path, authorization: `Bearer ${token}` })));
  }
  session.destroy();
  return pages;
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task;
const pages = task.way === 'parse' ? await fetchPages(task) : [];

await measured(async () => {
  if (task.way === 'ours') await ours(task);
  for (const page of pages) JSON.parse(page.toString());
  return [];
});
