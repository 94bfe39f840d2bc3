import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { writeJob } from '../../infra/local/kubernetes-api/state.ts';
import type { Part } from './cast.ts';
import { MachineClock } from './fault-clock.ts';
import { memoryGrounds, type Functions } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { creates, jobLists } from './requests.ts';
import { Scene } from './scene.ts';
import { seeded } from './seeded.ts';
import type { WireFault } from './wire-faults.ts';

const minute = 60_000;
const always = { times: Number.POSITIVE_INFINITY };
const open = async (wish: Parameters<typeof Scene.open>[1] = {}): Promise<Scene> => Scene.open(memoryGrounds(), wish);

describe('clocks are wrong', () => {
  for (const aheadMinutes of [-10, -4, 4, 10]) {
    matrixRow(44, `the functions', by ${aheadMinutes} min`, async () => {
      const scene = await open();
      const runs = [scene.aRun(), scene.aRun({ part: { work: { workMs: 20_000, ends: 'exit-1' } } })];
      const by = await scene.grounds.start({}, new MachineClock(scene.grounds.clock, aheadMinutes * minute));
      for (let tick = 0; tick < 5; tick += 1) {
        await scene.dispatch({ by });
        scene.play(minute / 2);
        await scene.reconcile({ by });
        scene.play(minute / 2);
      }
      scene.fault();
      await scene.end({ minutes: 20 });
      assert.deepEqual(
        runs.map((id) => [scene.stateOf(id), scene.jobsEver(id)]),
        [
          ['Success', 1],
          ['Failed', 1],
        ],
      );
    });

    matrixRow(44, `the Prefect server's, by ${aheadMinutes} min, and a claim has no Job yet`, async () => {
      const scene = await Scene.open(memoryGrounds({ prefectAheadMs: aheadMinutes * minute }));
      const id = scene.aRun();
      await scene.dispatch({ dies: { match: creates, when: 'before' } });
      scene.grounds.clock.advance(100_000);
      await scene.dispatch();
      assert.deepEqual([scene.history(id), scene.jobsEver(id)], [['Scheduled', 'Submitted'], 0]);
      await scene.minutes(15);
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
    });

    matrixRow(44, `the Prefect server's, by ${aheadMinutes} min`, async () => {
      const scene = await Scene.open(memoryGrounds({ prefectAheadMs: aheadMinutes * minute }));
      const runs = [scene.aRun(), scene.aRun({ part: { work: { workMs: 20_000, ends: 'exit-1' } } })];
      await scene.minutes(15);
      assert.deepEqual(
        runs.map((id) => [scene.stateOf(id), scene.jobsEver(id)]),
        [
          ['Success', 1],
          ['Failed', 1],
        ],
      );
    });
  }
});

describe('lists', () => {
  /** Jobs of somebody else, but with the label that every agent gives. */
  async function crowded(count: number): Promise<Scene> {
    const scene = await open();
    const first = scene.aRun();
    await scene.minutes(2);
    const [job] = scene.jobsOf(first);
    assert.ok(job !== undefined);
    for (let n = 0; n < count; n += 1) {
      const labels = { 'prefect.io/flow_run_id': `their-run-${n}` };
      const name = `their-job-${String(n).padStart(6, '0')}`;
      writeJob(scene.grounds.cluster, {
        ...job,
        metadata: { ...job.metadata, name, uid: name, labels, annotations: {} },
      });
    }
    return scene;
  }

  const expired = JSON.stringify({
    kind: 'Status',
    status: 'Failure',
    reason: 'Expired',
    message: 'too old',
    code: 410,
  });
  const pages = { ...jobLists, path: /\/jobs\?.*continue=/u };

  matrixRow(45, '10,000 Jobs, and the list expires once', async () => {
    const scene = await crowded(10_000);
    const id = scene.aRun();
    scene.relay.rule(pages, { kind: 'status', status: 410, body: expired }, { nth: 7 });
    const before = scene.relay.history.length;
    const report = await scene.dispatch();
    assert.deepEqual([report.problem, report.counts.created], [null, 1]);
    const asked = scene.relay.history
      .slice(before)
      .filter(({ path }) => path.includes('/jobs?') && path.includes('limit'));
    assert.equal(asked.length, 29, 'eight pages of the first pass, twenty-one of the second');
    assert.equal((await scene.reconcile()).problem, null);
    assert.equal(scene.jobsOf(id).length, 1);
    scene.judge();
  });

  matrixRow(45, 'and it expires in every pass: nothing is claimed, deleted or failed', async () => {
    const scene = await crowded(2_000);
    const id = scene.aRun();
    scene.relay.rule(pages, { kind: 'status', status: 410, body: expired }, always);
    const before = scene.relay.history.length;
    assert.equal((await scene.dispatch()).problem?.code, 'CLUSTER_REFUSED');
    assert.equal((await scene.reconcile()).problem?.code, 'CLUSTER_REFUSED');
    assert.deepEqual(scene.history(id), ['Scheduled']);
    const since = scene.relay.history.slice(before);
    assert.ok(!since.some(({ method, body }) => method === 'DELETE' || body.includes('set_flow_run_states')));
    scene.judge();
  });

  matrixRow(46, 'every list is asked for the most recent', async () => {
    const scene = await open();
    scene.runs(2);
    await scene.end();
    const lists = scene.relay.history.filter(({ to, path }) => to === 'kubernetes' && path.includes('limit='));
    assert.ok(lists.length >= 7, `${lists.length} lists`);
    assert.ok(lists.every(({ path }) => !path.includes('resourceVersion')));
  });

  matrixRow(46, 'an empty list of long ago, for dispatch and for reconcile', async () => {
    const scene = await open();
    const runs = [
      scene.aRun({ part: { script: 'unschedulable' } }),
      scene.aRun({ part: { work: { workMs: 9 * minute, ends: 'success' } } }),
    ];
    await scene.dispatch();
    scene.play(3 * minute);
    const old: WireFault = {
      kind: 'rewrite',
      rewrite: (answer) => ({
        ...answer,
        body: JSON.stringify({ kind: 'JobList', metadata: { resourceVersion: '1' }, items: [] }),
      }),
    };
    scene.relay.rule(jobLists, old, always);
    await scene.minutes(5);
    assert.deepEqual(
      runs.map((id) => scene.jobsEver(id)),
      [1, 1],
    );
    scene.cast.happen(runs[0] ?? '', { kind: 'scheduled' });
    scene.cast.happen(runs[0] ?? '', { kind: 'started' });
    await scene.end({ minutes: 10 });
    assert.deepEqual(
      runs.map((id) => [scene.stateOf(id), scene.jobsEver(id)]),
      [
        ['Success', 1],
        ['Success', 1],
      ],
    );
  });
});

describe('everything at once', () => {
  const faults: readonly WireFault[] = [
    { kind: 'drop-before' },
    { kind: 'drop-answer' },
    { kind: 'delay', ms: 20_000 },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 429, retryAfterSeconds: 5 },
    { kind: 'truncate', bytes: 10 },
    { kind: 'reset' },
  ];
  const people: readonly ((scene: Scene, id: string) => void)[] = [
    () => undefined,
    (scene, id) => scene.cancel(id),
    (scene, id) => scene.cast.happen(id, { kind: 'evicted' }),
    (scene, id) => scene.set(id, 'Scheduled', 'restarted'),
  ];

  const overlaps: readonly ((scene: Scene, other: Functions) => Promise<unknown>)[] = [
    async () => undefined,
    (scene, other) => Promise.all([scene.dispatch(), scene.dispatch({ by: other })]),
    (scene, other) => Promise.all([scene.reconcile(), scene.dispatch({ by: other })]),
  ];

  const parts: readonly Part[] = [
    {},
    { script: 'unschedulable' },
    { script: 'image-never-pulls' },
    { work: { workMs: 40_000, ends: 'exit-1' } },
    { work: { workMs: 400_000, ends: 'success' } },
  ];

  matrixRow(52, 'a dozen worlds in which flows die and pods wait, ten minutes each', async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = seeded(seed);
      const draw = <T>(items: readonly T[]): T => items[Math.trunc(random() * items.length)] as T;
      const nth = (): number => 1 + Math.trunc(random() * 200);
      const scene = await open({ env: { INFRA_RETRIES: '1' } });
      const runs = [...parts, ...parts].map((part) => scene.aRun({ part }));
      for (let fault = 0; fault < 8; fault += 1) scene.relay.rule({}, draw(faults), { nth: nth() });
      for (let person = 0; person < 12; person += 1) {
        const [happen, id] = [draw(people), draw(runs)];
        const act = (): void => happen(scene, id);
        scene.relay.rule({}, { kind: 'meanwhile', when: draw(['before', 'after']), act }, { nth: nth() });
      }
      const other = await scene.grounds.start();
      for (let passed = 0; passed < 10; passed += 1) {
        await draw(overlaps)(scene, other);
        await scene.minutes(1);
      }
      scene.fault();
      await scene.end({ minutes: 12 }).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
    }
  });

  matrixRow(52, 'forty small worlds, five minutes each', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = seeded(seed);
      const draw = <T>(items: readonly T[]): T => items[Math.trunc(random() * items.length)] as T;
      const scene = await open();
      const runs = scene.runs(4);
      for (let fault = 0; fault < 6; fault += 1)
        scene.relay.rule({}, draw(faults), { nth: 1 + Math.trunc(random() * 80) });
      const other = await scene.grounds.start();
      for (let passed = 0; passed < 5; passed += 1) {
        await draw(overlaps)(scene, other);
        await scene.minutes(1);
        draw(people)(scene, draw(runs));
      }
      scene.fault();
      await scene.end({ minutes: 12 }).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
    }
  });
});
