import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { applyManifests } from '../../infra/local/kubernetes-api/cluster.ts';
import { namespaces, resourceQuotas, roleBindings, type Resource } from '../../infra/local/kubernetes-api/resources.ts';
import { memoryGrounds } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { creates, jobLists } from './requests.ts';
import { Scene } from './scene.ts';

const minute = 60_000;
const always = { times: Number.POSITIVE_INFINITY };
const cluster = { to: 'kubernetes' } as const;
const open = async (wish: Parameters<typeof Scene.open>[1] = {}): Promise<Scene> => Scene.open(memoryGrounds(), wish);

async function endsWell(scene: Scene, runs: readonly string[], minutes = 7): Promise<void> {
  await scene.end({ minutes });
  for (const id of runs) assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
}

/** The API server's own words. */
const says = (status: number, reason: string, message: string) => ({
  kind: 'status' as const,
  status,
  body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code: status }),
});

describe('the login', () => {
  for (const [where, match] of Object.entries({ creates, jobLists })) {
    matrixRow(20, `refused once, at ${where}`, async () => {
      const scene = await open();
      const runs = scene.runs(1);
      // Two tokens of one second are the same: the date is part of them.
      const act = (): void => scene.grounds.clock.advance(1_000);
      scene.relay.rule(match, { ...says(401, 'Unauthorized', 'Unauthorized'), act });

      const report = await scene.dispatch();

      assert.deepEqual([report.problem, report.counts.created], [null, 1]);
      await endsWell(scene, runs);
    });
  }

  matrixRow(20, 'a warm container is thawed after 16 minutes', async () => {
    const scene = await open();
    await scene.minutes(1);
    scene.grounds.clock.advance(16 * minute);
    const runs = scene.runs(1);
    assert.equal((await scene.dispatch()).counts.created, 1);
    await endsWell(scene, runs);
  });

  matrixRow(20, 'refused for good: nothing is claimed, the tick fails', async () => {
    const scene = await open();
    const runs = scene.runs(2);
    scene.relay.rule(cluster, says(401, 'Unauthorized', 'Unauthorized'), always);
    const report = await scene.dispatch();
    assert.equal(report.problem?.code, 'CLUSTER_FORBIDDEN');
    for (const id of runs) assert.deepEqual(scene.history(id), ['Scheduled']);
    await endsWell(scene, runs);
  });
});

describe('the API server is slow or busy', () => {
  for (const seconds of [5, 20, 60]) {
    matrixRow(23, `${seconds} s a call`, async () => {
      const scene = await open();
      const runs = scene.runs(40);
      scene.relay.rule(cluster, { kind: 'delay', ms: seconds * 1_000 }, always);
      for (let tick = 0; tick < 3; tick += 1) {
        await scene.dispatch();
        await scene.reconcile();
      }
      const claimed = runs.filter((id) => scene.stateOf(id) !== 'Scheduled').length;
      if (seconds > 40) assert.equal(claimed, 0);
      scene.judge();
      await endsWell(scene, runs);
    });
  }

  matrixRow(23, 'a list and a create take nearly as long as they may: no second wave', async () => {
    const scene = await open({ env: { CREATE_CONCURRENCY: '1' } });
    const runs = scene.runs(30);
    const nearly = { kind: 'delay', ms: 9_500 } as const;
    scene.relay.rule(jobLists, { kind: 'delay', ms: 19_500 });
    // The first create of each wave.
    scene.relay.rule(creates, nearly, { nth: 1 });
    scene.relay.rule(creates, nearly, { nth: 26 });
    await scene.dispatch();
    const claimed = runs.filter((id) => scene.stateOf(id) !== 'Scheduled');
    assert.deepEqual([claimed.length, claimed.filter((id) => scene.jobsOf(id).length === 0)], [25, []]);
    await endsWell(scene, runs);
  });

  for (const retryAfterSeconds of [1, 30]) {
    // A list is asked for again after ten seconds at most: then there is still time for what comes of it.
    for (const [where, match, pauseSeconds] of [
      ['creates', creates, retryAfterSeconds],
      ['jobLists', jobLists, Math.min(retryAfterSeconds, 10)],
    ] as const) {
      matrixRow(24, `Retry-After ${retryAfterSeconds}, at ${where}`, async () => {
        const scene = await open();
        const runs = scene.runs(3);
        scene.relay.rule(match, { kind: 'status', status: 429, retryAfterSeconds }, { times: 2 });
        await scene.dispatch();
        await endsWell(scene, runs);

        const sent = scene.relay.history.filter(({ path, method }) => match.path.test(path) && method === match.method);
        const refusedAt = sent.flatMap(({ at, status }) => (status === 429 ? [at.getTime()] : []));
        assert.equal(refusedAt.length, 2);
        const tooEarly = sent.filter(({ at }) =>
          refusedAt.some((since) => at.getTime() > since && at.getTime() < since + pauseSeconds * 1_000),
        );
        assert.deepEqual(tooEarly, []);
      });
    }
  }
});

describe('rights and rooms are missing', () => {
  /** Takes everything of a kind away, and gives it back. */
  function away(scene: Scene, resource: Resource): () => void {
    const table = scene.grounds.cluster.table(resource);
    const kept = [...table];
    table.clear();
    return () => {
      for (const [key, object] of kept) table.set(key, object);
    };
  }

  matrixRow(25, 'no right to anything: nothing is claimed', async () => {
    const scene = await open();
    const runs = scene.runs(30);
    const giveBack = away(scene, roleBindings);
    const report = await scene.dispatch();
    assert.equal(report.problem?.code, 'CLUSTER_FORBIDDEN');
    assert.ok(runs.every((id) => scene.stateOf(id) === 'Scheduled'));
    scene.fault();
    giveBack();
    await endsWell(scene, runs);
  });

  matrixRow(25, 'no right to create: one wave is claimed, none fails', async () => {
    const scene = await open();
    const runs = scene.runs(60);
    scene.relay.rule(
      creates,
      says(403, 'Forbidden', 'jobs.batch is forbidden: User "x" cannot create resource'),
      always,
    );
    const report = await scene.dispatch();
    assert.equal(report.problem?.code, 'CLUSTER_FORBIDDEN');
    assert.equal(runs.filter((id) => scene.stateOf(id) === 'Submitted').length, 25);
    await endsWell(scene, runs);
  });

  matrixRow(25, 'the namespace is gone: one wave is claimed, none fails', async () => {
    const scene = await open();
    const runs = scene.runs(60);
    const giveBack = away(scene, namespaces);
    const report = await scene.dispatch();
    assert.equal(report.problem?.code, 'CLUSTER_FORBIDDEN');
    assert.equal(runs.filter((id) => scene.stateOf(id) === 'Submitted').length, 25);
    scene.fault();
    giveBack();
    await endsWell(scene, runs);
  });

  const quota = (scene: Scene, hard: Readonly<Record<string, string>>): (() => void) => {
    const { cluster: state, namespace } = scene.grounds;
    const metadata = { name: 'narrow', namespace };
    applyManifests(state, [{ apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard } }], scene.now);
    return () => {
      scene.fault();
      state.table(resourceQuotas).clear();
    };
  };

  matrixRow(26, 'on Jobs: the others wait, with a growing pause', async () => {
    const scene = await open();
    const runs = scene.runs(3);
    const lift = quota(scene, { 'count/jobs.batch': '1' });
    await scene.minutes(20);
    const claimed = runs.map((id) => scene.history(id).filter((state) => state === 'Submitted').length);
    // The lease alone lets a run be claimed ten times: at 0, 2, 4, 8 and 16 minutes it is five.
    assert.ok(Math.max(...claimed) >= 4 && Math.max(...claimed) <= 6, String(claimed));
    assert.ok(runs.every((id) => scene.stateOf(id) !== 'Failed'));
    lift();
    await endsWell(scene, runs, 20);
  });

  matrixRow(26, 'on pods: the Job waits within the grace', async () => {
    const scene = await open();
    const runs = scene.runs(2);
    const lift = quota(scene, { pods: '0' });
    await scene.minutes(5);
    assert.ok(runs.every((id) => scene.stateOf(id) === 'Submitted' && scene.jobsOf(id).length === 1));
    lift();
    await endsWell(scene, runs, 12);
  });
});

describe('admission', () => {
  const denied = 'admission webhook "policy.example.com" denied the request: no root';
  for (const [status, reason] of [
    [400, 'BadRequest'],
    [403, 'Forbidden'],
  ] as const) {
    matrixRow(27, `denies with ${status}: Failed, in its words`, async () => {
      const scene = await open();
      const [id = '', ...others] = scene.runs(3);
      scene.relay.rule({ ...creates, body: new RegExp(id, 'u') }, says(status, reason, denied), always);
      await scene.dispatch();
      assert.equal(scene.stateOf(id), 'Failed');
      assert.match(scene.view(id).message ?? '', /no root/u);
      await endsWell(scene, others);
    });
  }

  matrixRow(27, 'is away: left for later', async () => {
    const scene = await open();
    const runs = scene.runs(2);
    const message = 'Internal error occurred: failed calling webhook "policy.example.com": connection refused';
    scene.relay.rule(creates, says(500, 'InternalError', message), always);
    await scene.minutes(2);
    assert.ok(runs.every((id) => scene.stateOf(id) === 'Submitted'));
    await endsWell(scene, runs);
  });

  matrixRow(28, 'the namespace enforces a level that the pod violates', async () => {
    const scene = await open();
    const { cluster: state, namespace } = scene.grounds;
    const object = state.read(namespaces, '', namespace);
    assert.ok(object !== null);
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    state.write(namespaces, { ...object, metadata: { ...object.metadata, labels } });
    const id = scene.aRun();
    await scene.end();
    assert.equal(scene.stateOf(id), 'Failed');
    assert.match(scene.view(id).message ?? '', /violates PodSecurity/u);
    assert.deepEqual([scene.jobsOf(id).length, scene.jobsEver(id)], [0, 1]);
  });
});
