import assert from 'node:assert/strict';

import {
  aJobBody,
  at,
  bindToNode,
  conditionOf,
  corePath,
  createJob,
  endedPod,
  eventAbout,
  jobsPath,
  jobWith,
  objectAt,
  podOf,
  podsOf,
  readJob,
  realController,
  textAt,
  toldBy,
  untilGone,
  writePodStatus,
  type ContractCase,
  type ContractCluster,
} from './kubernetes.cluster.ts';

const reached = { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };

async function remove(cluster: ContractCluster, name: string, body?: object): Promise<number> {
  const answer = await cluster.call(`DELETE ${jobsPath(cluster, `/${name}`)}`, body === undefined ? {} : { body });
  return answer.status;
}

/** What the kubelet does when a pod's containers have ended: the object may go. */
async function confirmGone(cluster: ContractCluster, pod: string): Promise<void> {
  await cluster.call(`DELETE ${corePath(cluster, `pods/${pod}`)}`, { body: { gracePeriodSeconds: 0 } });
}

async function countsOf(cluster: ContractCluster, name: string): Promise<object> {
  const { active, ready, succeeded, failed, terminating } = objectAt(await readJob(cluster, name), 'status');
  return { active, ready, succeeded, failed, terminating };
}

async function untilActive(cluster: ContractCluster, name: string): Promise<void> {
  await cluster.until(`${name} is active`, async () =>
    at(await readJob(cluster, name), 'status', 'active') === 1 ? true : null,
  );
}

async function otherPod(cluster: ContractCluster, job: string, than: string): Promise<string> {
  const names = (await podsOf(cluster, job)).map((pod) => textAt(pod, 'metadata', 'name'));
  return names.find((name) => name !== than) ?? '';
}

/** What controllers make of Jobs whose pods a test plays. */
export const controllerCases: Readonly<Record<string, ContractCase>> = {
  'a Job gets a pod that carries its labels and belongs to it': {
    seen: realController,
    run: async (cluster) => {
      const template = {
        metadata: { labels: { team: 'etl' }, annotations: { note: 'n' } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'flow', image: 'flows:1.0' }] },
      };
      const job = await createJob(cluster, aJobBody('owner', { spec: { template } }));
      const name = await podOf(cluster, 'owner');
      await untilActive(cluster, 'owner');

      const [pod] = await podsOf(cluster, 'owner');
      const uid = textAt(job, 'metadata', 'uid');
      assert.match(name, /^owner-[bcdfghjklmnpqrstvwxz2456789]{5}$/u);
      assert.equal(at(pod, 'metadata', 'labels', 'team'), 'etl');
      assert.equal(at(pod, 'metadata', 'labels', 'controller-uid'), uid);
      assert.equal(at(pod, 'metadata', 'annotations', 'note'), 'n');
      const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'owner', uid };
      assert.deepEqual(at(pod, 'metadata', 'ownerReferences'), [
        { ...owner, controller: true, blockOwnerDeletion: true },
      ]);
      assert.deepEqual(at(pod, 'metadata', 'finalizers'), ['batch.kubernetes.io/job-tracking']);
      assert.deepEqual([at(pod, 'status', 'phase'), at(pod, 'spec', 'serviceAccountName')], ['Pending', 'default']);
      const created = await eventAbout(cluster, 'owner', 'SuccessfulCreate');
      assert.deepEqual(
        [created['type'], created['message'], created['count'], at(created, 'source', 'component')],
        ['Normal', `Created pod: ${name}`, 1, 'job-controller'],
      );
      assert.equal(textAt(created, 'involvedObject', 'uid'), uid);
      const want = { active: 1, ready: 0, succeeded: undefined, failed: undefined, terminating: 0 };
      assert.deepEqual(await countsOf(cluster, 'owner'), want);
    },
  },
  'limits without requests are requests of the pod': {
    seen: realController,
    run: async (cluster) => {
      const limits = { memory: '1Gi', cpu: '1' };
      const containers = [{ name: 'flow', image: 'flows:1.0', resources: { limits } }];
      await createJob(cluster, aJobBody('limited', { pod: { containers } }));
      await podOf(cluster, 'limited');
      const [pod] = await podsOf(cluster, 'limited');

      assert.deepEqual(at(pod, 'spec', 'containers', 0, 'resources'), { limits, requests: limits });
      assert.equal(at(pod, 'status', 'qosClass'), 'Guaranteed');
    },
  },
  'success is announced, then it is final': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('good'));
      const pod = await podOf(cluster, 'good');
      await writePodStatus(cluster, pod, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] });
      await cluster.until('good is ready', async () =>
        at(await readJob(cluster, 'good'), 'status', 'ready') === 1 ? true : null,
      );
      await writePodStatus(cluster, pod, endedPod(cluster, 0));
      const announced = await jobWith(cluster, 'good', 'SuccessCriteriaMet');
      const done = await jobWith(cluster, 'good', 'Complete');

      assert.deepEqual(toldBy(announced, 'SuccessCriteriaMet'), reached);
      assert.deepEqual(toldBy(done, 'Complete'), reached);
      assert.notEqual(textAt(done, 'status', 'completionTime'), '');
      const want = { active: undefined, ready: 0, succeeded: 1, failed: undefined, terminating: 0 };
      assert.deepEqual(await countsOf(cluster, 'good'), want);
      assert.deepEqual(at((await podsOf(cluster, 'good'))[0], 'metadata', 'finalizers'), undefined);
      const told = await eventAbout(cluster, 'good', 'Completed');
      assert.deepEqual([told['type'], told['message']], ['Normal', 'Job completed']);
    },
  },
  'without retries the first failure is announced, then it is final': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('bad'));
      await writePodStatus(cluster, await podOf(cluster, 'bad'), endedPod(cluster, 1));
      const announced = await jobWith(cluster, 'bad', 'FailureTarget');
      const failed = await jobWith(cluster, 'bad', 'Failed');

      const want = { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
      assert.deepEqual(toldBy(announced, 'FailureTarget'), want);
      assert.deepEqual(toldBy(failed, 'Failed'), want);
      assert.equal(at(failed, 'status', 'failed'), 1);
      const told = await eventAbout(cluster, 'bad', 'BackoffLimitExceeded');
      assert.deepEqual([told['type'], told['message']], ['Warning', want.message]);
    },
  },
  'with a retry left the next pod comes ten seconds later': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('again', { spec: { backoffLimit: 1 } }));
      await writePodStatus(cluster, await podOf(cluster, 'again'), endedPod(cluster, 1));
      await cluster.pass(5);
      const early = await podsOf(cluster, 'again');
      const second = await podOf(cluster, 'again', 2);
      await writePodStatus(cluster, second, endedPod(cluster, 1));
      const failed = await jobWith(cluster, 'again', 'Failed');

      assert.equal(early.length, 1);
      assert.deepEqual(
        [at(failed, 'status', 'failed'), conditionOf(failed, 'Failed')?.['reason']],
        [2, 'BackoffLimitExceeded'],
      );
    },
  },
  'a failure that the policy calls fatal ends the Job at once': {
    seen: realController,
    run: async (cluster) => {
      const onExitCodes = { containerName: 'flow', operator: 'In', values: [42] };
      const podFailurePolicy = { rules: [{ action: 'FailJob', onExitCodes }] };
      await createJob(cluster, aJobBody('fatal', { spec: { backoffLimit: 3, podFailurePolicy } }));
      const pod = await podOf(cluster, 'fatal');
      await writePodStatus(cluster, pod, endedPod(cluster, 42));
      const failed = await jobWith(cluster, 'fatal', 'Failed');

      const message = `Container flow for pod ${cluster.namespace}/${pod} failed with exit code 42 matching FailJob rule at index 0`;
      assert.deepEqual(toldBy(failed, 'Failed'), { reason: 'PodFailurePolicy', message });
    },
  },
  'a rule about another container does not match': {
    seen: realController,
    run: async (cluster) => {
      const containers = ['flow', 'side'].map((name) => ({ name, image: 'flows:1.0' }));
      const onExitCodes = { containerName: 'side', operator: 'In', values: [42] };
      const spec = { podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes }] } };
      await createJob(cluster, aJobBody('beside', { spec, pod: { containers } }));
      await writePodStatus(cluster, await podOf(cluster, 'beside'), endedPod(cluster, 42));
      const failed = await jobWith(cluster, 'beside', 'Failed');

      assert.equal(conditionOf(failed, 'Failed')?.['reason'], 'BackoffLimitExceeded');
    },
  },
  'a Job that has succeeded waits for a pod that still ends': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('patient', { spec: { backoffLimit: 1 } }));
      const first = await podOf(cluster, 'patient');
      await bindToNode(cluster, first);
      await cluster.call(`DELETE ${corePath(cluster, `pods/${first}`)}`);
      await podOf(cluster, 'patient', 2);
      await writePodStatus(cluster, await otherPod(cluster, 'patient', first), endedPod(cluster, 0));
      await jobWith(cluster, 'patient', 'SuccessCriteriaMet');
      await cluster.pass(2);
      const waiting = await readJob(cluster, 'patient');
      await confirmGone(cluster, first);
      const done = await jobWith(cluster, 'patient', 'Complete');

      assert.deepEqual([conditionOf(waiting, 'Complete'), at(waiting, 'status', 'terminating')], [undefined, 1]);
      assert.deepEqual([at(done, 'status', 'succeeded'), at(done, 'status', 'failed')], [1, 1]);
    },
  },
  'a failure that the policy ignores does not count': {
    seen: realController,
    run: async (cluster) => {
      const rule = { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] };
      await createJob(cluster, aJobBody('spared', { spec: { podFailurePolicy: { rules: [rule] } } }));
      const reason = { reason: 'PreemptionByScheduler' };
      const disrupted = endedPod(cluster, 137, [{ type: 'DisruptionTarget', status: 'True', ...reason }]);
      await writePodStatus(cluster, await podOf(cluster, 'spared'), disrupted);
      const second = await podOf(cluster, 'spared', 2);
      const job = await readJob(cluster, 'spared');

      assert.notEqual(second, '');
      assert.deepEqual([at(job, 'status', 'failed'), conditionOf(job, 'FailureTarget')], [undefined, undefined]);
    },
  },
  'past its deadline a Job ends its pod, and fails when that is gone': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('late', { spec: { activeDeadlineSeconds: 2 } }));
      const pod = await podOf(cluster, 'late');
      await bindToNode(cluster, pod);
      await writePodStatus(cluster, pod, { phase: 'Running' });
      const announced = await jobWith(cluster, 'late', 'FailureTarget');
      await cluster.pass(2);
      const waiting = await readJob(cluster, 'late');
      await confirmGone(cluster, pod);
      const failed = await jobWith(cluster, 'late', 'Failed');

      const want = { reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
      assert.deepEqual(toldBy(announced, 'FailureTarget'), want);
      assert.deepEqual([conditionOf(waiting, 'Failed'), at(waiting, 'status', 'terminating')], [undefined, 1]);
      assert.deepEqual(toldBy(failed, 'Failed'), want);
      assert.deepEqual([await podsOf(cluster, 'late'), at(failed, 'status', 'failed')], [[], 1]);
      assert.equal((await eventAbout(cluster, 'late', 'SuccessfulDelete'))['message'], `Deleted pod: ${pod}`);
    },
  },
  'a suspended Job has no pods, resumed it has one, suspended again it has none': {
    seen: realController,
    run: async (cluster) => {
      const patch = async (suspend: boolean): Promise<unknown> =>
        cluster.call(`PATCH ${jobsPath(cluster, '/idle')}`, {
          body: { spec: { suspend } },
          contentType: 'application/merge-patch+json',
        });
      await createJob(cluster, aJobBody('idle', { spec: { suspend: true } }));
      const suspended = await jobWith(cluster, 'idle', 'Suspended');
      const none = await podsOf(cluster, 'idle');
      await patch(false);
      await podOf(cluster, 'idle');
      await untilActive(cluster, 'idle');
      const resumed = await readJob(cluster, 'idle');
      await patch(true);
      const again = await jobWith(cluster, 'idle', 'Suspended');
      await cluster.until('no pod is left', async () => ((await podsOf(cluster, 'idle')).length === 0 ? true : null));
      await cluster.pass(1);
      const rested = await readJob(cluster, 'idle');

      assert.deepEqual(toldBy(suspended, 'Suspended'), { reason: 'JobSuspended', message: 'Job suspended' });
      assert.deepEqual([none, at(suspended, 'status', 'startTime')], [[], undefined]);
      assert.equal(conditionOf(resumed, 'Suspended'), undefined);
      assert.notEqual(textAt(resumed, 'status', 'startTime'), '');
      assert.deepEqual([at(again, 'metadata', 'generation'), at(rested, 'status', 'failed')], [3, undefined]);
    },
  },
  'a finished Job goes when its time to live is over, and takes its pod along': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('brief', { spec: { ttlSecondsAfterFinished: 4 } }));
      await writePodStatus(cluster, await podOf(cluster, 'brief'), endedPod(cluster, 0));
      await jobWith(cluster, 'brief', 'Complete');
      await cluster.pass(1);
      const early = await cluster.call(`GET ${jobsPath(cluster, '/brief')}`);
      await untilGone(cluster, jobsPath(cluster, '/brief'));

      assert.deepEqual([early.status, await podsOf(cluster, 'brief')], [200, []]);
    },
  },
  'deleted without a word, a Job leaves its pod behind': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('left'));
      const pod = await podOf(cluster, 'left');
      assert.equal(await remove(cluster, 'left'), 200);
      await untilGone(cluster, jobsPath(cluster, '/left'));
      await cluster.pass(1);

      const [orphan] = await podsOf(cluster, 'left');
      assert.equal(textAt(orphan, 'metadata', 'name'), pod);
      const { ownerReferences, deletionTimestamp } = objectAt(orphan, 'metadata');
      assert.deepEqual([ownerReferences, deletionTimestamp], [undefined, undefined]);
    },
  },
  'deleted in the background, a Job is gone at once and its pod soon after': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('back'));
      const pod = await podOf(cluster, 'back');
      assert.equal(await remove(cluster, 'back', { propagationPolicy: 'Background' }), 200);

      assert.equal((await cluster.call(`GET ${jobsPath(cluster, '/back')}`)).status, 404);
      await untilGone(cluster, corePath(cluster, `pods/${pod}`));
    },
  },
  'deleted in the foreground, a Job waits, marked, for a pod that still ends': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('front'));
      const pod = await podOf(cluster, 'front');
      await bindToNode(cluster, pod);
      await writePodStatus(cluster, pod, { phase: 'Running' });
      await untilActive(cluster, 'front');
      assert.equal(await remove(cluster, 'front', { propagationPolicy: 'Foreground' }), 200);
      const marked = await cluster.until('the pod is asked to end', async () => {
        const { body } = await cluster.call(`GET ${corePath(cluster, `pods/${pod}`)}`);
        return textAt(body, 'metadata', 'deletionTimestamp') === '' ? null : body;
      });
      const waiting = await readJob(cluster, 'front');
      const taken = await cluster.call(`POST ${jobsPath(cluster)}`, { body: aJobBody('front') });
      await confirmGone(cluster, pod);

      assert.equal(at(marked, 'metadata', 'deletionGracePeriodSeconds'), 30);
      // Of a pod it is the end of its grace, not the moment of the request.
      const time = (object: object): number => new Date(textAt(object, 'metadata', 'deletionTimestamp')).getTime();
      assert.ok(time(marked) - time(waiting) >= 29_000, `${time(marked)} ${time(waiting)}`);
      assert.deepEqual(at(waiting, 'metadata', 'finalizers'), ['foregroundDeletion']);
      assert.notEqual(textAt(waiting, 'metadata', 'deletionTimestamp'), '');
      assert.deepEqual([taken.status, taken.body['reason']], [409, 'AlreadyExists']);
      await untilGone(cluster, jobsPath(cluster, '/front'));
    },
  },
  'deleted in the foreground, a pod without a node does not hold its Job': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('light'));
      await podOf(cluster, 'light');
      await remove(cluster, 'light', { propagationPolicy: 'Foreground' });

      await untilGone(cluster, jobsPath(cluster, '/light'));
      assert.deepEqual(await podsOf(cluster, 'light'), []);
    },
  },
  'the log of a pod without a node is nothing, of a container that is not there a bad request': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('quiet'));
      const pod = await podOf(cluster, 'quiet');
      const quiet = await cluster.call(`GET ${corePath(cluster, `pods/${pod}/log?container=flow&tailLines=10`)}`);
      const other = await cluster.call(`GET ${corePath(cluster, `pods/${pod}/log?container=other`)}`);
      const gone = await cluster.call(`GET ${corePath(cluster, 'pods/nobody/log')}`);

      assert.deepEqual([quiet.status, quiet.text], [204, '']);
      assert.deepEqual([other.status, other.body['message']], [400, `container other is not valid for pod ${pod}`]);
      assert.deepEqual([gone.status, gone.body['message']], [404, 'pods "nobody" not found']);
    },
  },
  'two completions need two pods, one after the other': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('twice', { spec: { completions: 2 } }));
      const first = await podOf(cluster, 'twice');
      await writePodStatus(cluster, first, endedPod(cluster, 0));
      const second = await podOf(cluster, 'twice', 2);
      const between = await readJob(cluster, 'twice');
      await writePodStatus(
        cluster,
        second === first ? await otherPod(cluster, 'twice', first) : second,
        endedPod(cluster, 0),
      );
      const done = await jobWith(cluster, 'twice', 'Complete');

      assert.equal(conditionOf(between, 'SuccessCriteriaMet'), undefined);
      assert.equal(at(done, 'status', 'succeeded'), 2);
    },
  },
};
