import assert from 'node:assert/strict';

import {
  aJobBody,
  at,
  corePath,
  createJob,
  eventAbout,
  eventsAbout,
  jobsPath,
  objectAt,
  podOf,
  podsOf,
  readJob,
  realController,
  textAt,
  type ContractCase,
} from './kubernetes.cluster.ts';

/** Jobs that stand while their pods are refused: the reason is an event on the Job. */
export const refusalCases: Readonly<Record<string, ContractCase>> = {
  'a missing service account is told on the Job, which stays active without a pod': {
    seen: realController,
    run: async (cluster) => {
      await createJob(cluster, aJobBody('ghostly', { pod: { serviceAccountName: 'ghost' } }));
      const event = await eventAbout(cluster, 'ghostly', 'FailedCreate');

      const { namespace } = cluster;
      assert.deepEqual(
        [event['type'], event['message']],
        [
          'Warning',
          `Error creating: pods "ghostly-" is forbidden: error looking up service account ${namespace}/ghost: serviceaccount "ghost" not found`,
        ],
      );
      assert.deepEqual(await podsOf(cluster, 'ghostly'), []);
      const {
        conditions: _none,
        startTime: _start,
        uncountedTerminatedPods: _counted,
        ...counts
      } = objectAt(await readJob(cluster, 'ghostly'), 'status');
      assert.deepEqual(counts, { ready: 0, terminating: 0 });
    },
  },
  'a quota on pods is told on the Job, and a pod comes once there is room': {
    seen: realController,
    run: async (cluster) => {
      const quota = {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'none' },
        spec: { hard: { pods: '0' } },
      };
      await cluster.call(`POST ${corePath(cluster, 'resourcequotas')}`, { body: quota });
      await cluster.until('the quota is counted', async () => {
        const { body } = await cluster.call(`GET ${corePath(cluster, 'resourcequotas/none')}`);
        return at(body, 'status', 'used', 'pods') === undefined ? null : true;
      });
      await createJob(cluster, aJobBody('crowded'));
      const event = await eventAbout(cluster, 'crowded', 'FailedCreate');
      await cluster.call(`DELETE ${corePath(cluster, 'resourcequotas/none')}`);
      await podOf(cluster, 'crowded');

      assert.match(
        textAt(event, 'message'),
        /^Error creating: pods "crowded-[a-z0-9]{5}" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0$/u,
      );
      assert.notDeepEqual(await eventsAbout(cluster, 'crowded'), []);
    },
  },
  'PodSecurity warns about the Job and refuses its pod': {
    seen: realController,
    labels: {
      'pod-security.kubernetes.io/enforce': 'baseline',
      'pod-security.kubernetes.io/warn': 'baseline',
    },
    run: async (cluster) => {
      const containers = [{ name: 'flow', image: 'x', securityContext: { privileged: true } }];
      const pod = { hostNetwork: true, containers, volumes: [{ name: 'root', hostPath: { path: '/' } }] };
      const answer = await cluster.call(`POST ${jobsPath(cluster)}`, { body: aJobBody('mighty', { pod }) });
      const event = await eventAbout(cluster, 'mighty', 'FailedCreate');

      const why =
        '"baseline:latest": host namespaces (hostNetwork=true), hostPath volumes (volume "root"), privileged (container "flow" must not set securityContext.privileged=true)';
      assert.equal(answer.status, 201);
      assert.equal(answer.headers['warning'], `299 - ${JSON.stringify(`would violate PodSecurity ${why}`)}`);
      assert.ok(
        textAt(event, 'message').endsWith(`is forbidden: violates PodSecurity ${why}`),
        textAt(event, 'message'),
      );
    },
  },
  'a quota on memory refuses pods that do not say what they need': {
    seen: realController,
    run: async (cluster) => {
      const spec = { hard: { 'limits.memory': '1Gi', 'requests.cpu': '2' } };
      const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'sized' }, spec };
      await cluster.call(`POST ${corePath(cluster, 'resourcequotas')}`, { body: quota });
      await cluster.until('the quota is counted', async () => {
        const { body } = await cluster.call(`GET ${corePath(cluster, 'resourcequotas/sized')}`);
        return at(body, 'status', 'used', 'limits.memory') === undefined ? null : true;
      });
      const resources = { limits: { memory: '2Gi', cpu: '1' } };
      const containers = [{ name: 'flow', image: 'flows:1.0', resources }];
      await createJob(cluster, aJobBody('unsized'));
      await createJob(cluster, aJobBody('oversized', { pod: { containers } }));
      const unsized = await eventAbout(cluster, 'unsized', 'FailedCreate');
      const oversized = await eventAbout(cluster, 'oversized', 'FailedCreate');

      assert.match(
        textAt(unsized, 'message'),
        / is forbidden: failed quota: sized: must specify limits\.memory for: flow; requests\.cpu for: flow$/u,
      );
      assert.match(
        textAt(oversized, 'message'),
        / is forbidden: exceeded quota: sized, requested: limits\.memory=2Gi, used: limits\.memory=0, limited: limits\.memory=1Gi$/u,
      );
    },
  },
  'the restricted level warns of all that it would refuse': {
    seen: realController,
    labels: { 'pod-security.kubernetes.io/warn': 'restricted' },
    run: async (cluster) => {
      const body = aJobBody('loose', { spec: { suspend: true } });
      const answer = await cluster.call(`POST ${jobsPath(cluster)}`, { body });

      const why =
        'allowPrivilegeEscalation != false (container "flow" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "flow" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "flow" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "flow" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")';
      const warning = JSON.stringify(`would violate PodSecurity "restricted:latest": ${why}`);
      assert.equal(answer.headers['warning'], `299 - ${warning}`);
    },
  },
};
