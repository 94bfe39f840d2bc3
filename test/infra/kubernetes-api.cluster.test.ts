import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { permissions } from '../../functions/kubernetes/permissions.ts';
import { addUser, applyManifests, createClusterState, tokenOf } from '../../infra/local/kubernetes-api/cluster.ts';
import { admitAndStore } from '../../infra/local/kubernetes-api/create.ts';
import { addEvent } from '../../infra/local/kubernetes-api/events.ts';
import { handle } from '../../infra/local/kubernetes-api/handle.ts';
import type { JsonObject } from '../../infra/local/kubernetes-api/objects.ts';
import { jobs, secrets } from '../../infra/local/kubernetes-api/resources.ts';
import { listEvents, listJobs, listPods, type ClusterState } from '../../infra/local/kubernetes-api/state.ts';
import { deniedByWebhook, tooManyRequests, webhookUnreachable } from '../../infra/local/kubernetes-api/status.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';
import { agentGroup, rbacOf } from '../../infra/rbac.ts';

const T0 = new Date('2026-03-01T02:00:00.000Z');
const after = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);

const aCluster = (seed = 5): ClusterState => createClusterState({ seed, now: T0, namespaces: ['flows', 'other'] });

function call(state: ClusterState, line: string, token: string): { status: number; body: JsonObject } {
  const [method = '', path = ''] = line.split(' ');
  const answer = handle(state, { method, path, headers: { authorization: `Bearer ${token}` }, body: '{}' }, T0);
  const isJson = answer.headers['content-type'] === 'application/json';
  return { status: answer.status, body: isJson ? (JSON.parse(answer.body) as JsonObject) : {} };
}

function addJob(state: ClusterState, name: string, podSpec: object = {}): void {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'flow', image: 'flows:1.0' }], ...podSpec } };
  const raw = { spec: { backoffLimit: 0, template } };
  admitAndStore(state, jobs, { raw, metadata: { name, namespace: 'flows' }, dryRun: false, now: T0 });
}

const lines: Readonly<Record<string, string>> = {
  'batch/jobs list': 'GET /apis/batch/v1/namespaces/flows/jobs',
  'batch/jobs create': 'POST /apis/batch/v1/namespaces/flows/jobs',
  'batch/jobs get': 'GET /apis/batch/v1/namespaces/flows/jobs/x',
  'batch/jobs delete': 'DELETE /apis/batch/v1/namespaces/flows/jobs/x',
  '/pods list': 'GET /api/v1/namespaces/flows/pods',
  '/pods/log get': 'GET /api/v1/namespaces/flows/pods/x/log',
  '/events list': 'GET /api/v1/namespaces/flows/events',
};

const rightOf = ({ apiGroup, resource, verb }: (typeof permissions)[number]): string =>
  `${apiGroup}/${resource} ${verb}`;

describe('the printed manifests in the local cluster', () => {
  const granted = (): { state: ClusterState; token: string } => {
    const state = aCluster();
    const token = addUser(state, { user: 'agent', groups: [agentGroup] });
    applyManifests(
      state,
      rbacOf('flows').map((manifest) => ({ ...manifest })),
      T0,
    );
    return { state, token };
  };

  for (const permission of permissions) {
    it(`allow ${permission.function} to ${permission.verb} ${permission.resource}`, () => {
      const { state, token } = granted();
      const line = lines[rightOf(permission)] ?? '';

      assert.notEqual(call(state, line, token).status, 403);
      assert.ok(state.usedRights.get('agent')?.has(rightOf(permission)));
      assert.equal(
        call(aCluster(), line.replace('flows', 'other'), tokenOf(aCluster(), 'admin')).status === 403,
        false,
      );
      assert.equal(call(state, line.replace('/flows/', '/other/'), token).status, 403);
    });
  }

  const refused = [
    'GET /api/v1/namespaces/flows/secrets',
    'PATCH /apis/batch/v1/namespaces/flows/jobs/x',
    'GET /api/v1/namespaces',
  ];
  for (const line of refused) {
    it(`allow no ${line}`, () => {
      const { state, token } = granted();

      assert.equal(call(state, line, token).status, 403);
    });
  }

  it('allow nobody outside the group', () => {
    const { state } = granted();
    const token = addUser(state, { user: 'stranger', groups: [`${agentGroup}-2`] });

    assert.equal(call(state, lines['batch/jobs list'] ?? '', token).status, 403);
    assert.equal(state.usedRights.get('stranger'), undefined);
  });

  it('replace what is there when they are applied again', () => {
    const { state, token } = granted();
    const [role] = rbacOf('flows');
    applyManifests(state, [{ ...role, rules: [] }], T0);

    assert.equal(call(state, lines['batch/jobs list'] ?? '', token).status, 403);
  });

  it('are refused with a kind that the local cluster does not know', () => {
    const manifest = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' } };

    assert.throws(() => applyManifests(aCluster(), [manifest], T0), /knows no Deployment/u);
  });
});

describe('a cluster', () => {
  it('is the same for the same seed', () => {
    const names = (seed: number): string[] => {
      const state = aCluster(seed);
      addJob(state, 'job');
      stepControllers(state, T0);
      return listPods(state).map(({ metadata }) => `${metadata.name} ${metadata.uid}`);
    };

    assert.deepEqual(names(5), names(5));
    assert.notDeepEqual(names(5), names(6));
  });

  it('asks its authenticator about tokens that it does not know itself, at the time of the request', () => {
    const asked: unknown[] = [];
    const state = createClusterState({
      seed: 5,
      now: T0,
      authenticate: (token, now) => {
        asked.push([token, now]);
        return token === 'good' ? { user: 'role', groups: ['system:masters'] } : null;
      },
    });

    const line = 'GET /api/v1/namespaces';
    assert.equal(call(state, line, 'good').status, 200);
    assert.equal(call(state, line, 'bad').status, 401);
    assert.equal(call(state, line, tokenOf(state, 'admin')).status, 200);
    assert.deepEqual(asked, [
      ['good', T0],
      ['bad', T0],
    ]);
  });

  it('tells discovery what it knows, and has no other pages', () => {
    const state = aCluster();
    const token = tokenOf(state, 'admin');
    const names = (path: string): unknown =>
      (call(state, `GET ${path}`, token).body['resources'] as JsonObject[]).map(({ name }) => name);

    assert.deepEqual(names('/apis/batch/v1'), ['jobs', 'jobs/status']);
    assert.equal(call(state, 'GET /version', token).body['gitVersion'], 'v1.35.4');
    assert.equal(call(state, 'GET /readyz', token).status, 200);
    assert.equal(call(state, 'GET /apis/apps/v1/deployments', token).status, 404);
    assert.equal(call(state, 'GET /apis/batch/v1/namespaces/flows/cronjobs', token).status, 404);
    assert.equal(call(state, 'PUT /apis/batch/v1/namespaces/flows/jobs/x', token).status, 405);
  });
});

describe('continue tokens', () => {
  const lives = {
    'good for five minutes': { seconds: 300, want: 200 },
    'Expired after them': { seconds: 301, want: 410 },
  };
  for (const [name, { seconds, want }] of Object.entries(lives)) {
    it(`are ${name}`, () => {
      const state = aCluster();
      for (const job of ['a', 'b']) addJob(state, job);
      const list = (query: string, now: Date) => {
        const headers = { authorization: `Bearer ${tokenOf(state, 'admin')}` };
        const path = `/apis/batch/v1/namespaces/flows/jobs?limit=1${query}`;
        return handle(state, { method: 'GET', path, headers, body: '' }, now);
      };
      const first = JSON.parse(list('', T0).body) as { metadata: { continue: string } };

      assert.equal(list(`&continue=${first.metadata.continue}`, after(seconds)).status, want);
    });
  }
});

describe('events', () => {
  const remark = { type: 'Warning', reason: 'FailedMount', message: 'no', source: 'kubelet' } as const;

  it('that say the same of the same object are one, counted', () => {
    const state = aCluster();
    addJob(state, 'a');
    addJob(state, 'b');
    const [a, b] = listJobs(state);
    assert.ok(a);
    assert.ok(b);
    for (const [about, second] of [
      [a, 0],
      [a, 60],
      [b, 90],
    ] as const)
      addEvent(state, { about, ...remark }, after(second));
    addEvent(state, { about: a, ...remark, message: 'still no' }, after(95));

    const told = listEvents(state, 'flows').map(
      (event) => `${event.involvedObject.name} ${event.message} ${event.count}`,
    );
    assert.deepEqual(new Set(told), new Set(['a no 2', 'b no 1', 'a still no 1']));
    const twice = listEvents(state, 'flows').find(({ count }) => count === 2);
    assert.deepEqual([twice?.firstTimestamp, twice?.lastTimestamp], ['2026-03-01T02:00:00Z', '2026-03-01T02:01:00Z']);
  });

  it('are kept for an hour and written afresh after it', () => {
    const state = aCluster();
    addJob(state, 'a');
    const [about] = listJobs(state);
    assert.ok(about);
    addEvent(state, { about, ...remark }, T0);
    const mounts = (): number[] =>
      listEvents(state)
        .filter(({ reason }) => reason === 'FailedMount')
        .map(({ count }) => count);

    stepControllers(state, after(3600));
    assert.deepEqual(mounts(), [1]);
    stepControllers(state, after(3601));
    assert.deepEqual(mounts(), []);
    assert.equal(state.eventKeys.size, listEvents(state).length);
    addEvent(state, { about, ...remark }, after(3602));
    assert.deepEqual(mounts(), [1]);
  });
});

describe('controllers', () => {
  it('try a refused pod again after 1, 2, 4 seconds, and after a minute at most', () => {
    const state = aCluster();
    addJob(state, 'a', { serviceAccountName: 'ghost' });
    const attempts: number[] = [];
    for (let second = 0; second <= 200; second += 1) {
      const before = listEvents(state)[0]?.count ?? 0;
      stepControllers(state, after(second));
      if ((listEvents(state)[0]?.count ?? 0) > before) attempts.push(second);
    }

    assert.deepEqual(attempts, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
  });

  it('take along whatever else a deleted Job owns', () => {
    const state = aCluster();
    addJob(state, 'a');
    addJob(state, 'b');
    const [a, b] = listJobs(state);
    for (const [name, owner] of [
      ['mine', a],
      ['others', b],
    ] as const) {
      const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name, uid: owner?.metadata.uid ?? '' }];
      const metadata = { name, namespace: 'flows', ownerReferences };
      admitAndStore(state, secrets, { raw: {}, metadata, dryRun: false, now: T0 });
    }
    const path = '/apis/batch/v1/namespaces/flows/jobs/a?propagationPolicy=Background';
    call(state, `DELETE ${path}`, tokenOf(state, 'admin'));
    stepControllers(state, T0);

    assert.deepEqual(
      state.list(secrets, 'flows').map(({ metadata }) => metadata.name),
      ['others'],
    );
  });
});

describe('answers for faults', () => {
  const faults = {
    'flow control': { answer: tooManyRequests(7), wantStatus: 429, wantReason: 'TooManyRequests' },
    'a webhook that denies': {
      answer: deniedByWebhook('policy.example.com', 'no'),
      wantStatus: 400,
      wantReason: 'BadRequest',
    },
    'a webhook that is down': {
      answer: webhookUnreachable('policy.example.com'),
      wantStatus: 500,
      wantReason: 'InternalError',
    },
  };
  for (const [name, { answer, wantStatus, wantReason }] of Object.entries(faults)) {
    it(`${name} is a Status`, () => {
      const body = JSON.parse(answer.body) as JsonObject;

      assert.deepEqual(
        [answer.status, body['code'], body['reason'], body['kind']],
        [wantStatus, wantStatus, wantReason, 'Status'],
      );
    });
  }

  it('flow control says when to come back', () => assert.equal(tooManyRequests(7).headers['retry-after'], '7'));
});
