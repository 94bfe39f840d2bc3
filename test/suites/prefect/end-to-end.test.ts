import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Job } from '../../../infra/local/kubernetes-api/objects.ts';
import { moveTaskRunStart } from '../../../infra/local/prefect-api/seed.ts';
import {
  cancelRun,
  historyIn,
  jobsOf,
  logIn,
  runIn,
  scheduleRun,
  settleCluster,
  startFlowWorld,
  type FlowWorld,
} from './flow-world.ts';
import { runJob } from './kubelet.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** The one Job of a run. */
function onlyJob(at: FlowWorld, runId: string): Job {
  const [job, ...others] = jobsOf(at, runId);
  assert.ok(job !== undefined && others.length === 0);
  return job;
}

/**
 * A tick of dispatch that makes the run's next Job, and that Job's program run to its end. The Job is the one that was
 * not there before: a fast flow ends within the second in which the API server says that both were created.
 */
async function dispatchAndRun(at: FlowWorld, runId: string) {
  const before = new Set(jobsOf(at, runId).map(({ metadata }) => metadata.uid));
  const report = await at.functions.dispatch();
  assert.deepEqual([report.problem, report.counts.created], [null, 1]);
  const [made, ...others] = jobsOf(at, runId).filter(({ metadata }) => !before.has(metadata.uid));
  assert.ok(made !== undefined && others.length === 0);
  return runJob(at, made);
}

/** What a tick of reconcile did, as `rule: action`. */
async function reconciled(at: FlowWorld): Promise<string[]> {
  const report = await at.functions.reconcile();
  assert.equal(report.problem, null);
  return report.outcomes.map(({ rule, action, kind }) => `${rule}: ${action} ${kind}`);
}

/** The Jobs are kept for their TTL and a minute before its end, then deleted; afterwards neither function finds work. */
async function assertTidiedUp(at: FlowWorld, runId: string, ttlMs: number): Promise<void> {
  const jobs = jobsOf(at, runId).length;
  const history = historyIn(at, runId);
  assert.deepEqual(
    await reconciled(at),
    Array.from({ length: jobs }, () => 'kept-for-its-ttl: wait waiting'),
  );
  at.world.clock.advance(ttlMs - minuteMs);
  await reconciled(at);
  settleCluster(at);
  assert.equal(jobsOf(at, runId).length, jobs);

  at.world.clock.advance(2 * minuteMs);
  assert.deepEqual(
    await reconciled(at),
    Array.from({ length: jobs }, () => 'ttl-is-over: delete-job applied'),
  );
  settleCluster(at);

  assert.deepEqual(jobsOf(at, runId), []);
  assert.deepEqual(await reconciled(at), []);
  assert.deepEqual((await at.functions.dispatch()).outcomes, []);
  assert.deepEqual(historyIn(at, runId), history);
}

describe('the real client, our functions and the real flow process', () => {
  it('are heard where a flow writes its API key into its log', async () => {
    const leak = async (): Promise<void> => {
      await using at = await startFlowWorld();
      const runId = await scheduleRun(at, 'telling.py');
      await dispatchAndRun(at, runId);
      assert.equal(runIn(at, runId).state, 'Success');
    };

    await assert.rejects(leak, /runner token in bodies to prefect[^]*runner token in run logs/u);
  });

  it('takes hello-k8s from its registration to Success, and tidies up', async () => {
    await using at = await startFlowWorld();
    const runId = await scheduleRun(at, 'hello_k8s.py');

    const end = await dispatchAndRun(at, runId);

    const { version, agent, heartbeat, taskRuns } = runIn(at, runId);
    assert.deepEqual([end.status, end.stderr], [0, '']);
    assert.deepEqual(historyIn(at, runId), ['Scheduled', 'Submitted', 'Running', 'Success']);
    assert.deepEqual([version, agent], [4, 'kubernetes-serverless-local']);
    assert.ok(heartbeat !== null);
    assert.deepEqual(
      taskRuns.map(({ task, state }) => [task, state]),
      [['hello_task-1', 'Success']],
    );
    assert.deepEqual(logIn(at, runId), [
      `Submitted for execution: Job ${onlyJob(at, runId).metadata.name}`,
      "Beginning Flow run for 'hello-k8s'",
      "Task 'hello_task': Starting task run...",
      'Hello, Kubernetes!',
      "Task 'hello_task': Finished task run for task with final state: 'Success'",
      'Flow run SUCCESS: all reference tasks succeeded',
    ]);
    await assertTidiedUp(at, runId, 10 * minuteMs);
  });

  it('leaves the verdict on a failing flow to its process, which ends as if all were well', async () => {
    await using at = await startFlowWorld();
    const runId = await scheduleRun(at, 'failing.py');

    const end = await dispatchAndRun(at, runId);

    assert.equal(end.status, 0);
    assert.deepEqual(historyIn(at, runId), ['Scheduled', 'Submitted', 'Running', 'Failed']);
    assert.equal(runIn(at, runId).message, 'Some reference tasks failed.');
    assert.match(logIn(at, runId).join('\n'), /ZeroDivisionError: division by zero/u);
    await assertTidiedUp(at, runId, 10 * minuteMs);
  });

  it('does not cover what a process that cannot load its flow says, and keeps its Job a day', async () => {
    await using at = await startFlowWorld();
    const runId = await scheduleRun(at, 'missing_module.py');

    const end = await dispatchAndRun(at, runId);

    const message = `Failed to load and execute flow run: ModuleNotFoundError("No module named 'warehouse_flows'")`;
    assert.equal(end.status, 1);
    assert.equal(onlyJob(at, runId).status.failed, 1);
    assert.deepEqual(historyIn(at, runId), ['Scheduled', 'Submitted', 'Failed']);
    assert.equal(runIn(at, runId).message, message);
    assert.ok(logIn(at, runId).includes(message));
    await assertTidiedUp(at, runId, 24 * hourMs);
  });

  it('makes no Job of a run that its author cancels before dispatch sees it', async () => {
    await using at = await startFlowWorld();
    const runId = await scheduleRun(at, 'hello_k8s.py');
    assert.equal(await cancelRun(at, runId), 'Cancelled');

    const report = await at.functions.dispatch();

    assert.deepEqual(report.outcomes, []);
    assert.deepEqual(jobsOf(at, runId), []);
    assert.deepEqual(historyIn(at, runId), ['Scheduled', 'Cancelled']);
  });

  it('deletes the Job of a run that is cancelled while its pod waits', async () => {
    await using at = await startFlowWorld();
    const runId = await scheduleRun(at, 'hello_k8s.py');
    await at.functions.dispatch();
    settleCluster(at);
    assert.equal(await cancelRun(at, runId), 'Cancelled');

    at.world.clock.advance(minuteMs);
    await reconciled(at);
    settleCluster(at);
    const jobsOfYoungRun = jobsOf(at, runId).length;
    at.world.clock.advance(2 * minuteMs);
    await reconciled(at);
    settleCluster(at);

    assert.equal(jobsOfYoungRun, 1);
    assert.deepEqual(jobsOf(at, runId), []);
    assert.deepEqual(historyIn(at, runId), ['Scheduled', 'Submitted', 'Cancelled']);
    assert.deepEqual(await reconciled(at), []);
  });

  it('lets the process of a run that is cancelled before its start end without a trace', async () => {
    await using at = await startFlowWorld();
    const runId = await scheduleRun(at, 'hello_k8s.py');
    await at.functions.dispatch();
    await cancelRun(at, runId);

    const end = await runJob(at, onlyJob(at, runId));

    assert.equal(end.status, 0);
    assert.deepEqual(historyIn(at, runId), ['Scheduled', 'Submitted', 'Cancelled']);
    assert.ok(!logIn(at, runId).includes('Hello, Kubernetes!'));
    assert.ok(logIn(at, runId).includes('Flow run has already finished.'));
    at.world.clock.advance(11 * minuteMs);
    await reconciled(at);
    settleCluster(at);
    assert.deepEqual(jobsOf(at, runId), []);
    assert.deepEqual(historyIn(at, runId), ['Scheduled', 'Submitted', 'Cancelled']);
  });

  it('starts another Job when a task retry is due, and not before', async () => {
    await using at = await startFlowWorld();
    const runId = await scheduleRun(at, 'late_retry.py');
    await dispatchAndRun(at, runId);
    const early = await at.functions.dispatch();
    const waiting = runIn(at, runId).taskRuns.find(({ state }) => state === 'Retrying');
    assert.ok(waiting !== undefined);
    assert.deepEqual([runIn(at, runId).state, early.outcomes, jobsOf(at, runId).length], ['Running', [], 1]);
    assert.deepEqual(await reconciled(at), ['ended-while-running: wait waiting']);

    moveTaskRunStart(at.world.prefect.state, waiting.id, new Date(at.world.clock.now().getTime() - minuteMs));
    await dispatchAndRun(at, runId);
    assert.equal(jobsOf(at, runId).length, 2);

    const log = logIn(at, runId);
    assert.deepEqual(historyIn(at, runId), ['Scheduled', 'Submitted', 'Running', 'Success']);
    assert.deepEqual(
      runIn(at, runId).taskRuns.map(({ task, state }) => [task, state]),
      [
        ['extract-1', 'Success'],
        ['load-1', 'Success'],
      ],
    );
    assert.deepEqual([log.filter((one) => one === 'Extracted.').length, log.includes('Loaded.')], [1, true]);
    await assertTidiedUp(at, runId, 10 * minuteMs);
  });
});
