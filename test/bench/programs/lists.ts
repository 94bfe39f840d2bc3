import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { buffer } from 'node:stream/consumers';

import { systemClock } from '../../../functions/clock.ts';
import { connectKubernetes } from '../../../functions/kubernetes/gateway.ts';
import { Secret } from '../../../functions/secret.ts';
import { constant } from '../../../functions/source.ts';
import { idOf, labStack } from '../lab/cluster.ts';
import type { Task } from './contract.ts';
import { jobsPath, podsPath } from './job.ts';
import { measured } from './measured.ts';

// Lists the Jobs of a stack as the functions do, or parses the very same pages and forgets them; or parses all that a
// reconcile reads.

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
async function fetchPages({ endpoint, caPem, jobs }: Task, collection: string): Promise<readonly Buffer[]> {
  const session = http2.connect(endpoint, { ca: caPem });
  const pages: Buffer[] = [];
  for (let start = 0; start < jobs; start += pageSize) {
    const path = `${collection}?limit=${pageSize}&continue=${start}`;
    pages.push(await buffer(session.request({ ':path': path, authorization: `Bearer ${token}` })));
  }
  session.destroy();
  return pages;
}

const query = 'query($where: flow_run_bool_exp!, $limit: Int!) { flow_run(where: $where, limit: $limit) { id } }';

/** The runs of the Jobs, as reconcile asks for them: without what a Job is made from. */
async function fetchRuns({ prefect = '', jobs }: Task): Promise<readonly Buffer[]> {
  const answers: Buffer[] = [];
  for (let start = 0; start < jobs; start += pageSize) {
    const ids = Array.from({ length: Math.min(pageSize, jobs - start) }, (_, n) => idOf(1, start + n));
    const body = JSON.stringify([{ query, variables: { where: { id: { _in: ids } }, limit: pageSize, spec: false } }]);
    const request = http.request(prefect, { method: 'POST', headers: { 'content-type': 'application/json' } });
    request.end(body);
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    answers.push(await buffer(answer));
  }
  return answers;
}

async function answersFor(task: Task): Promise<readonly Buffer[]> {
  if (task.way === 'ours') return [];
  const pages = await fetchPages(task, jobsPath);
  if (task.way === 'parse') return pages;
  return [...pages, ...(await fetchPages(task, podsPath)), ...(await fetchRuns(task))];
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task;
const pages = await answersFor(task);

await measured(async () => {
  if (task.way === 'ours') await ours(task);
  for (const page of pages) JSON.parse(page.toString());
  return [];
});
