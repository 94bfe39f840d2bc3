import assert from 'node:assert/strict';

import { keyAnnotation, stackLabel } from '../../functions/core/job-identity.ts';
import {
  aJobBody,
  corePath,
  createJob,
  eventAbout,
  jobsPath,
  objectAt,
  readJob,
  untilGone,
  type ContractCluster,
} from '../contract/kubernetes.cluster.ts';
import { OTHER_STACK } from './builders.ts';
import { end, run } from './real-pod-scenarios.ts';
import { applyManifest } from './real-namespace.ts';
import { overStatus, releasePod, startPod, waitingStatus } from './real-pods.ts';
import type { Scenario } from './real-scenario.ts';
import type { Scene } from './real-scene.ts';

const waits = 'heartbeat waiting-to-start';
const refusedForGood = ['fail-run pod-refused-for-good', 'delete-job pod-refused-for-good'];

/** The Job controller has said why there is no pod. */
const refused = async ({ at, job }: Scene): Promise<void> => void (await eventAbout(at, job, 'FailedCreate'));

async function noPods(at: ContractCluster): Promise<void> {
  const hard = { pods: '0' };
  await applyManifest(at, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec: { hard } });
  await at.until('the quota counts', async () => {
    const { body } = await at.call(`GET ${corePath(at, 'resourcequotas/none')}`);
    return objectAt(body, 'status', 'hard')['pods'] === undefined ? null : true;
  });
}

const matchConstraints = {
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
};
const namespaceSelector = ({ namespace }: ContractCluster): object => ({
  matchLabels: { 'kubernetes.io/metadata.name': namespace },
});

async function admission(at: ContractCluster, collection: string, object: object): Promise<void> {
  const path = `/apis/admissionregistration.k8s.io/v1/${collection}`;
  const answer = await at.call(`POST ${path}`, { body: { metadata: { name: at.namespace }, ...object } });
  assert.equal(answer.status, 201, answer.text);
}

/** Asks a webhook where nobody listens about every pod of the namespace. */
async function webhookThatIsAway(at: ContractCluster): Promise<void> {
  const webhook = {
    name: 'pods.example.com',
    clientConfig: { url: 'https://127.0.0.1:1/validate' },
    rules: matchConstraints.resourceRules,
    namespaceSelector: namespaceSelector(at),
    failurePolicy: 'Fail',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
  };
  await admission(at, 'validatingwebhookconfigurations', { webhooks: [webhook] });
  await untilPodsAreRefused(at, 'failed calling webhook');
}

async function policyAgainstPods(at: ContractCluster): Promise<void> {
  const validations = [{ expression: 'false', message: 'no pods here' }];
  await admission(at, 'validatingadmissionpolicies', {
    spec: { failurePolicy: 'Fail', matchConstraints, validations },
  });
  const matchResources = { namespaceSelector: namespaceSelector(at) };
  const spec = { policyName: at.namespace, validationActions: ['Deny'], matchResources };
  await admission(at, 'validatingadmissionpolicybindings', { spec });
  await untilPodsAreRefused(at, 'no pods here');
}

/** The API server takes a moment to know what it shall ask. */
async function untilPodsAreRefused(at: ContractCluster, words: string): Promise<void> {
  const spec = { containers: [{ name: 'flow', image: 'flows:1.0' }] };
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'probe' }, spec };
  await at.until('pods are refused', async () => {
    const { text } = await at.call(`POST ${corePath(at, 'pods?dryRun=All')}`, { body });
    return text.includes(words) ? true : null;
  });
}

async function deleteJob({ at, job }: Scene, propagationPolicy: 'Background' | 'Foreground'): Promise<void> {
  const answer = await at.call(`DELETE ${jobsPath(at, `/${job}`)}`, { body: { propagationPolicy } });
  assert.equal(answer.status, 200, answer.text);
}

export const losesItsJob = async (scene: Scene): Promise<void> => {
  await deleteJob(scene, 'Background');
  await untilGone(scene.at, jobsPath(scene.at, `/${scene.job}`));
};

const succeeds = async (scene: Scene): Promise<void> => {
  await run(scene);
  await end(scene, 0);
};

/** A flow that takes its time, and then a Job that failed; metadata of the Job changed on the way. */
const failsAs =
  (metadata: object) =>
  async (scene: Scene): Promise<void> => {
    await scene.patchJob({ metadata });
    await end(scene, 1);
  };

/** Jobs that have no pod, and Jobs that are not there. */
const jobScenarios: Readonly<Record<string, Scenario>> = {
  'a quota leaves no room for the pod': {
    before: noPods,
    acts: [
      { play: refused, want: [waits], wantWhy: /QuotaExceeded/u },
      { after: 5, want: ['heartbeat without-a-pod'], wantWhy: /exceeded quota/u },
    ],
  },
  'the service account is not there': {
    env: { SERVICE_ACCOUNT_NAME: 'nobody' },
    acts: [
      { play: refused, want: [waits], wantWhy: /ServiceAccountMissing/u },
      { after: 3, want: refusedForGood, wantState: 'Failed' },
    ],
  },
  'the namespace does not take such pods': {
    labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    acts: [{ play: refused, after: 3, want: refusedForGood, wantWhy: /violates PodSecurity/u }],
  },
  'a policy denies the pod': {
    before: policyAgainstPods,
    acts: [{ play: refused, after: 3, want: refusedForGood, wantWhy: /AdmissionDenied.*no pods here/u }],
  },
  'a webhook that is asked about the pod is away': {
    before: webhookThatIsAway,
    acts: [{ play: refused, after: 3, want: ['heartbeat without-a-pod'], wantWhy: /WebhookUnavailable/u }],
  },
  'a Job is suspended': {
    acts: [
      {
        play: async (scene) => scene.patchJob({ spec: { suspend: true } }),
        after: 120,
        want: ['heartbeat suspended'],
      },
    ],
  },
  'somebody deletes the Job of a claimed run': {
    acts: [
      { play: losesItsJob, want: ['wait claimed-within-its-lease'] },
      { after: 3, want: ['wait jobless-claim-is-dispatchs'], wantState: 'Submitted' },
    ],
  },
  'somebody deletes the Job of a run at work': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await losesItsJob(scene);
        },
        after: 3,
        want: ['wait running-without-a-job'],
      },
      // Its pod has been asked to go, and may be at work until its node says that it has ended.
      { after: 58, want: ['wait running-without-a-job'], wantState: 'Running' },
      {
        play: async (scene) => releasePod(scene.at, await scene.pod()),
        want: ['fail-run running-with-nothing-left'],
        wantState: 'Failed',
      },
    ],
  },
  'the TTL of a Job is over before anybody looked': {
    acts: [
      {
        play: async (scene) => {
          await scene.patchJob({ spec: { ttlSecondsAfterFinished: 0 } });
          await run(scene);
          await scene.write(overStatus(scene.at, 1));
          await untilGone(scene.at, jobsPath(scene.at, `/${scene.job}`));
        },
        want: ['wait running-without-a-job'],
        wantState: 'Running',
      },
    ],
  },
  'a Job is being deleted': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await deleteJob(scene, 'Foreground');
          assert.notEqual(objectAt(await readJob(scene.at, scene.job), 'metadata')['deletionTimestamp'], undefined);
        },
        after: 120,
        want: ['wait job-being-deleted'],
      },
    ],
  },
  'two Jobs of one run are active': {
    acts: [
      {
        play: async (scene) => {
          const labels = { 'prefect.io/flow_run_id': scene.runId };
          await createJob(scene.at, aJobBody('twin', { metadata: { labels } }));
        },
        want: ['alarm more-than-one-active-job (refused)', waits],
      },
    ],
  },
  'a Job of another stack is left alone': {
    acts: [{ play: failsAs({ labels: { [stackLabel]: OTHER_STACK } }), after: 9_999, want: [] }],
  },
  'a Job of the ordinary agent is left alone': {
    acts: [{ play: failsAs({ labels: { [stackLabel]: null } }), after: 9_999, want: [] }],
  },
  'a Job of an older version of ours, without a key': {
    acts: [{ play: failsAs({ annotations: { [keyAnnotation]: null } }), want: ['wait kept-for-its-ttl'] }],
  },
};

/** What people, flow processes and the Prefect API make of the run meanwhile. */
const stateScenarios: Readonly<Record<string, Scenario>> = {
  'a Job is complete, its run was never started': {
    acts: [
      { play: async (scene) => end(scene, 0), want: ['wait ended-without-starting'] },
      { after: 3, want: ['delete-job ended-without-starting'], wantState: 'Submitted' },
    ],
  },
  'a Job is complete, its run is Running': {
    acts: [
      { play: succeeds, want: ['wait ended-while-running'], wantState: 'Running' },
      { after: 61, want: ['fail-run ended-while-running'], wantState: 'Failed' },
    ],
  },
  'a Job is complete, its run is Running, and Lazarus is off': {
    settings: { lazarus_enabled: false },
    acts: [{ play: succeeds, after: 3, want: ['fail-run ended-while-running'], wantState: 'Failed' }],
  },
  'a Job is complete, and a task retry waits': {
    acts: [
      {
        play: async (scene) => {
          await succeeds(scene);
          scene.retryTask(120);
        },
        after: 61,
        want: ['wait ended-while-running'],
        wantState: 'Running',
      },
    ],
  },
  'a run is finished, its Job is kept and then deleted': {
    acts: [
      {
        play: async (scene) => {
          await succeeds(scene);
          scene.set('Success');
        },
        want: ['wait kept-for-its-ttl'],
      },
      { after: 11, want: ['delete-job ttl-is-over'], wantState: 'Success' },
      { play: async ({ at, job }) => untilGone(at, jobsPath(at, `/${job}`)), want: [] },
    ],
  },
  'a run is finished before its pod started': {
    acts: [
      {
        play: async (scene) => {
          await scene.write(waitingStatus('ContainerCreating'));
          scene.set('Success');
        },
        after: 3,
        want: ['delete-job run-finished-before-the-pod-started'],
      },
    ],
  },
  'a run is cancelled before its pod started': {
    acts: [
      { play: (scene) => scene.cancel(), want: ['wait run-cancelled'], wantState: 'Cancelled' },
      { after: 3, want: ['delete-job run-cancelled'] },
    ],
  },
  'a run is cancelled while it runs': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          scene.cancel();
        },
        want: ['wait run-cancelled'],
        wantWhy: /may stop itself/u,
        wantState: 'Cancelling',
      },
      { after: 3, want: ['delete-job run-cancelled'] },
    ],
  },
  'a run is cancelled, and its flow stops': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          scene.cancel();
          await end(scene, 0);
        },
        want: ['cancel-run cancelled-after-the-job-ended'],
        wantState: 'Cancelled',
      },
    ],
  },
  'a run is cancelled, and its Job is gone': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          scene.cancel();
          await losesItsJob(scene);
        },
        want: ['wait cancelled-without-a-job'],
        wantWhy: /a pod of it is still there/u,
        wantState: 'Cancelling',
      },
      {
        play: async (scene) => releasePod(scene.at, await scene.pod()),
        want: ['cancel-run cancelled-without-a-job'],
        wantState: 'Cancelled',
      },
    ],
  },
  'a run is paused': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          scene.set('Paused');
          await end(scene, 1);
        },
        after: 120,
        want: ['wait run-paused'],
        wantState: 'Paused',
      },
    ],
  },
  'a run is deleted': {
    acts: [
      { play: (scene) => scene.deleteRun(), want: ['wait run-deleted'] },
      { after: 3, want: ['delete-job run-deleted'] },
    ],
  },
  'a run is scheduled again while its old pod cannot start': {
    acts: [
      {
        play: async (scene) => {
          await scene.write(waitingStatus('ImagePullBackOff'));
          scene.set('Scheduled');
        },
        after: 4,
        want: ['delete-job blocks-a-newer-attempt'],
        wantState: 'Scheduled',
      },
    ],
  },
  'a run is scheduled again while its old pod runs': {
    acts: [
      {
        play: async (scene) => {
          await startPod(scene.at, await scene.pod());
          scene.set('Scheduled');
        },
        after: 120,
        want: ['wait still-working'],
      },
    ],
  },
  'a run cannot be read': {
    acts: [
      {
        play: async (scene) => {
          await succeeds(scene);
          scene.set('Success');
          scene.onPrefect((_request, forward) => {
            const answer = forward();
            return { ...answer, body: answer.body.replaceAll('"labels":[]', '"labels":[1]') };
          });
        },
        after: 120,
        want: ['read-run run-unreadable (unknown)', 'wait run-unreadable'],
      },
    ],
  },
  'a run is finished while it is listed as unfinished': {
    acts: [
      {
        play: async (scene) => {
          await run(scene);
          await losesItsJob(scene);
          scene.onPrefect((_request, forward) => {
            const answer = forward();
            return { ...answer, body: answer.body.replaceAll('"state":"Running"', '"state":"Success"') };
          });
        },
        want: ['wait already-over'],
      },
    ],
  },
};

export const runScenarios: Readonly<Record<string, Scenario>> = { ...jobScenarios, ...stateScenarios };
