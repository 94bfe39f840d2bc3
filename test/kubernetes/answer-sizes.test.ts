import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { JobName } from '../../functions/core/cluster.ts';
import { runIdLabel } from '../../functions/core/job-identity.ts';
import { BoundaryError } from '../../functions/errors.ts';
import type { DeleteAnswer } from '../../functions/kubernetes/contract.ts';
import { ClusterExam } from '../../functions/kubernetes/examine.ts';
import { pageBytes, smallAnswerBytes } from '../../functions/kubernetes/session.ts';
import { constant } from '../../functions/source.ts';
import type { LocalRequest } from '../../infra/local/http.ts';
import { STACK } from '../support/builders.ts';
import { patient } from '../support/clients.ts';
import { aManifest, NAMESPACE, startClusterWorld, type ClusterWorld } from '../support/cluster-world.ts';

const logBytes = smallAnswerBytes + 64 * 1024;

/** A JSON text of exactly so many bytes. */
const filled = (value: object, bytes: number): string => JSON.stringify(value).padEnd(bytes);

/** All that the API server answers from now on. */
function answerAll({ api }: ClusterWorld, status: number, body: string): void {
  const answer = { status, headers: { 'content-type': 'application/json' }, body };
  api.faults.add({ matches: () => true, fault: { kind: 'answer', answer }, times: 9 });
}

const aStatus = (reason: string): object => ({ kind: 'Status', reason, message: 'no' });
const created = { metadata: { uid: 'uid-1' } };

describe('an answer to a create', () => {
  const cases: Record<string, { status: number; value: object; bytes: number; want: string }> = {
    'that is as large as it may be': { status: 201, value: created, bytes: smallAnswerBytes, want: 'created' },
    'that is too large leaves open whether there is a Job': {
      status: 201,
      value: created,
      bytes: smallAnswerBytes + 1,
      want: 'unknown',
    },
    'that refuses it with as many words as it may': {
      status: 422,
      value: aStatus('Invalid'),
      bytes: smallAnswerBytes,
      want: 'invalid',
    },
    'that refuses it with too many words fails no run for good': {
      status: 422,
      value: aStatus('Invalid'),
      bytes: smallAnswerBytes + 1,
      want: 'unknown',
    },
    'that says with too many words that the name is taken': {
      status: 409,
      value: aStatus('AlreadyExists'),
      bytes: smallAnswerBytes + 1,
      want: 'unknown',
    },
    'that says with too many words that we are throttled': {
      status: 429,
      value: aStatus('TooManyRequests'),
      bytes: smallAnswerBytes + 1,
      want: 'throttled',
    },
  };
  for (const [name, { status, value, bytes, want }] of Object.entries(cases)) {
    it(name, async () => {
      await using world = await startClusterWorld();
      answerAll(world, status, filled(value, bytes));

      const answer = await world.connect().createJob(aManifest('etl-1'), patient());

      assert.equal(answer.kind === 'refused' ? answer.class : answer.kind, want);
    });
  }
});

describe('an answer to a delete', () => {
  const cases: Record<
    string,
    { status: number; value: object; bytes: number; want: DeleteAnswer['kind'] | 'unknown' }
  > = {
    'that is as large as it may be': { status: 200, value: {}, bytes: smallAnswerBytes, want: 'deleted' },
    'that is too large': { status: 200, value: {}, bytes: smallAnswerBytes + 1, want: 'unknown' },
    'that says that there is no such Job': {
      status: 404,
      value: aStatus('NotFound'),
      bytes: smallAnswerBytes,
      want: 'gone',
    },
    'that says so with too many words is no proof of absence': {
      status: 404,
      value: aStatus('NotFound'),
      bytes: smallAnswerBytes + 1,
      want: 'unknown',
    },
    'that says that the name is another Job’s': {
      status: 409,
      value: aStatus('Conflict'),
      bytes: smallAnswerBytes,
      want: 'changed',
    },
    'that says so with too many words is no proof of another Job': {
      status: 409,
      value: aStatus('Conflict'),
      bytes: smallAnswerBytes + 1,
      want: 'unknown',
    },
  };
  for (const [name, { status, value, bytes, want }] of Object.entries(cases)) {
    it(name, async () => {
      await using world = await startClusterWorld();
      answerAll(world, status, filled(value, bytes));

      const job = { name: 'etl-1' as JobName, uid: 'uid-1' };
      const answer = await world.connect().deleteJob(job, 'Background', patient());

      assert.equal(answer.kind === 'refused' ? answer.class : answer.kind, want);
    });
  }
});

describe('the log of a container', () => {
  for (const [bytes, want] of [
    [logBytes, logBytes],
    [logBytes + 1, undefined],
  ] as const) {
    it(`is ${want === undefined ? 'left out' : 'read'} at ${bytes} bytes`, async () => {
      await using world = await startClusterWorld();
      answerAll(world, 200, 'x'.repeat(bytes));

      const log = { pod: 'pod-1', container: 'flow', previous: false };
      const text = await world.connect().readLogTail(log, 200, patient());

      assert.equal(text?.length, want);
    });
  }
});

describe('a page of a list', () => {
  const page = { kind: 'JobList', metadata: {}, items: [] };

  it('is read up to its own limit, and beyond it nothing is there to be listed', async () => {
    await using world = await startClusterWorld();
    answerAll(world, 200, filled(page, pageBytes));
    assert.deepEqual(await world.connect().listJobs('a=b', patient()), []);

    world.api.faults.clear();
    answerAll(world, 200, filled(page, pageBytes + 1));
    await assert.rejects(world.connect().listJobs('a=b', patient()), { code: 'CLUSTER_UNREACHABLE' });
  });

  /** The limits of the pages that are asked for; a page of more than `most` objects is too large from now on. */
  function tooLargeBeyond({ api }: ClusterWorld, most: number): readonly number[] {
    const limits: number[] = [];
    const body = filled(page, pageBytes + 1);
    const answer = { status: 200, headers: { 'content-type': 'application/json' }, body };
    const matches = ({ path }: LocalRequest): boolean => {
      const limit = Number(new URL(path, 'https://kubernetes.test').searchParams.get('limit'));
      limits.push(limit);
      return limit > most;
    };
    api.faults.add({ matches, fault: { kind: 'answer', answer }, times: 9 });
    return limits;
  }

  it('that is too large is asked for in smaller ones, and the list is whole', async () => {
    await using world = await startClusterWorld();
    const names = Array.from({ length: 300 }, (_, n) => `etl-${String(n).padStart(3, '0')}`);
    for (const name of names) await world.admin.createJob(aManifest(name), patient());
    const limits = tooLargeBeyond(world, 125);

    const jobs = await world.connect().listJobs(runIdLabel, patient());

    assert.deepEqual(limits, [500, 125, 250, 62, 124]);
    assert.deepEqual(jobs.map(({ name }) => name).toSorted(), names);
  });

  it('of one object that is too large ends the list: what is absent from a part of it may be there', async () => {
    await using world = await startClusterWorld();
    const limits = tooLargeBeyond(world, 0);

    await assert.rejects(world.connect().listJobs(runIdLabel, patient()), { code: 'CLUSTER_UNREACHABLE' });
    assert.deepEqual(limits, [500, 125, 31, 7, 1]);
  });

  it('that is refused with too many words keeps its status', async () => {
    await using world = await startClusterWorld();
    answerAll(world, 403, filled(aStatus('Forbidden'), smallAnswerBytes + 1));

    await assert.rejects(world.connect().listJobs('a=b', patient()), { code: 'CLUSTER_FORBIDDEN' });
  });
});

describe('an examination', () => {
  it('takes no page of a proxy for the absence of a service account', async () => {
    await using world = await startClusterWorld();
    const exam = new ClusterExam({
      address: { endpoint: world.api.url, ca: world.api.caPem },
      token: constant(world.token),
      namespace: NAMESPACE,
      stackId: STACK,
      clock: world.clock,
    });
    const seen: unknown[] = [];
    for (const bytes of [smallAnswerBytes, smallAnswerBytes + 1]) {
      world.api.faults.clear();
      answerAll(world, 404, filled(aStatus('NotFound'), bytes));
      seen.push(await exam.hasServiceAccount('flow', patient()).catch((error: unknown) => error));
    }
    exam.close();

    assert.deepEqual(seen[0], { kind: 'seen', value: false });
    assert.ok(seen[1] instanceof BoundaryError && seen[1].code === 'CLUSTER_REFUSED');
  });
});
