import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { createClusterState, tokenOf } from '../../infra/local/kubernetes-api/cluster.ts';
import { admitAndStore } from '../../infra/local/kubernetes-api/create.ts';
import { handle } from '../../infra/local/kubernetes-api/handle.ts';
import type { JsonObject, Pod } from '../../infra/local/kubernetes-api/objects.ts';
import { playPods, type PodDirections } from '../../infra/local/kubernetes-api/play-pods.ts';
import { askPodToEnd, refOf, setPodLog, setPodStatus } from '../../infra/local/kubernetes-api/pod-player.ts';
import { jobs } from '../../infra/local/kubernetes-api/resources.ts';
import type { PodScriptName } from '../../infra/local/kubernetes-api/scripts.ts';
import { listEvents, listJobs, listPods, type ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';

const T0 = new Date('2026-03-01T02:00:00.000Z');
const after = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);

/** A cluster with one Job and its pod, created at T0. */
function oneJob(spec: object = {}): ClusterState {
  const state = createClusterState({ seed: 3, now: T0, namespaces: ['flows'] });
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'flow', image: 'flows:1.0' }] } };
  const raw: JsonObject = { spec: { backoffLimit: 0, template, ...spec } };
  admitAndStore(state, jobs, { raw, metadata: { name: 'job', namespace: 'flows' }, dryRun: false, now: T0 });
  stepControllers(state, T0);
  return state;
}

function thePod(state: ClusterState): Pod {
  const [pod] = listPods(state, 'flows');
  assert.ok(pod);
  return pod;
}

const follow = (script: PodScriptName, process?: PodDirections['process']): PodDirections => ({
  scriptFor: () => script,
  ...(process === undefined ? {} : { process }),
});

/** The first container, as far as it waits or has ended. */
function containerOf({ status }: Pod): object {
  const { waiting, terminated } = status.containerStatuses?.[0]?.state ?? {};
  if (waiting !== undefined) return { waiting: waiting.reason };
  return terminated === undefined ? {} : { exitCode: terminated.exitCode, ended: terminated.reason };
}

/** What somebody who looks at the pod sees first. */
function seen(state: ClusterState): object {
  const [pod] = listPods(state, 'flows');
  if (pod === undefined) return { pod: 'gone' };
  const { phase, reason } = pod.status;
  return {
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...containerOf(pod),
    ...(pod.metadata.deletionTimestamp === undefined ? {} : { deleting: true }),
  };
}

const disruptionOf = (pod: Pod): string | undefined =>
  pod.status.conditions?.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True')?.reason;

const scripts: Readonly<Record<string, { script: PodScriptName; at: number; want: object }>> = {
  'nothing happens before a second has passed': { script: 'success', at: 0, want: { phase: 'Pending' } },
  'a scheduled pod waits for its container': {
    script: 'success',
    at: 1,
    want: { phase: 'Pending', waiting: 'ContainerCreating' },
  },
  'it runs after three seconds': { script: 'success', at: 3, want: { phase: 'Running' } },
  'it runs until a minute is full': { script: 'success', at: 59, want: { phase: 'Running' } },
  'it succeeds after a minute': {
    script: 'success',
    at: 60,
    want: { phase: 'Succeeded', exitCode: 0, ended: 'Completed' },
  },
  'it crashes after a minute': { script: 'exit-1', at: 60, want: { phase: 'Failed', exitCode: 1, ended: 'Error' } },
  'it runs out of memory': {
    script: 'out-of-memory',
    at: 60,
    want: { phase: 'Failed', exitCode: 137, ended: 'OOMKilled' },
  },
  'it is evicted': {
    script: 'evicted',
    at: 60,
    want: { phase: 'Failed', reason: 'Evicted', exitCode: 137, ended: 'Error' },
  },
  'an image that is not there is an error first': {
    script: 'image-never-pulls',
    at: 3,
    want: { phase: 'Pending', waiting: 'ErrImagePull' },
  },
  'and backs off for ever after': {
    script: 'image-never-pulls',
    at: 3600,
    want: { phase: 'Pending', waiting: 'ImagePullBackOff' },
  },
  'a name that is none': {
    script: 'invalid-image-name',
    at: 60,
    want: { phase: 'Pending', waiting: 'InvalidImageName' },
  },
  'a secret that is not there': {
    script: 'config-error',
    at: 60,
    want: { phase: 'Pending', waiting: 'CreateContainerConfigError' },
  },
  'a pod that no node takes has no container status': { script: 'unschedulable', at: 3600, want: { phase: 'Pending' } },
  'a flow process ends when it likes': { script: 'flow-process', at: 86_400, want: { phase: 'Running' } },
};

describe('pod scripts', () => {
  for (const [name, { script, at, want }] of Object.entries(scripts)) {
    it(name, () => {
      const state = oneJob();
      playPods(state, follow(script), after(at));

      assert.deepEqual(seen(state), want);
    });
  }

  it('happen at their own times however rarely somebody looks', () => {
    const often = oneJob();
    for (let second = 0; second <= 90; second += 1) playPods(often, follow('exit-1'), after(second));
    const once = oneJob();
    playPods(once, follow('exit-1'), after(90));

    const told = (state: ClusterState): Set<string> =>
      new Set(listEvents(state).map(({ reason, firstTimestamp }) => `${reason} ${firstTimestamp}`));
    assert.deepEqual(thePod(once).status, thePod(often).status);
    assert.deepEqual(told(once), told(often));
    const { terminated } = thePod(once).status.containerStatuses?.[0]?.state ?? {};
    assert.deepEqual([terminated?.startedAt, terminated?.finishedAt], ['2026-03-01T02:00:03Z', '2026-03-01T02:01:00Z']);
  });

  it('write the events that a person would look for', () => {
    const state = oneJob();
    playPods(state, follow('unschedulable'), after(60));
    const event = listEvents(state).find(({ involvedObject }) => involvedObject.kind === 'Pod');

    assert.deepEqual([event?.type, event?.reason], ['Warning', 'FailedScheduling']);
    assert.match(event?.message ?? '', /^0\/3 nodes are available: 3 Insufficient memory\./u);
  });

  it('leave a log that the API then serves, cut to its last lines', () => {
    const state = oneJob();
    playPods(state, follow('exit-1'), after(60));
    const path = `/api/v1/namespaces/flows/pods/${thePod(state).metadata.name}/log`;
    const read = (query: string): string =>
      handle(state, { method: 'GET', path: path + query, headers: admin(state), body: '' }, after(60)).body;

    assert.match(read(''), /^Traceback/u);
    assert.equal(read('?tailLines=1'), 'RuntimeError: the flow stopped\n');
    assert.equal(read('?limitBytes=9'), 'Traceback');
    setPodLog(state, refOf(thePod(state)), { text: 'one\ntwo' });
    assert.equal(read('?tailLines=1'), 'two');
  });
});

const admin = (state: ClusterState): Record<string, string> => ({ authorization: `Bearer ${tokenOf(state, 'admin')}` });

describe('pods that are taken away', () => {
  it('end with SIGTERM when their Job is deleted, and hold it until then', () => {
    const state = oneJob();
    playPods(state, follow('flow-process'), after(10));
    const path = '/apis/batch/v1/namespaces/flows/jobs/job?propagationPolicy=Foreground';
    handle(state, { method: 'DELETE', path, headers: admin(state), body: '' }, after(11));
    stepControllers(state, after(11));
    const held = [listJobs(state).length, seen(state)];
    const signals: string[] = [];
    const directions = follow('flow-process', (_pod, signal) => (signals.push(signal), null));
    playPods(state, directions, after(12));
    stepControllers(state, after(12));

    assert.deepEqual(held, [1, { phase: 'Running', deleting: true }]);
    assert.deepEqual(signals, ['stop']);
    assert.deepEqual([listJobs(state).length, seen(state)], [0, { pod: 'gone' }]);
  });

  it('are marked by who preempts them, and count as failed', () => {
    const state = oneJob({ podReplacementPolicy: 'Failed' });
    playPods(state, follow('preempted'), after(60));
    const marked = [disruptionOf(thePod(state)), seen(state)];
    playPods(state, follow('preempted'), after(61));
    const { phase } = thePod(state).status;
    stepControllers(state, after(61));

    assert.deepEqual(marked, ['PreemptionByScheduler', { phase: 'Running', deleting: true }]);
    assert.equal(phase, 'Failed');
    assert.equal(listJobs(state)[0]?.status.failed, 1);
  });

  it('stay for as long as their lost node does', () => {
    const state = oneJob();
    const look = (seconds: number): object => {
      playPods(state, follow('node-loss'), after(seconds));
      stepControllers(state, after(seconds));
      return seen(state);
    };

    assert.deepEqual(look(61), { phase: 'Running' });
    assert.deepEqual(look(299), { phase: 'Running' });
    assert.deepEqual(look(360), { phase: 'Running', deleting: true });
    assert.equal(disruptionOf(thePod(state)), 'DeletionByTaintManager');
    assert.deepEqual(look(1799), { phase: 'Running', deleting: true });
    assert.deepEqual(look(1800), { pod: 'gone' });
  });

  it('work on when their node comes back in time', () => {
    const state = oneJob();
    const steps: Date[] = [];
    const directions = follow('node-returns', (_pod, signal, at) => (signal === 'step' && steps.push(at), null));
    for (const second of [30, 90, 300, 600]) playPods(state, directions, after(second));

    assert.deepEqual(seen(state), { phase: 'Running' });
    // Nobody hears from the process while the node is lost.
    assert.deepEqual(steps, [after(30), after(600)]);
  });

  it('end as soon as their node is back when they were deleted meanwhile', () => {
    const state = oneJob();
    playPods(state, follow('node-returns'), after(61));
    askPodToEnd(state, refOf(thePod(state)), after(62));
    playPods(state, follow('node-returns'), after(300));
    const waiting = seen(state);
    playPods(state, follow('node-returns'), after(600));
    playPods(state, follow('node-returns'), after(601));
    stepControllers(state, after(601));

    assert.deepEqual(waiting, { phase: 'Running', deleting: true });
    assert.deepEqual(seen(state), { pod: 'gone' });
  });
});

describe('the process in a pod', () => {
  it('is started once, stepped while it runs, and ends the pod', () => {
    const state = oneJob();
    const calls: string[] = [];
    const directions = follow('flow-process', (_pod, signal, at) => {
      calls.push(`${signal} ${at.toISOString().slice(14, 19)}`);
      return at >= after(30) ? { exitCode: 3 } : null;
    });
    for (const second of [1, 10, 30, 40]) playPods(state, directions, after(second));

    assert.deepEqual(calls, ['start 00:03', 'step 00:10', 'step 00:30']);
    assert.deepEqual(seen(state), { phase: 'Failed', exitCode: 3, ended: 'Error' });
  });

  it('may end at its start', () => {
    const state = oneJob();
    playPods(
      state,
      follow('flow-process', (_pod, signal) => (signal === 'start' ? { exitCode: 0 } : null)),
      after(60),
    );

    assert.deepEqual(seen(state), { phase: 'Succeeded', exitCode: 0, ended: 'Completed' });
  });
});

describe('setPodStatus', () => {
  it('merges over what is there, and says which pod is not', () => {
    const state = oneJob();
    setPodStatus(state, refOf(thePod(state)), { phase: 'Unknown', reason: 'NodeLost' });

    assert.deepEqual(seen(state), { phase: 'Unknown', reason: 'NodeLost' });
    assert.equal(thePod(state).status.qosClass, 'BestEffort');
    assert.throws(() => setPodStatus(state, { namespace: 'flows', name: 'nobody' }, {}), /no pod flows\/nobody/u);
  });
});
