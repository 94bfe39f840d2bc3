import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import type { LocalRequest } from '../../../infra/local/http.ts';
import { applyManifests } from '../../../infra/local/kubernetes-api/cluster.ts';
import { listJobs } from '../../../infra/local/kubernetes-api/state.ts';
import { seedFlowRun } from '../../../infra/local/prefect-api/seed.ts';
import type { Finished } from '../../support/command.ts';
import { tokenInJobs } from '../../support/heard.ts';
import { jobsOf, runIn, scheduleRun, settleCluster, startFlowWorld, type FlowWorld } from './flow-world.ts';
import { runJob } from './kubelet.ts';

const isPoll = ({ body }: LocalRequest): boolean => body.includes('get_runs_in_queue(');

/** The first page of a sweep: all Jobs of all agents in the namespace. */
const isSweep = ({ method, path }: LocalRequest): boolean =>
  method === 'GET' && /\/jobs\?continue=&labelSelector=prefect\.io(?:\/|%2F)identifier&/u.test(path);

/** What every agent says at its start that is given a kubeconfig: it runs in no pod (prefect 1.4.1, utilities/kubernetes.py). */
const outOfCluster = /WARNING - prefect\.kubernetes \| Service host\/port is not set\. Using out of cluster/u;

/** Lines of the agent's log at WARNING or above, and what it did not catch. */
const complaints = ({ stdout, stderr }: Finished): string[] =>
  `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => /\] (?:WARNING|ERROR|CRITICAL) - |^Traceback|^\w*(?:Error|Exception)\b/u.test(line))
    .filter((line) => !outOfCluster.test(line));

/** The real agent with the label `k8s`, for so many polls, in the namespace of our functions. */
async function runAgent({ world, machine, clientEnv }: FlowWorld, polls: number): Promise<Finished> {
  const kubeconfig = join(machine.home, 'kubeconfig');
  await writeFile(kubeconfig, world.kubernetes.kubeconfig('admin'), { mode: 0o600 });
  const options = ['--api', world.prefect.url, '--namespace', world.namespace, '--label', 'k8s'];
  const command = ['prefect', 'agent', 'kubernetes', 'start', ...options, '--max-polls', String(polls)];
  return machine.run(command, { ...clientEnv, KUBECONFIG: kubeconfig });
}

/** Somebody schedules another run after each of so many polls: an agent that finds work polls again at once. */
function keepBusy({ world }: FlowWorld, polls: number): void {
  world.prefect.faults.add({
    matches: isPoll,
    times: polls,
    fault: {
      kind: 'rewrite',
      rewrite: (answer) => {
        seedFlowRun(world.prefect.state, {}, world.clock.now());
        return answer;
      },
    },
  });
}

describe('the real agent of Prefect 1.4.1 on the local servers', () => {
  it('polls ten times and sweeps once without a complaint, over Jobs of ours and of its own', async () => {
    // The peer writes its API key into its Jobs (prefect 1.4.1, agent/kubernetes/agent.py); ours refer to a Secret.
    await using at = await startFlowWorld(tokenInJobs);
    const done = await scheduleRun(at, 'hello_k8s.py');
    const waiting = await scheduleRun(at, 'failing.py');
    await at.functions.dispatch();
    settleCluster(at);
    const [ended] = jobsOf(at, done);
    assert.ok(ended !== undefined);
    await runJob(at, ended);
    const before = { prefect: at.world.prefect.exchanges.length, cluster: at.world.kubernetes.exchanges.length };
    keepBusy(at, 6);

    const agent = await runAgent(at, 10);

    const asked = at.world.prefect.exchanges.slice(before.prefect);
    const swept = at.world.kubernetes.exchanges.slice(before.cluster);
    assert.deepEqual([agent.status, complaints(agent)], [0, []]);
    assert.equal(asked.filter(({ request }) => isPoll(request)).length, 10);
    assert.equal(swept.filter(({ request }) => isSweep(request)).length, 1);
    assert.deepEqual(
      [...asked, ...swept].filter(({ status }) => status >= 400).map(({ request, status }) => [request.path, status]),
      [],
    );
    settleCluster(at);
    assert.deepEqual([jobsOf(at, done).length, jobsOf(at, waiting).length], [0, 1]);
    assert.deepEqual([runIn(at, done).state, runIn(at, waiting).state], ['Success', 'Submitted']);
    const its = [...at.world.prefect.state.tables.flow_run.all()]
      .map(({ id }) => runIn(at, id))
      .filter(({ id }) => id !== done && id !== waiting);
    assert.deepEqual(
      its.map(({ state, agent: name }) => [state, name]),
      Array.from({ length: 6 }, () => ['Submitted', 'agent']),
    );
    assert.equal(listJobs(at.world.kubernetes.state, at.world.namespace).length, 7);
  });

  it('is heard to write its API key into its Jobs, where nobody was told that it may', async () => {
    const leak = async (): Promise<void> => {
      await using at = await startFlowWorld();
      await scheduleRun(at, 'hello_k8s.py');
      assert.equal((await runAgent(at, 1)).status, 0);
      assert.equal(listJobs(at.world.kubernetes.state, at.world.namespace).length, 1);
    };

    await assert.rejects(leak, /runner token in Jobs/u);
  });

  it('complains about a Job that belongs to no run, and this suite hears it', async () => {
    await using at = await startFlowWorld();
    const container = { name: 'flow', image: 'registry.example.com/flow:1' };
    const job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'nobodys', namespace: at.world.namespace, labels: { 'prefect.io/identifier': 'nobody' } },
      spec: { template: { spec: { containers: [container], restartPolicy: 'Never' } } },
    };
    applyManifests(at.world.kubernetes.state, [job], at.world.clock.now());

    const agent = await runAgent(at, 1);

    assert.equal(agent.status, 0);
    assert.match(complaints(agent).join('\n'), /WARNING - .*Cannot manage job 'nobodys'/u);
  });
});
