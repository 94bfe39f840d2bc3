import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { runIdLabel, stackLabel } from '../../functions/core/job-identity.ts';
import type { TickReport } from '../../functions/core/tick-report.ts';
import type { LocalRequest } from '../../infra/local/http.ts';
import { writeJob } from '../../infra/local/kubernetes-api/state.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { aRunId, OTHER_STACK, STACK } from '../support/builders.ts';
import { aWorld, minute, playRunning, set } from '../support/protocol-world.ts';
import type { SimulatedWorld } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

const all = 12_000;
const ours = 1_500;

/** Owners of the other Jobs: the ordinary agent has no mark, an older stack another one. */
const marksOfOthers = [{}, { [stackLabel]: OTHER_STACK }];

/** As a template with a long script in it makes them. */
const script = 'x'.repeat(8_000);

/** A namespace full of Jobs that ended a minute ago, most of them somebody else's; one run of ours is at work. */
async function fullNamespace() {
  const { world, runId, agent } = aWorld();
  await agent.dispatch();
  set(world, runId, 'Running');
  playRunning(world, runId);
  const [job] = world.jobsOf(runId);
  assert.ok(job !== undefined);
  world.clock.advance(3 * minute);
  const lastTransitionTime = world.clock.now().toISOString();
  for (let n = 1; n < all; n += 1) {
    const id = n < ours ? seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m')) : aRunId(n);
    if (n < ours) set(world, id, 'Success');
    const mark = n < ours ? { [stackLabel]: STACK } : marksOfOthers[n % 2];
    const metadata = {
      ...job.metadata,
      name: `job-${n}`,
      uid: `uid-${n}`,
      labels: { [runIdLabel]: id, ...mark },
      annotations: { ...job.metadata.annotations, script },
    };
    const type = n % 3 === 0 ? 'Failed' : 'Complete';
    const conditions = [{ type, status: 'True', reason: '', message: '', lastTransitionTime }];
    writeJob(world.cluster, { ...job, metadata, status: { conditions } });
  }
  return { world, runId, agent };
}

const listsOf = (requests: readonly LocalRequest[], kind: string): number =>
  requests.filter(({ method, path }) => method === 'GET' && path.includes(`/${kind}?`)).length;

/** Requests of one tick, by what they ask for. */
async function requestsOf(world: SimulatedWorld, tick: () => Promise<TickReport>) {
  const [prefect, kubernetes] = [world.requests.prefect.length, world.requests.kubernetes.length];
  const report = await tick();
  const asked = world.requests.kubernetes.slice(kubernetes);
  return {
    report,
    prefect: world.requests.prefect.length - prefect,
    jobs: listsOf(asked, 'jobs'),
    pods: listsOf(asked, 'pods'),
    events: listsOf(asked, 'events'),
    kubernetes: asked.length,
  };
}

function collectGarbage(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

describe('12,000 finished Jobs of ours and of others in the namespace', () => {
  it('cost a request for each 500 of them and no look at pods and events of what is over, and none is touched', async () => {
    const { world, runId, agent } = await fullNamespace();
    const { report, ...busy } = await requestsOf(world, () => agent.reconcile());
    set(world, runId, 'Success');
    const [own] = world.jobsOf(runId);
    assert.ok(own !== undefined);
    const conditions = [
      { type: 'Failed', status: 'True', reason: '', message: '', lastTransitionTime: world.clock.now().toISOString() },
    ];
    writeJob(world.cluster, { ...own, status: { conditions } });
    const { report: last, ...idle } = await requestsOf(world, () => agent.reconcile());

    // Prefect: the unfinished runs (with the tenant, once known), and those of our finished Jobs.
    assert.deepEqual(busy, { prefect: 4, jobs: 24, pods: 1, events: 0, kubernetes: 25 });
    assert.deepEqual(idle, { prefect: 4, jobs: 24, pods: 0, events: 0, kubernetes: 24 });

    assert.deepEqual([report.facts['jobs'], report.facts['foreign_jobs']], [all, all - ours]);
    assert.deepEqual(report.byRule, { 'kept-for-its-ttl': ours - 1, 'still-working': 1 });
    assert.deepEqual([last.byRule, last.problem], [{ 'kept-for-its-ttl': ours }, null]);
    assert.equal(world.jobs().length, all);
  });

  it('are reduced page by page: what stays of one is a small part of it', async () => {
    const { world, agent } = await fullNamespace();
    // The local API server keeps the text of an object from its first list on.
    await agent.reconcile();
    const heap: number[] = [];
    let bytes = 0;
    world.onKubernetes = (request, forward) => {
      const answer = forward();
      if (!request.path.includes('/jobs?')) return answer;
      bytes = Math.max(bytes, answer.body.length);
      if (heap.length === 0 || !answer.body.includes('"continue"')) heap.push(collectGarbage());
      return answer;
    };
    await agent.reconcile();

    const [first = 0, last = 0] = heap;
    const kept = (last - first) / (all - 500);
    assert.equal(heap.length, 2);
    assert.ok(bytes / 500 > 10_000, `a Job is ${bytes / 500} bytes`);
    assert.ok(kept < 2_000, `${kept} bytes of each Job are kept`);
  });
});
