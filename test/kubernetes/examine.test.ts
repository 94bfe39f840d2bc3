import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ClusterExam } from '../../functions/kubernetes/examine.ts';
import { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import type { Fault } from '../../infra/local/faults.ts';
import { jsonAnswer } from '../../infra/local/http.ts';
import { addUser, applyManifests } from '../../infra/local/kubernetes-api/cluster.ts';
import { patient } from '../support/clients.ts';
import { NAMESPACE, startClusterWorld, type ClusterWorld } from '../support/cluster-world.ts';
import { STACK } from '../support/builders.ts';
import { T0 } from '../support/time.ts';

function examOf({ api, clock, token }: ClusterWorld, by = token): ClusterExam & Disposable {
  const address = { endpoint: api.url, ca: api.caPem };
  const exam = new ClusterExam({ address, token: constant(by), namespace: NAMESPACE, stackId: STACK, clock });
  return Object.assign(exam, { [Symbol.dispose]: () => exam.close() });
}

/** Somebody who may look at everything. */
const lookerIn = ({ api }: ClusterWorld): Secret =>
  new Secret(addUser(api.state, { user: 'operator', groups: ['system:masters'] }));

const answer = (status: number, body: unknown): Fault => ({ kind: 'answer', answer: jsonAnswer(status, body) });
const deleteJobs = { apiGroup: 'batch', resource: 'jobs', verb: 'delete' } as const;

describe('ClusterExam', () => {
  it('learns whom the API server takes us for', async () => {
    await using world = await startClusterWorld();
    using exam = examOf(world);

    const login = await exam.whoAmI(patient());

    const groups = ['prefect-serverless-agent', 'system:authenticated'];
    assert.deepEqual(login, { kind: 'known', user: 'agent', groups });
  });

  it('takes 401 for a rejection, with the time of the server', async () => {
    await using world = await startClusterWorld();
    using exam = examOf(world, new Secret('nobody'));
    const date = T0.toUTCString();
    world.api.faults.add({
      matches: () => true,
      fault: { kind: 'rewrite', rewrite: (given) => ({ ...given, headers: { ...given.headers, date } }) },
    });

    assert.deepEqual(await exam.whoAmI(patient()), { kind: 'rejected', serverTime: T0 });
  });

  for (const status of [403, 404]) {
    it(`takes ${status} for a server that does not say, and lets us in`, async () => {
      await using world = await startClusterWorld();
      using exam = examOf(world);
      world.api.faults.add({ matches: () => true, fault: answer(status, { kind: 'Status' }) });

      assert.deepEqual(await exam.whoAmI(patient()), { kind: 'nameless' });
    });
  }

  it('asks for a right, and for a subresource as such', async () => {
    await using world = await startClusterWorld();
    using exam = examOf(world);

    const readLog = { apiGroup: '', resource: 'pods/log', verb: 'get' } as const;
    const getPods = { apiGroup: '', resource: 'pods', verb: 'get' } as const;
    const answers = [deleteJobs, readLog, getPods].map((right) => exam.mayI(right, patient()));

    assert.deepEqual(await Promise.all(answers), [true, true, false]);
  });

  it('takes an unreadable review for no answer, neither yes nor no', async () => {
    await using world = await startClusterWorld();
    using exam = examOf(world);
    world.api.faults.add({ matches: () => true, fault: answer(201, { kind: 'Status' }), times: 2 });

    await assert.rejects(exam.mayI(deleteJobs, patient()), { code: 'CLUSTER_REFUSED' });
    await assert.rejects(exam.whoAmI(patient()), { code: 'CLUSTER_REFUSED' });
  });

  it('says that it may not look, where the functions need not', async () => {
    await using world = await startClusterWorld();
    using exam = examOf(world);

    const sights = await Promise.all([
      exam.readQuotas(patient()),
      exam.hasServiceAccount('default', patient()),
      exam.keysOfSecret('prefect', patient()),
    ]);

    assert.deepEqual(sights, [{ kind: 'hidden' }, { kind: 'hidden' }, { kind: 'hidden' }]);
  });

  it('looks at quotas, service accounts and names of keys for those who may', async () => {
    await using world = await startClusterWorld();
    using exam = examOf(world, lookerIn(world));
    const metadata = { namespace: NAMESPACE };
    const spec = { hard: { pods: '2', 'requests.cpu': '4' } };
    applyManifests(
      world.api.state,
      [
        { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { ...metadata, name: 'small' }, spec },
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { ...metadata, name: 'prefect' },
          data: { key: 'eA==', none: '' },
        },
      ],
      T0,
    );

    const seen = await Promise.all([
      exam.readQuotas(patient()),
      exam.hasServiceAccount('default', patient()),
      exam.hasServiceAccount('runner', patient()),
      exam.keysOfSecret('prefect', patient()),
      exam.keysOfSecret('another', patient()),
    ]);

    const rows = [
      { quota: 'small', resource: 'pods', hard: '2', used: '0' },
      { quota: 'small', resource: 'requests.cpu', hard: '4', used: '0' },
    ];
    assert.deepEqual(
      seen.map((sight) => (sight.kind === 'seen' ? sight.value : 'hidden')),
      [rows, true, false, ['key'], null],
    );
  });

  it('throws for a server that is overloaded, and for none at all', async () => {
    await using world = await startClusterWorld();
    using exam = examOf(world);
    world.api.faults.add({ matches: () => true, fault: answer(503, { kind: 'Status' }) });

    await assert.rejects(exam.readQuotas(patient()), { code: 'CLUSTER_UNREACHABLE' });
    world.api.faults.add({ matches: () => true, fault: { kind: 'drop-before' } });
    await assert.rejects(exam.mayI(deleteJobs, patient()), { code: 'CLUSTER_UNREACHABLE' });
  });
});
