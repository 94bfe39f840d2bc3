import type { V1Job } from '@kubernetes/client-node';

import { systemClock } from '../../../functions/clock.ts';
import type { Submit } from '../../../functions/core/dispatch-plan.ts';
import type { KubernetesGateway } from '../../../functions/kubernetes/contract.ts';
import { connectKubernetes } from '../../../functions/kubernetes/gateway.ts';
import { Secret } from '../../../functions/secret.ts';
import { constant } from '../../../functions/source.ts';
import { Budget } from '../../../functions/ticks/budget.ts';
import { JobCreator } from '../../../functions/ticks/create-job.ts';
import { Limiter } from '../../../functions/ticks/limiter.ts';
import { aFlowRun } from '../../support/builders.ts';
import { T0 } from '../../support/time.ts';
import type { Task } from './contract.ts';
import { aJob } from './job.ts';
import { measured } from './measured.ts';

// Creates Jobs for a while at a server that turns requests away, with the pace of the functions or with a fixed number in
// flight. Both heed Retry-After for all at once.

type Create = (job: V1Job) => Promise<void>;

const limitMs = 60_000;

/** Runs whose claims are verified and wait for their Job: a wave of the functions is no larger. */
const waiting = 200;

/** As a tick of dispatch creates. */
function ours(cluster: KubernetesGateway, { concurrency }: Task): Create {
  const now = (): Date => systemClock.now();
  const budget = new Budget(systemClock, { endsAt: new Date(now().getTime() + limitMs), requestId: 'bench' });
  const limiter = new Limiter(systemClock, concurrency);
  const creator = new JobCreator({ cluster, limiter, budget, now });
  const run = aFlowRun();
  return async (job) => {
    const submit: Submit = {
      kind: 'submit',
      rule: 'due',
      run,
      mode: 'claim',
      key: '1',
      claimId: 'bench',
      startAt: T0,
      job,
      warnings: [],
    };
    const answer = await creator.create(submit);
    if (answer.kind !== 'created') throw new Error(`A Job was not created: ${JSON.stringify(answer)}`);
  };
}

/** The same number in flight for ever, and as many tries as it takes. */
function fixed(cluster: KubernetesGateway, { concurrency }: Task): Create {
  const limiter = new Limiter(systemClock, concurrency);
  const attempt = async (job: V1Job): Promise<boolean> => {
    const answer = await cluster.createJob(job, AbortSignal.timeout(limitMs));
    if (answer.kind === 'created') return true;
    const seconds = answer.kind === 'refused' ? (answer.retryAfterSeconds ?? 1) : 0;
    limiter.pauseUntil(new Date(systemClock.now().getTime() + seconds * 1_000));
    return false;
  };
  return async (job) => {
    while (!(await limiter.run(async () => attempt(job))));
  };
}

const ways: Readonly<Record<string, (cluster: KubernetesGateway, task: Task) => Create>> = { ours, fixed };

/** Creates until the time is over; how long each create took that ended within it, its waiting included. */
async function createFor(forMs: number, create: Create): Promise<readonly number[]> {
  const latencies: number[] = [];
  const end = performance.now() + forMs;
  let n = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      const begun = performance.now();
      n += 1;
      await create(aJob(n));
      if (performance.now() <= end) latencies.push(performance.now() - begun);
    }
  };
  const workers = Promise.all(Array.from({ length: waiting }, worker));
  await Promise.race([workers, systemClock.sleep(forMs)]);
  return latencies;
}

// What is still in flight when the time is over is of no interest.
process.once('disconnect', () => process.exit());

await measured(async (task) => {
  const { endpoint, caPem, forMs = 0 } = task;
  const cluster = connectKubernetes({
    address: { endpoint, ca: caPem },
    token: constant(new Secret('bench-token')),
    namespace: 'flows',
    stackId: 'bench',
    clock: systemClock,
  });
  const create = ways[task.way]?.(cluster, task);
  if (create === undefined) throw new Error(`There is no way called ${task.way}.`);
  return createFor(forMs, create);
});
