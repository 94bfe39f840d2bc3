import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { V1Job } from '@kubernetes/client-node';

import type { JobName } from '../../functions/core/cluster.ts';
import { stackSelector } from '../../functions/core/job-identity.ts';
import { BoundaryError, type ErrorCode } from '../../functions/errors.ts';
import type { RefusalClass } from '../../functions/kubernetes/contract.ts';
import { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import type { Fault } from '../../infra/local/faults.ts';
import { jsonAnswer, type LocalRequest, type LocalResponse } from '../../infra/local/http.ts';
import { applyManifests } from '../../infra/local/kubernetes-api/cluster.ts';
import { compact } from '../../infra/local/kubernetes-api/paging.ts';
import { aRunId, STACK } from '../support/builders.ts';
import { patient } from '../support/clients.ts';
import { aManifest, NAMESPACE, startClusterWorld, type ClusterWorld } from '../support/cluster-world.ts';
import { T0 } from '../support/time.ts';

const isCreate = ({ method }: LocalRequest): boolean => method === 'POST';
const isList = ({ method }: LocalRequest): boolean => method === 'GET';
const status = (code: number, reason: string, message: string): Fault => ({
  kind: 'answer',
  answer: jsonAnswer(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code }),
});
const terminating: Fault = {
  kind: 'answer',
  answer: jsonAnswer(403, {
    kind: 'Status',
    reason: 'Forbidden',
    message: 'unable to create new content in namespace flows because it is being terminated',
    details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] },
  }),
};
const page = (code: number): Fault => ({
  kind: 'answer',
  answer: { status: code, headers: { 'content-type': 'text/html' }, body: '<html>hunter2</html>' },
});

function limitJobs({ api }: ClusterWorld, count: number): void {
  const metadata = { name: 'few', namespace: NAMESPACE };
  const quota = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata,
    spec: { hard: { 'count/jobs.batch': String(count) } },
  };
  applyManifests(api.state, [quota], T0);
}

describe('createJob', () => {
  it('creates the Job and gives its UID and the warnings', async () => {
    await using world = await startClusterWorld();
    const gateway = world.connect();

    const answer = await gateway.createJob(aManifest('etl-1'), patient());

    const [job] = await gateway.listJobs(stackSelector(STACK), patient());
    assert.deepEqual(answer, { kind: 'created', uid: job?.uid, warnings: [] });
    assert.deepEqual([job?.name, job?.runId, job?.key, job?.phase], ['etl-1', aRunId(1), '1', 'active']);
  });

  it('is sent no more of the Job than its metadata', async () => {
    await using world = await startClusterWorld();
    const bodies: string[] = [];
    const rewrite = (answer: LocalResponse): LocalResponse => {
      bodies.push(answer.body);
      return answer;
    };
    world.api.faults.add({ matches: isCreate, fault: { kind: 'rewrite', rewrite } });

    await world.connect().createJob(aManifest('etl-1'), patient());

    const [job] = bodies.map((body) => JSON.parse(body) as Readonly<Record<string, unknown>>);
    assert.deepEqual(Object.keys(job ?? {}), ['kind', 'apiVersion', 'metadata']);
  });

  it('hands on what the server warns of', async () => {
    await using world = await startClusterWorld();
    const warning = '299 - "spec.template.spec.x: \\"deprecated\\""';
    world.api.faults.add({
      matches: isCreate,
      fault: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, headers: { ...answer.headers, warning } }) },
    });

    const answer = await world.connect().createJob(aManifest('etl-1'), patient());

    assert.deepEqual(answer.kind === 'created' && answer.warnings, ['spec.template.spec.x: "deprecated"']);
  });

  it('lets the API server judge a field that our library does not know', async () => {
    await using world = await startClusterWorld();
    const job = aManifest('etl-1', { spec: { backoffLimt: 0 } });

    const answer = await world.connect().createJob(job, patient());

    assert.equal(answer.kind === 'refused' && answer.class, 'invalid');
    assert.match(answer.kind === 'refused' ? answer.message : '', /unknown field "spec\.backoffLimt"/);
  });

  const standing: Record<string, { there: V1Job; want: string }> = {
    'the same claim made it': { there: aManifest('etl-1'), want: 'already-exists' },
    'another attempt made it': { there: aManifest('etl-1', { key: '2' }), want: 'conflict' },
    'another run has it': { there: aManifest('etl-1', { run: 2 }), want: 'conflict' },
    'another stack made it': { there: aManifest('etl-1', { stack: 'flows-other' }), want: 'conflict' },
  };
  for (const [name, { there, want }] of Object.entries(standing)) {
    it(`is ${want} when the name is taken and ${name}`, async () => {
      await using world = await startClusterWorld();
      await world.admin.createJob(there, patient());

      const answer = await world.connect().createJob(aManifest('etl-1'), patient());

      assert.equal(answer.kind === 'refused' ? answer.class : answer.kind, want);
    });
  }

  const refusals: Record<string, { fault: Fault; wantClass: RefusalClass }> = {
    'the quota is exceeded': {
      fault: status(
        403,
        'Forbidden',
        'jobs.batch "x" is forbidden: exceeded quota: few, requested: count/jobs.batch=1',
      ),
      wantClass: 'quota',
    },
    'RBAC says no': {
      fault: status(403, 'Forbidden', 'jobs.batch is forbidden: User "agent" cannot create resource "jobs"'),
      wantClass: 'forbidden',
    },
    'a webhook says no with 403': {
      fault: status(403, 'Forbidden', 'admission webhook "policy.example.com" denied the request: no latest tag'),
      wantClass: 'invalid',
    },
    'a policy says no with 422': {
      fault: status(422, 'Invalid', "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"),
      wantClass: 'invalid',
    },
    'the namespace is on its way out': { fault: terminating, wantClass: 'namespace' },
    'the namespace is not there': {
      fault: status(404, 'NotFound', 'namespaces "flows" not found'),
      wantClass: 'namespace',
    },
    'it is too large': { fault: status(413, 'RequestEntityTooLarge', 'limit is 3145728'), wantClass: 'invalid' },
    'the server is busy': { fault: status(429, 'TooManyRequests', 'please try again'), wantClass: 'throttled' },
    'a webhook is down': {
      fault: status(500, 'InternalError', 'failed calling webhook "policy.example.com"'),
      wantClass: 'server',
    },
    'the conflict is not about the name': { fault: status(409, 'Conflict', 'try again'), wantClass: 'conflict' },
    'the login is refused': { fault: status(401, 'Unauthorized', 'Unauthorized'), wantClass: 'login' },
    'a proxy answers 502': { fault: page(502), wantClass: 'server' },
    'a proxy answers 400': { fault: page(400), wantClass: 'unknown' },
    'a proxy answers 404': { fault: page(404), wantClass: 'unknown' },
    'a proxy answers 200': { fault: page(200), wantClass: 'unknown' },
    'the connection dies': { fault: { kind: 'drop-before' }, wantClass: 'unknown' },
    'the answer is lost': { fault: { kind: 'drop-after' }, wantClass: 'unknown' },
    'the answer is cut short': {
      fault: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, body: answer.body.slice(0, 30) }) },
      wantClass: 'unknown',
    },
  };
  for (const [name, { fault, wantClass }] of Object.entries(refusals)) {
    it(`is ${wantClass} when ${name}`, async () => {
      await using world = await startClusterWorld();
      world.api.faults.add({ matches: isCreate, fault });

      const answer = await world.connect().createJob(aManifest('etl-1'), patient());

      assert.equal(answer.kind === 'refused' ? answer.class : answer.kind, wantClass);
      assert.doesNotMatch(JSON.stringify(answer), /hunter2/);
      assert.equal(world.api.exchanges.filter(({ request }) => isCreate(request)).length, 1);
    });
  }

  it('tells a real quota, a real RBAC refusal and a real missing namespace apart', async () => {
    await using world = await startClusterWorld();
    limitJobs(world, 0);
    const stranger = constant(new Secret('local-nobody'));

    const answers = await Promise.all([
      world.connect().createJob(aManifest('etl-1'), patient()),
      world.connect({ namespace: 'default' }).createJob(aManifest('etl-1'), patient()),
      world.connect({ token: stranger }).createJob(aManifest('etl-1'), patient()),
    ]);

    assert.deepEqual(
      answers.map((answer) => answer.kind === 'refused' && answer.class),
      ['quota', 'forbidden', 'login'],
    );
  });

  it('says how long a busy server wants to be left alone', async () => {
    await using world = await startClusterWorld();
    const answer = jsonAnswer(429, { kind: 'Status', message: 'busy' }, { 'retry-after': '7' });
    world.api.faults.add({ matches: isCreate, fault: { kind: 'answer', answer } });

    const refusal = await world.connect().createJob(aManifest('etl-1'), patient());

    assert.equal(refusal.kind === 'refused' && refusal.retryAfterSeconds, 7);
  });

  it('gives up with the signal, and then knows nothing', async () => {
    await using world = await startClusterWorld();

    const answer = await world.connect().createJob(aManifest('etl-1'), AbortSignal.abort());

    assert.equal(answer.kind === 'refused' && answer.class, 'unknown');
  });

  it('creates hundreds over one connection', async () => {
    await using world = await startClusterWorld();
    const gateway = world.connect();

    const names = Array.from({ length: 300 }, (_, n) => `etl-${n}`);
    const answers = await Promise.all(names.map((name) => gateway.createJob(aManifest(name), patient())));

    assert.ok(answers.every(({ kind }) => kind === 'created'));
    assert.deepEqual([gateway.traffic().connections, gateway.traffic().requests], [1, 300]);
    assert.equal(world.api.connections(), 1);
  });
});

describe('the token', () => {
  it('is fetched again once after 401', async () => {
    await using world = await startClusterWorld();
    const values = [new Secret('expired'), world.token];
    let index = 0;
    const token = {
      current: async () => values[index] ?? null,
      refresh: async () => {
        index = 1;
        return token.current();
      },
    };

    const answer = await world.connect({ token }).createJob(aManifest('etl-1'), patient());

    assert.equal(answer.kind, 'created');
    assert.deepEqual(
      world.api.exchanges.map(({ status: code }) => code),
      [401, 201],
    );
  });

  it('is not tried again when there is no other one', async () => {
    await using world = await startClusterWorld();
    const token = constant(new Secret('expired'));

    await assert.rejects(world.connect({ token }).listJobs('a=b', patient()), {
      code: 'CLUSTER_FORBIDDEN',
      message: /access entry/,
    });
    assert.equal(world.api.exchanges.length, 1);
  });
});

describe('deleteJob', () => {
  it('deletes by UID with a propagation policy', async () => {
    await using world = await startClusterWorld();
    const gateway = world.connect();
    const created = await gateway.createJob(aManifest('etl-1'), patient());
    const name = 'etl-1' as JobName;
    const uid = created.kind === 'created' ? created.uid : '';

    const answers = [
      await gateway.deleteJob({ name, uid: '00000000-0000-4000-8000-000000000000' }, 'Background', patient()),
      await gateway.deleteJob({ name, uid }, 'Background', patient()),
      await gateway.deleteJob({ name, uid }, 'Background', patient()),
    ];

    assert.deepEqual(
      answers.map(({ kind }) => kind),
      ['changed', 'deleted', 'gone'],
    );
    const { body } = world.api.exchanges.at(-1)?.request ?? { body: '{}' };
    assert.deepEqual(JSON.parse(body), { preconditions: { uid }, propagationPolicy: 'Background' });
  });

  it('takes a Job that goes in the foreground for deleted', async () => {
    await using world = await startClusterWorld();
    const gateway = world.connect();
    const created = await gateway.createJob(aManifest('etl-1'), patient());
    const uid = created.kind === 'created' ? created.uid : '';

    const answer = await gateway.deleteJob({ name: 'etl-1' as JobName, uid }, 'Foreground', patient());

    assert.equal(answer.kind, 'deleted');
  });

  it('is a refusal with a class otherwise', async () => {
    await using world = await startClusterWorld();
    const job = { name: 'etl-1' as JobName, uid: 'u' };
    world.api.faults.add({ matches: ({ method }) => method === 'DELETE', fault: { kind: 'drop-before' } });

    const lost = await world.connect().deleteJob(job, 'Background', patient());
    const forbidden = await world.connect({ namespace: 'default' }).deleteJob(job, 'Background', patient());

    assert.equal(lost.kind === 'refused' && lost.class, 'unknown');
    assert.equal(forbidden.kind === 'refused' && forbidden.class, 'forbidden');
  });
});

describe('lists', () => {
  async function withJobs(count: number): Promise<ClusterWorld> {
    const world = await startClusterWorld();
    const names = Array.from({ length: count }, (_, n) => `etl-${String(n).padStart(4, '0')}`);
    await Promise.all(names.map((name) => world.admin.createJob(aManifest(name), patient())));
    return world;
  }

  it('reads page after page', async () => {
    await using world = await withJobs(1001);
    const gateway = world.connect();

    const jobs = await gateway.listJobs(stackSelector(STACK), patient());

    assert.equal(new Set(jobs.map(({ name }) => name)).size, 1001);
    assert.equal(gateway.traffic().requests, 3);
  });

  it('takes only what the selector names', async () => {
    await using world = await withJobs(2);
    await world.admin.createJob(aManifest('foreign', { stack: 'flows-other' }), patient());

    const jobs = await world.connect().listJobs(stackSelector(STACK), patient());

    assert.deepEqual(
      jobs.map(({ name }) => name),
      ['etl-0000', 'etl-0001'],
    );
  });

  it('begins again when the snapshot expires, and forgets the half of before', async () => {
    await using world = await withJobs(501);
    world.api.faults.add({
      matches: ({ path }) => path.includes('continue='),
      fault: {
        kind: 'rewrite',
        rewrite: () => jsonAnswer(410, { kind: 'Status', code: 410, reason: 'Expired', metadata: { continue: 'x' } }),
      },
    });
    const gateway = world.connect();

    const jobs = await gateway.listJobs(stackSelector(STACK), patient());

    assert.equal(jobs.length, 501);
    assert.equal(gateway.traffic().requests, 4);
  });

  it('gives up when the snapshot expires each time', async () => {
    await using world = await withJobs(501);
    world.api.faults.add({
      matches: ({ path }) => path.includes('continue='),
      fault: {
        kind: 'rewrite',
        rewrite: (answer) => {
          compact(world.api.state);
          return { ...answer, status: 410 };
        },
      },
      times: 100,
    });
    const gateway = world.connect();

    await assert.rejects(gateway.listJobs(stackSelector(STACK), patient()), {
      code: 'CLUSTER_REFUSED',
      message: /410/,
    });
    assert.equal(gateway.traffic().requests, 8);
  });

  it('waits its turn when the server is busy, as long as the server says', async () => {
    await using world = await withJobs(1);
    const answer = jsonAnswer(429, { kind: 'Status' }, { 'retry-after': '2' });
    world.api.faults.add({ matches: isList, fault: { kind: 'answer', answer }, times: 2 });

    const jobs = await world.connect().listJobs(stackSelector(STACK), patient());

    assert.deepEqual([jobs.length, world.clock.slept], [1, [2000, 2000]]);
  });

  it('drops and counts what cannot be read', async () => {
    await using world = await withJobs(2);
    world.api.faults.add({
      matches: isList,
      fault: {
        kind: 'rewrite',
        rewrite: (answer) => ({ ...answer, body: answer.body.replace('"name":"etl-0001"', '"name":7') }),
      },
    });
    const gateway = world.connect();

    const jobs = await gateway.listJobs(stackSelector(STACK), patient());

    assert.deepEqual([jobs.map(({ name }) => name), gateway.unreadable()], [['etl-0000'], 1]);
  });

  const failures: Record<string, { fault: Fault; times?: number; wantCode: ErrorCode; wantAdvice: RegExp }> = {
    'RBAC is missing': {
      fault: status(403, 'Forbidden', 'cannot list'),
      wantCode: 'CLUSTER_FORBIDDEN',
      wantAdvice: /npm run --silent manifests/,
    },
    'the login is refused': {
      fault: status(401, 'Unauthorized', 'no'),
      wantCode: 'CLUSTER_FORBIDDEN',
      wantAdvice: /\(401\)/,
    },
    'the server is down': { fault: page(503), wantCode: 'CLUSTER_UNREACHABLE', wantAdvice: /503/ },
    'it stays busy': { fault: page(429), times: 9, wantCode: 'CLUSTER_UNREACHABLE', wantAdvice: /429/ },
    'the connection dies twice': {
      fault: { kind: 'drop-before' },
      times: 9,
      wantCode: 'CLUSTER_UNREACHABLE',
      wantAdvice: /broke/,
    },
    'a web page answers': { fault: page(200), wantCode: 'CLUSTER_REFUSED', wantAdvice: /unreadable/ },
    'something else lives there': { fault: page(404), wantCode: 'CLUSTER_REFUSED', wantAdvice: /404/ },
    'the page is cut short': {
      fault: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, body: answer.body.slice(0, 40) }) },
      wantCode: 'CLUSTER_REFUSED',
      wantAdvice: /unreadable/,
    },
  };
  for (const [name, { fault, times = 1, wantCode, wantAdvice }] of Object.entries(failures)) {
    it(`fails with ${wantCode} when ${name}`, async () => {
      await using world = await withJobs(1);
      world.api.faults.add({ matches: isList, fault, times });

      await assert.rejects(world.connect().listJobs(stackSelector(STACK), patient()), (error) => {
        assert.ok(error instanceof BoundaryError);
        assert.equal(error.code, wantCode);
        assert.match(error.message, wantAdvice);
        assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /hunter2/);
        return true;
      });
    });
  }

  it('asks for pods that did not succeed', async () => {
    await using world = await startClusterWorld();

    await world.connect().listPods(stackSelector(STACK), patient());

    const [exchange] = world.api.exchanges;
    const query = new URL(exchange?.request.path ?? '', 'https://x').searchParams;
    assert.equal(query.get('fieldSelector'), 'status.phase!=Succeeded');
  });
});

describe('readLogTail', () => {
  const cases: Record<string, { fault: Fault; want: string | null }> = {
    'the log is there': {
      fault: { kind: 'answer', answer: { status: 200, headers: {}, body: 'a\nb\n' } },
      want: 'a\nb\n',
    },
    'the pod has no node yet': {
      fault: { kind: 'answer', answer: { status: 204, headers: {}, body: '' } },
      want: null,
    },
    'the container waits': { fault: status(400, 'BadRequest', 'is waiting to start'), want: null },
    'the pod is gone': { fault: status(404, 'NotFound', 'pods "x" not found'), want: null },
    'the node is lost': { fault: status(500, 'InternalError', 'dial tcp: i/o timeout'), want: null },
    'the connection dies for good': { fault: { kind: 'drop-before' }, want: null },
  };
  for (const [name, { fault, want }] of Object.entries(cases)) {
    it(`is ${want === null ? 'nothing' : 'the text'} when ${name}`, async () => {
      await using world = await startClusterWorld();
      world.api.faults.add({ matches: isList, fault, times: 5 });

      const log = { pod: 'pod-1', container: 'flow', previous: false };
      assert.equal(await world.connect().readLogTail(log, 200, patient()), want);
    });
  }
});
