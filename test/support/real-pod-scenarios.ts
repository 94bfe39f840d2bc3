import assert from 'node:assert/strict';

import { knownWaitingReasons, waitingReason, type Fate } from '../../functions/core/waiting-reasons.ts';
import { conditionOf, corePath, jobWith, readJob, at as valueAt } from '../contract/kubernetes.cluster.ts';
import {
  containerStatus,
  disruptPod,
  overStatus,
  releasePod,
  runningSince,
  runningStatus,
  startPod,
  terminated,
  waitingStatus,
} from './real-pods.ts';
import type { Scenario } from './real-scenario.ts';
import type { Scene } from './real-scene.ts';

/** The pod has a node and runs, and so does the flow run. */
export async function run(scene: Scene, ...others: readonly string[]): Promise<void> {
  await startPod(scene.at, await scene.pod(), ...others);
  scene.set('Running');
}

/** The flow container ends, and its Job with it. */
export async function end(scene: Scene, exitCode: number, more: object = {}): Promise<void> {
  await scene.write(overStatus(scene.at, exitCode, more));
  await jobWith(scene.at, scene.job, exitCode === 0 ? 'Complete' : 'Failed');
}

/** The flow runs and dies. */
const die =
  (exitCode: number, more: object = {}) =>
  async (scene: Scene): Promise<void> => {
    await run(scene);
    await end(scene, exitCode, more);
  };

/** The real eviction: the API server itself writes the condition and asks the pod to end (policy/v1). */
async function drain(scene: Scene): Promise<void> {
  const name = await scene.pod();
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } };
  const answer = await scene.at.call(`POST ${corePath(scene.at, `pods/${name}/eviction`)}`, { body });
  assert.equal(answer.status, 201, answer.text);
}

/** The kubelet has ended a pod that was asked to go. */
const leave = async (scene: Scene): Promise<void> => {
  const pod = await scene.pod();
  await scene.write(overStatus(scene.at, 143));
  await releasePod(scene.at, pod);
  await jobWith(scene.at, scene.job, 'Failed');
};

const died = 'fail-run died-while-running';
/** With the pod went what it knew: all that is left is that somebody wanted it gone. */
const deleted = /was deleted before it ended by itself: its node was drained or lost, it was preempted/u;
const ending = 'wait about-to-end';
const waits = 'heartbeat waiting-to-start';

/** The kubelet's own eviction: the pod stays, Failed. */
const evicted = (scene: Scene): object => ({
  ...overStatus(scene.at, 137),
  reason: 'Evicted',
  message: 'The node was low on resource: memory.',
  conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message: 'low on memory' }],
});

const evict = async (scene: Scene): Promise<void> => {
  await scene.write(evicted(scene));
  await jobWith(scene.at, scene.job, 'Failed');
};

const ended = (rule: string): string[] => [`fail-run ${rule}`, `delete-job ${rule}`];

/** What comes of a waiting reason at once, and after its grace. */
const fates: Readonly<Record<Fate, readonly (readonly string[])[]>> = {
  never: [['fail-run can-never-start']],
  grace: [[waits], ended('cannot-start-for-too-long')],
  wait: [[waits], [waits]],
};

const waitingScenarios: Readonly<Record<string, Scenario>> = Object.fromEntries(
  knownWaitingReasons.map((reason) => {
    const wants = fates[waitingReason(reason).fate];
    const play = async (scene: Scene): Promise<void> => scene.write(waitingStatus(reason));
    const acts = wants.map((want, index) => (index === 0 ? { play, want } : { after: 4, want }));
    return [`a container waits: ${reason}`, { acts }];
  }),
);

const sidecarStatus = (scene: Scene, exitCode: number): object => ({
  ...runningStatus(scene.at),
  containerStatuses: [
    containerStatus(terminated(scene.at, exitCode)),
    containerStatus(runningSince(scene.at), 'proxy'),
  ],
});
const withProxy = { containers: [{ name: 'flow' }, { name: 'proxy', image: 'proxy:1.0' }] };
const withInit = { initContainers: [{ name: 'setup', image: 'setup:1.0' }] };
const withNative = { initContainers: [{ name: 'proxy', image: 'proxy:1.0', restartPolicy: 'Always' }] };
const initStatus = (state: object, name = 'setup'): object => ({
  phase: 'Pending',
  initContainerStatuses: [containerStatus(state, name)],
  containerStatuses: [containerStatus({ waiting: { reason: 'PodInitializing' } })],
});

const lingersUnder =
  (name: string) =>
  async (scene: Scene): Promise<void> => {
    await run(scene, name);
    await scene.write(sidecarStatus(scene, 0));
  };

/** What a scheduler, a kubelet and the Job controller make of a Job's pods. */
export const podScenarios: Readonly<Record<string, Scenario>> = {
  ...waitingScenarios,
  'a pod runs': { acts: [{ play: run, want: ['wait still-working'], wantState: 'Running' }] },
  'a pod is pending, within its grace and beyond it': {
    acts: [
      { want: [waits] },
      { after: 61, want: ended('pending-for-too-long'), wantWhy: /not started within 60 min/u, wantState: 'Failed' },
    ],
  },
  'nobody schedules the pod': {
    acts: [
      {
        play: async (scene) => {
          const condition = {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message: '0/3 nodes fit',
          };
          await scene.write({ conditions: [condition] });
        },
        want: [waits],
        wantWhy: /cannot be scheduled \(Unschedulable\): 0\/3 nodes fit/u,
      },
      { after: 61, want: ended('pending-for-too-long'), wantWhy: /Unschedulable/u },
    ],
  },
  'an init container cannot start': {
    pod: withInit,
    acts: [
      {
        play: async (scene) => scene.write(initStatus({ waiting: { reason: 'ImagePullBackOff' } })),
        after: 4,
        want: ended('cannot-start-for-too-long'),
        wantWhy: /init container 'setup'/u,
      },
    ],
  },
  'an init container fails': {
    pod: withInit,
    acts: [
      {
        play: async (scene) => {
          await scene.write({ ...initStatus(terminated(scene.at, 3)), phase: 'Failed' });
          await jobWith(scene.at, scene.job, 'Failed');
        },
        want: ['fail-run failed-before-it-started'],
        wantWhy: /init container 'setup' .* exited with code 3/u,
        wantState: 'Failed',
      },
    ],
  },
  'a native sidecar that cannot start decides nothing': {
    pod: withNative,
    acts: [
      {
        play: async (scene) => scene.write(initStatus({ waiting: { reason: 'CrashLoopBackOff' } }, 'proxy')),
        after: 4,
        want: [waits],
      },
    ],
  },
  'a native sidecar is ended after the flow, and does not make it fail': {
    pod: withNative,
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          scene.set('Success');
          const proxy = containerStatus(terminated(scene.at, 137), 'proxy');
          await scene.write({ ...overStatus(scene.at, 0), initContainerStatuses: [proxy] });
          await jobWith(scene.at, scene.job, 'Complete');
        },
        want: ['wait kept-for-its-ttl'],
        wantState: 'Success',
      },
    ],
  },
  'the flow uses more memory than its limit': {
    runConfig: { type: 'KubernetesRun', memory_limit: '512Mi' },
    acts: [
      {
        play: die(137, { reason: 'OOMKilled' }),
        want: [died],
        wantWhy: /OOMKilled, limit 512Mi/u,
        wantState: 'Failed',
      },
    ],
  },
  'the flow exits with a code': { acts: [{ play: die(3), want: [died], wantWhy: /exited with code 3/u }] },
  'a signal ends the flow': { acts: [{ play: die(137, { signal: 9 }), want: [died], wantWhy: /signal 9/u }] },
  'the kubelet evicts the pod before it started': {
    acts: [{ play: evict, want: ['fail-run failed-before-it-started'], wantWhy: /low on memory/u }],
  },
  'the kubelet evicts the pod before it started, and infrastructure has a retry': {
    env: { INFRA_RETRIES: '1' },
    acts: [
      { play: evict, want: ['wait lost-before-it-started'], wantWhy: /low on memory/u },
      { after: 3, want: ['delete-job lost-before-it-started'], wantState: 'Submitted' },
    ],
  },
  'the kubelet evicts a running pod, and infrastructure has a retry': {
    env: { INFRA_RETRIES: '1' },
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await evict(scene);
        },
        want: ['wait lost-while-running'],
        wantState: 'Running',
      },
    ],
  },
  'the scheduler preempts the pod': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await disruptPod(scene.at, await scene.pod(), 'PreemptionByScheduler');
          await jobWith(scene.at, scene.job, 'FailureTarget');
        },
        want: [ending],
      },
      { play: leave, want: [died], wantWhy: deleted, wantState: 'Failed' },
    ],
  },
  'the node is drained': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await drain(scene);
          await jobWith(scene.at, scene.job, 'FailureTarget');
        },
        want: [ending],
      },
      { play: leave, want: [died], wantWhy: deleted, wantState: 'Failed' },
    ],
  },
  'the node is drained before the flow started, and infrastructure has a retry': {
    env: { INFRA_RETRIES: '1' },
    acts: [
      {
        play: async (scene) => {
          await startPod(scene.at, await scene.pod());
          await drain(scene);
          await leave(scene);
        },
        after: 3,
        want: ['delete-job lost-before-it-started'],
      },
    ],
  },
  'the node does not answer for a while': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await scene.write({ ...runningStatus(scene.at), conditions: [{ type: 'Ready', status: 'False' }] });
        },
        want: ['wait still-working'],
      },
      { play: async (scene) => scene.write(runningStatus(scene.at)), after: 5, want: ['wait still-working'] },
    ],
  },
  'the node is lost, and back': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await disruptPod(scene.at, await scene.pod(), 'DeletionByTaintManager');
          await jobWith(scene.at, scene.job, 'FailureTarget');
        },
        after: 10,
        want: [ending],
        wantState: 'Running',
      },
      { play: leave, want: [died], wantWhy: deleted },
    ],
  },
  'a Job runs for longer than its deadline': {
    spec: { activeDeadlineSeconds: 6 },
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await jobWith(scene.at, scene.job, 'FailureTarget');
        },
        want: [ending],
      },
      { play: leave, want: [died], wantWhy: /activeDeadlineSeconds/u },
    ],
  },
  'the pod failure policy ends the Job': {
    spec: {
      backoffLimit: 3,
      podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }] },
    },
    acts: [{ play: die(42), want: [died], wantWhy: /podFailurePolicy ended it.*exited with code 42/u }],
  },
  'a Job has a retry left, and uses it': {
    spec: { backoffLimit: 1 },
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await scene.write(overStatus(scene.at, 1));
          await scene.at.until('the failure counts', async () =>
            valueAt(await readJob(scene.at, scene.job), 'status', 'failed') === 1 ? true : null,
          );
        },
        want: ['wait backoff-retries-left'],
        wantState: 'Running',
      },
      {
        play: async (scene) => startPod(scene.at, await scene.pod(2)),
        want: ['wait still-working'],
      },
    ],
  },
  'a Job has succeeded, and another pod of it still ends': {
    spec: { backoffLimit: 1 },
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          const first = await scene.pod();
          await scene.at.call(`DELETE ${corePath(scene.at, `pods/${first}`)}`);
          const second = await scene.pod(2);
          assert.notEqual(second, first);
          await scene.at.call(`PATCH ${corePath(scene.at, `pods/${second}/status`)}`, {
            body: { status: overStatus(scene.at, 0) },
            contentType: 'application/merge-patch+json',
          });
          const job = await jobWith(scene.at, scene.job, 'SuccessCriteriaMet');
          assert.equal(conditionOf(job, 'Complete'), undefined);
        },
        want: [ending],
        wantWhy: /SuccessCriteriaMet/u,
      },
    ],
  },
  'a sidecar is up after a flow that finished': {
    pod: withProxy,
    acts: [
      {
        play: async (scene) => {
          await lingersUnder('proxy')(scene);
          scene.set('Success');
        },
        want: ['wait finishing'],
      },
      { after: 3, want: ['delete-job sidecar-keeps-the-job'], wantState: 'Success' },
    ],
  },
  'a sidecar is up after a flow that died': {
    pod: withProxy,
    acts: [
      {
        play: async (scene) => {
          await run(scene, 'proxy');
          await scene.write(sidecarStatus(scene, 137));
        },
        after: 3,
        want: ended('flow-ended-under-a-sidecar'),
        wantState: 'Failed',
      },
    ],
  },
  'a sidecar is up after a flow that said nothing': {
    pod: withProxy,
    acts: [
      { play: lingersUnder('proxy'), after: 3, want: ['wait flow-ended-under-a-sidecar'], wantState: 'Running' },
      { after: 61, want: ended('flow-ended-under-a-sidecar'), wantState: 'Failed' },
    ],
  },
};
