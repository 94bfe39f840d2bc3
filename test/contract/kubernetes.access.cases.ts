import assert from 'node:assert/strict';

import {
  aJobBody,
  at,
  corePath,
  createJob,
  jobsPath,
  real,
  refusalOf,
  textAt,
  type ContractCase,
  type ContractCluster,
} from './kubernetes.cluster.ts';

const rbac = 'rbac.authorization.k8s.io';

/** A token of a new service account that nobody has given any right. */
async function botToken(cluster: ContractCluster): Promise<string> {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bot' } };
  await cluster.call(`POST ${corePath(cluster, 'serviceaccounts')}`, { body: account });
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { body } = await cluster.call(`POST ${corePath(cluster, 'serviceaccounts/bot/token')}`, { body: request });
  return textAt(body, 'status', 'token');
}

async function grant(cluster: ContractCluster, rules: readonly object[]): Promise<void> {
  const path = `/apis/${rbac}/v1/namespaces/${cluster.namespace}`;
  const metadata = { name: 'bot' };
  const role = { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules };
  const binding = {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: rbac, kind: 'Role', name: 'bot' },
    subjects: [{ kind: 'ServiceAccount', name: 'bot', namespace: cluster.namespace }],
  };
  assert.equal((await cluster.call(`POST ${path}/roles`, { body: role })).status, 201);
  assert.equal((await cluster.call(`POST ${path}/rolebindings`, { body: binding })).status, 201);
}

async function review(cluster: ContractCluster, token: string, attributes: object): Promise<unknown> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { namespace: cluster.namespace, ...attributes } },
  };
  const answer = await cluster.call('POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { body, token });
  assert.equal(answer.status, 201, answer.text);
  return at(answer.body, 'status', 'allowed');
}

/** Waits for the authoriser to have seen the binding, which takes the real one a moment. */
async function untilAllowed(cluster: ContractCluster, token: string, attributes: object): Promise<void> {
  await cluster.until('the binding works', async () =>
    (await review(cluster, token, attributes)) === true ? true : null,
  );
}

const refusedAs = (rest: string): string => `User "system:serviceaccount:NS:bot" cannot ${rest} in the namespace "NS"`;

/** Who may do what. */
export const accessCases: Readonly<Record<string, ContractCase>> = {
  'what no role allows is Forbidden, and the message says who wanted what': {
    seen: real,
    run: async (cluster) => {
      const token = await botToken(cluster);
      await createJob(cluster, aJobBody('there', { spec: { suspend: true } }));
      const want = {
        [`GET ${jobsPath(cluster)}`]: {
          message: `jobs.batch is forbidden: ${refusedAs('list resource "jobs" in API group "batch"')}`,
          details: { group: 'batch', kind: 'jobs' },
        },
        [`DELETE ${jobsPath(cluster, '/there')}`]: {
          message: `jobs.batch "there" is forbidden: ${refusedAs('delete resource "jobs" in API group "batch"')}`,
          details: { name: 'there', group: 'batch', kind: 'jobs' },
        },
        [`GET ${corePath(cluster, 'pods/x/log')}`]: {
          message: `pods "x" is forbidden: ${refusedAs('get resource "pods/log" in API group ""')}`,
          details: { name: 'x', kind: 'pods' },
        },
        [`GET ${corePath(cluster, 'events')}`]: {
          message: `events is forbidden: ${refusedAs('list resource "events" in API group ""')}`,
          details: { kind: 'events' },
        },
        'GET /apis/batch/v1/jobs': {
          message:
            'jobs.batch is forbidden: User "system:serviceaccount:NS:bot" cannot list resource "jobs" in API group "batch" at the cluster scope',
          details: { group: 'batch', kind: 'jobs' },
        },
      };

      for (const [line, told] of Object.entries(want)) {
        const refusal = refusalOf(await cluster.call(line, { token }), cluster);
        assert.deepEqual(refusal, { status: 403, reason: 'Forbidden', ...told, code: 403 }, line);
      }
    },
  },
  'a role allows its verbs on its resources and nothing more': {
    seen: real,
    run: async (cluster) => {
      const token = await botToken(cluster);
      await grant(cluster, [
        { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'list'] },
        { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
      ]);
      await untilAllowed(cluster, token, { group: 'batch', resource: 'jobs', verb: 'create' });
      const job = aJobBody('made', { spec: { suspend: true } });
      const statuses = {
        create: (await cluster.call(`POST ${jobsPath(cluster)}`, { body: job, token })).status,
        list: (await cluster.call(`GET ${jobsPath(cluster)}`, { token })).status,
        read: (await cluster.call(`GET ${jobsPath(cluster, '/made')}`, { token })).status,
        remove: (await cluster.call(`DELETE ${jobsPath(cluster, '/made')}`, { token })).status,
        pods: (await cluster.call(`GET ${corePath(cluster, 'pods')}`, { token })).status,
        log: (await cluster.call(`GET ${corePath(cluster, 'pods/none/log')}`, { token })).status,
        elsewhere: (await cluster.call('GET /apis/batch/v1/namespaces/default/jobs', { token })).status,
      };

      const want = { create: 201, list: 200, read: 403, remove: 403, pods: 403, log: 404, elsewhere: 403 };
      assert.deepEqual(statuses, want);
    },
  },
  'anybody who is logged in may ask what they may do': {
    seen: real,
    run: async (cluster) => {
      const token = await botToken(cluster);
      assert.equal(await review(cluster, token, { group: 'batch', resource: 'jobs', verb: 'delete' }), false);
      await grant(cluster, [
        { apiGroups: ['batch'], resources: ['jobs'], verbs: ['delete'] },
        { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
      ]);
      await untilAllowed(cluster, token, { group: 'batch', resource: 'jobs', verb: 'delete' });

      assert.equal(await review(cluster, token, { group: 'batch', resource: 'jobs', verb: 'create' }), false);
      assert.equal(await review(cluster, token, { resource: 'pods', subresource: 'log', verb: 'get' }), true);
      assert.equal(await review(cluster, token, { resource: 'pods', verb: 'get' }), false);
      const elsewhere = { namespace: 'default', group: 'batch', resource: 'jobs', verb: 'delete' };
      assert.equal(await review(cluster, token, elsewhere), false);
    },
  },
  'anybody who is logged in may ask who they are': {
    seen: real,
    run: async (cluster) => {
      const token = await botToken(cluster);
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };

      const answer = await cluster.call(`POST ${path}`, { body, token });

      assert.equal(answer.status, 201, answer.text);
      assert.equal(
        textAt(answer.body, 'status', 'userInfo', 'username'),
        `system:serviceaccount:${cluster.namespace}:bot`,
      );
      const groups = at(answer.body, 'status', 'userInfo', 'groups');
      const want = ['system:serviceaccounts', `system:serviceaccounts:${cluster.namespace}`, 'system:authenticated'];
      assert.deepEqual(groups, want);
      assert.equal((await cluster.call(`POST ${path}`, { body, token: 'nobody' })).status, 401);
    },
  },
};
