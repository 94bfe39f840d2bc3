import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { events } from '../../infra/local/kubernetes-api/resources.ts';
import { writeJob } from '../../infra/local/kubernetes-api/state.ts';
import { cancelFlowRun, seedAgent, seedFlowRun, setTaskRunState } from '../../infra/local/prefect-api/seed.ts';
import {
  aWorld,
  before,
  end,
  isDelete,
  messageOf,
  minute,
  playPod,
  playRunning,
  set,
  stateOf,
} from '../support/protocol-world.ts';
import { at } from '../support/time.ts';
import { ConnectionLost, type SimulatedWorld } from '../support/simulated-world.ts';

describe('a whole tick of reconcile, without socket, timer or wall clock', () => {
  it('settles a finished run: nothing while its Job is kept, a deletion when its time is over', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    set(world, runId, 'Success');
    end(world, runId, 'Complete');
    world.clock.advance(9 * minute);
    assert.equal((await agent.reconcile()).byRule['kept-for-its-ttl'], 1);
    world.clock.advance(minute);
    assert.equal((await agent.reconcile()).byRule['ttl-is-over'], 1);
    assert.equal(world.jobs().length, 0);
    assert.equal(stateOf(world, runId), 'Success');
  });

  it('fails a run whose image can never be pulled, and ends its Job as soon as that is safe', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    world.clock.advance(30_000);
    playPod(world, runId, { waiting: { reason: 'InvalidImageName', message: 'couldn’t parse image' } });
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Failed');
    assert.match(messageOf(world, runId), /^Kubernetes Error: .*InvalidImageName/u);
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 0);
    world.clock.advance(91_000);
    await agent.reconcile();
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 1);
  });

  it('fails and ends in one tick when the Job is old enough', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    world.clock.advance(3 * minute);
    playPod(world, runId, { waiting: { reason: 'InvalidImageName' } });
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Failed');
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 1);
  });

  it('says in the run log what the cluster said, once', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    end(world, runId, 'Failed');
    await agent.reconcile();
    await agent.reconcile();
    const errors = world.prefect.tables.log.by('flow_run_id', runId).filter(({ level }) => level === 'ERROR');
    assert.equal(errors.length, 1);
    assert.equal(errors[0]?.name, 'k8s-infra');
  });
});

describe('cluster events', () => {
  const sayRefused = (world: SimulatedWorld, runId: string, wish: { uid: string; message: string }): void => {
    const [job] = world.jobsOf(runId);
    assert.ok(job !== undefined);
    const { name, namespace = '', uid } = job.metadata;
    world.cluster.write(events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: wish.uid,
        namespace,
        uid: wish.uid,
        resourceVersion: '1',
        creationTimestamp: world.clock.now().toISOString(),
      },
      involvedObject: { kind: 'Job', namespace, name, uid },
      type: 'Warning',
      reason: 'FailedCreate',
      message: wish.message,
      lastTimestamp: world.clock.now().toISOString(),
    });
  };
  const toldOf = (world: SimulatedWorld, runId: string) =>
    world.prefect.tables.log.by('flow_run_id', runId).filter(({ level }) => level === 'DEBUG');

  it('are told once in the run log, however often they repeat and whoever tells them', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    sayRefused(world, runId, { uid: 'e1', message: 'exceeded quota: pods, used 3 of 3' });
    await agent.reconcile();
    sayRefused(world, runId, { uid: 'e2', message: 'exceeded quota: pods, used 4 of 4' });
    world.clock.advance(minute);
    await agent.reconcile();
    await world.container().reconcile();
    assert.equal(toldOf(world, runId).length, 1);
    assert.match(
      toldOf(world, runId)[0]?.message ?? '',
      /^Event: 'FailedCreate' on job '.*'\n\tMessage: exceeded quota/u,
    );
  });

  it('are told again when something else is said', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    sayRefused(world, runId, { uid: 'e1', message: 'exceeded quota: pods' });
    await agent.reconcile();
    sayRefused(world, runId, { uid: 'e2', message: 'serviceaccount "etl" not found' });
    await agent.reconcile();
    assert.equal(toldOf(world, runId).length, 2);
  });

  it('are not told of a run that is over', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Success');
    sayRefused(world, runId, { uid: 'e1', message: 'exceeded quota: pods' });
    await agent.reconcile();
    assert.equal(toldOf(world, runId).length, 0);
  });
});

describe('a decision that no state tells of', () => {
  it('is told once in the run log: a Job that ended without starting its run is made again', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    end(world, runId, 'Complete');
    await agent.reconcile();
    await agent.reconcile();
    const warnings = world.prefect.tables.log.by('flow_run_id', runId).filter(({ level }) => level === 'WARNING');
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]?.message ?? '', /created again.*\(rule ended-without-starting\)/u);
  });

  it('is told of a process that ended and left its run Running, but not while a task retry waits', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    end(world, runId, 'Complete');
    const [task] = world.prefect.tables.task_run.by('flow_run_id', runId);
    const retry = { type: 'Retrying', run_count: 1, start_time: at('+30m').toISOString() };
    const warnings = () =>
      world.prefect.tables.log.by('flow_run_id', runId).filter(({ level }) => level === 'WARNING').length;
    setTaskRunState(world.prefect, { taskRunId: task?.id ?? '', state: retry }, world.clock.now());
    await agent.reconcile();
    assert.equal(warnings(), 0);
    setTaskRunState(world.prefect, { taskRunId: task?.id ?? '', state: { type: 'Success' } }, world.clock.now());
    await agent.reconcile();
    assert.equal(warnings(), 1);
  });

  it('is not told of a run that is over', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Success');
    end(world, runId, 'Complete');
    await agent.reconcile();
    assert.equal(
      world.prefect.tables.log.by('flow_run_id', runId).filter(({ level }) => level === 'WARNING').length,
      0,
    );
  });
});

describe('a decision record', () => {
  it('stands beside the Failed: rule, Job, evidence, states before and after', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    const { name, uid } = world.jobsOf(runId)[0]?.metadata ?? assert.fail('no Job');
    end(world, runId, 'Failed');
    const report = await agent.reconcile();
    const record =
      world.prefect.tables.log.by('flow_run_id', runId).find(({ level }) => level === 'ERROR') ??
      assert.fail('no record');
    const want = { rule: 'failed-before-it-started', job: name, job_uid: uid, before: 'Submitted', after: 'Failed' };
    assert.deepEqual({ ...(record.info as object), ...want }, record.info);
    assert.match(record.message ?? '', /Rule: failed-before-it-started\n\tEvidence: \{/u);
    assert.equal(report.outcomes.find(({ action }) => action === 'fail-run')?.evidence?.['job_uid'], uid);
  });
});

describe('evidence', () => {
  it('a run that only seemed to be gone keeps its Job', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Success');
    world.clock.advance(3 * minute);
    playRunning(world, runId);
    let hidden = false;
    world.onPrefect = (request, forward) => {
      const answer = forward();
      if (hidden || !request.body.includes(runId)) return answer;
      hidden = true;
      return { ...answer, body: '[{"data":{"flow_run":[]}}]' };
    };
    const report = await agent.reconcile();
    assert.equal(report.byRule['run-deleted'], 1);
    assert.equal(report.counts.superseded, 1);
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 0);
  });

  it('a run that cannot be read is not gone', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Success');
    world.clock.advance(3 * minute);
    world.onPrefect = (_request, forward) => {
      const answer = forward();
      return { ...answer, body: answer.body.replaceAll('"labels":[]', '"labels":[1]') };
    };
    const report = await agent.reconcile();
    assert.equal(report.byRule['run-deleted'], undefined);
    assert.equal(report.byRule['run-unreadable'], 2);
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 0);
  });

  it('a Job is not deleted for a run that was scheduled again since the plan', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    world.clock.advance(3 * minute);
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.onKubernetes = before(
      ({ path }) => path.includes('/pods'),
      () => set(world, runId, 'Scheduled: restarted'),
    );
    const report = await agent.reconcile();
    assert.equal(report.counts.superseded, 1);
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 0);
  });

  it('a cluster that cannot be read proves nothing', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    set(world, runId, 'Running');
    cancelFlowRun(world.prefect, runId, world.clock.now());
    world.clock.advance(9 * minute);
    world.onKubernetes = () => {
      throw new ConnectionLost('away');
    };
    const report = await agent.reconcile();
    assert.equal(report.problem?.code, 'CLUSTER_UNREACHABLE');
    assert.equal(stateOf(world, runId), 'Cancelling');
  });

  it('events that cannot be read stop nothing', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    end(world, runId, 'Failed');
    world.onKubernetes = (request, forward) => {
      if (request.path.includes('/events')) throw new ConnectionLost('away');
      return forward();
    };
    const report = await agent.reconcile();
    assert.equal(report.byRule['events-unreadable'], 1);
    assert.equal(stateOf(world, runId), 'Failed');
  });
});

describe('what no single run shows', () => {
  it('is said once a tick: a second agent on our labels, and late runs that nobody serves', async () => {
    const { world, agent } = aWorld({ AGENT_LABELS: 'k8s' });
    seedAgent(world.prefect, { name: 'old-agent', labels: ['k8s'] }, world.clock.now());
    seedFlowRun(world.prefect, { labels: ['gpu'], startTime: at('-10m') }, at('-11m'));
    const report = await agent.reconcile();
    assert.equal(report.facts['second_agent_on_our_labels'], 1);
    assert.equal(report.facts['labels_without_an_agent'], 1);
    assert.equal(report.counts.warned, 2);
  });

  it('is not said of runs that are late by less than five minutes, nor of agents that are gone', async () => {
    const { world, agent } = aWorld({ AGENT_LABELS: 'k8s' });
    seedAgent(world.prefect, { name: 'old-agent', labels: ['k8s'] }, at('-6m'));
    seedFlowRun(world.prefect, { labels: ['gpu'], startTime: at('-4m') }, at('-11m'));
    assert.equal((await agent.reconcile()).counts.warned, 0);
  });

  it('costs no request of its own', async () => {
    const { world, agent } = aWorld();
    await agent.reconcile();
    const before = world.requests.prefect.length;
    await agent.reconcile();
    assert.equal(world.requests.prefect.length, before + 1);
  });

  it('stops nothing when it cannot be read', async () => {
    const { world, agent } = aWorld();
    await agent.dispatch();
    world.onPrefect = (_request, forward) => {
      const answer = forward();
      return { ...answer, body: answer.body.replaceAll('"agent":[', '"agent":[7,') };
    };
    assert.equal((await agent.reconcile()).problem, null);
  });
});

describe('two active Jobs of one run', () => {
  it('are reported by name and counted, and none is touched', async () => {
    const { world, runId, agent } = aWorld();
    await agent.dispatch();
    const [job] = world.jobsOf(runId);
    assert.ok(job !== undefined);
    writeJob(world.cluster, { ...job, metadata: { ...job.metadata, name: 'made-by-hand', uid: 'another' } });
    const report = await agent.reconcile();
    assert.equal(report.facts['duplicates'], 1);
    assert.equal(report.byClass['duplicate'], 1);
    assert.match(report.outcomes.find(({ rule }) => rule === 'more-than-one-active-job')?.why ?? '', /made-by-hand/u);
    assert.equal(world.requests.kubernetes.filter(isDelete).length, 0);
  });
});
