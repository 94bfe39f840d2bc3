import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { prefectHandle } from '../../infra/local/prefect-api/edge.ts';
import type { Part } from './cast.ts';
import { MachineClock } from './fault-clock.ts';
import { memoryGrounds } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { claims, creates, polls, readsById } from './requests.ts';
import { Scene } from './scene.ts';
import { seedsFrom } from './sample.ts';
import { interleave, seeded } from './seeded.ts';
import { matching, type ProxiedRequest } from './wire-faults.ts';

const open = async (): Promise<Scene> => Scene.open(memoryGrounds());

/** Lets requests through when so many have arrived. */
function barrier(wanted: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  return async () => {
    arrived += 1;
    if (arrived >= wanted) resolve();
    await promise;
  };
}

describe('two dispatchers', () => {
  matrixRow(8, 'both have polled before either claims, in 200 orders', async () => {
    for (const seed of seedsFrom(1, 200, 10)) {
      const scene = await open();
      const runs = scene.runs(3);
      const other = await scene.grounds.start();
      scene.relay.rule(polls, { kind: 'meanwhile', when: 'after', act: barrier(2) }, { times: 2 });
      interleave(scene.relay, seed);

      await Promise.all([scene.dispatch(), scene.dispatch({ by: other })]);

      for (const id of runs) assert.equal(scene.jobsEver(id), 1, `seed ${seed}`);
      scene.judge();
      if (seed % 40 === 1) await scene.end();
    }
  });

  matrixRow(8, 'a claim lands over Running, long after its sender died', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { work: { workMs: 120_000, ends: 'success' } } });
    const late: ProxiedRequest[] = [];
    const other = await scene.grounds.start();
    scene.relay.rule(claims, { kind: 'drop-before', act: (request) => void late.push(request) });
    await scene.dispatch({ by: other, dies: { match: readsById, when: 'before' } });
    await scene.dispatch();
    // The server refuses a second Submitted for half a minute.
    scene.play(40_000);
    assert.equal(scene.stateOf(id), 'Running');
    for (const request of late) prefectHandle(scene.grounds.prefect)(request, scene.now);
    assert.equal(scene.stateOf(id), 'Submitted');

    await scene.reconcile();

    assert.notEqual(scene.stateOf(id), 'Failed');
    await scene.end();
    assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
  });

  for (const [variant, match, when] of [
    ['after its claim took effect', claims, 'after'],
    ['after its claim was verified', readsById, 'after'],
    ['with its create on the wire', creates, 'before'],
  ] as const) {
    matrixRow(9, `frozen for ten minutes ${variant}`, async () => {
      const scene = await open();
      const id = scene.aRun();
      const clock = new MachineClock(scene.grounds.clock);
      const frozen = await scene.grounds.start({}, clock);
      scene.relay.rule(match, { kind: 'meanwhile', when, act: () => clock.freeze(() => scene.minutes(10)) });

      const report = await scene.dispatch({ by: frozen });

      assert.equal(report.counts.created, 0);
      // Lambda would have ended it at its deadline; what it did after the thaw is judged here.
      const [{ actor } = { actor: '' }] = scene.invocations.splice(0, 1);
      const sent = scene.relay.history.filter((request) =>
        matching({ ...creates, actor })({ ...request, headers: {} }),
      );
      assert.equal(sent.length, match === creates ? 1 : 0);
      await scene.end();
      assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
    });
  }
});

describe('dispatch and reconcile', () => {
  const happenings: Readonly<Record<string, (scene: Scene, id: string) => void>> = {
    nothing: () => undefined,
    cancel: (scene, id) => scene.cancel(id),
    restart: (scene, id) => scene.set(id, 'Scheduled', 'restarted'),
    evict: (scene, id) => scene.cast.happen(id, { kind: 'evicted' }),
  };
  const names = Object.keys(happenings);

  matrixRow(10, 'on the same runs, with people in between, in 100 orders', async () => {
    for (const seed of seedsFrom(1, 100, 5)) {
      const random = seeded(seed);
      const scene = await open();
      const runs = scene.runs(3);
      interleave(scene.relay, seed);
      for (let round = 0; round < 4; round += 1) {
        const happen = happenings[names[Math.trunc(random() * names.length)] ?? ''];
        const id = runs[Math.trunc(random() * runs.length)] ?? '';
        const act = (): void => happen?.(scene, id);
        const nth = 1 + Math.trunc(random() * 12);
        scene.relay.rule({}, { kind: 'meanwhile', when: 'after', act }, { nth });
        await Promise.all([scene.dispatch(), scene.reconcile()]);
        scene.play(Math.trunc(random() * 90) * 1_000);
      }
      scene.judge();
      if (seed % 20 === 1) await scene.end({ minutes: 12 });
    }
  });

  const parts: readonly Part[] = [
    { script: 'unschedulable' },
    { script: 'image-never-pulls' },
    {},
    { work: { workMs: 40_000, ends: 'exit-1' } },
    { work: { workMs: 400_000, ends: 'success' } },
  ];
  matrixRow(10, 'on runs that die, wait and never start, in 40 orders', async () => {
    for (const seed of seedsFrom(1, 40, 5)) {
      const random = seeded(seed);
      const draw = <T>(items: readonly T[]): T => items[Math.trunc(random() * items.length)] as T;
      const scene = await Scene.open(memoryGrounds(), { env: { INFRA_RETRIES: '1' } });
      const runs = parts.map((part) => scene.aRun({ part }));
      const begun = (id: string): boolean => scene.cast.executions.some(({ runId }) => runId === id);
      const start = (_scene: Scene, id: string): void => {
        if (runs.indexOf(id) < 2 && !begun(id)) scene.cast.happen(id, { kind: 'started' });
      };
      interleave(scene.relay, seed);
      for (let round = 0; round < 8; round += 1) {
        const happen = draw([...Object.values(happenings), start]);
        const id = draw(runs);
        const act = (): void => happen(scene, id);
        scene.relay.rule({}, { kind: 'meanwhile', when: 'after', act }, { nth: 1 + Math.trunc(random() * 16) });
        await Promise.all([scene.dispatch(), scene.reconcile()]);
        scene.play(Math.trunc(random() * 90) * 1_000);
      }
      scene.judge();
      await scene.end({ minutes: 12 });
    }
  });

  matrixRow(11, 'each event twice, and six hours late', async () => {
    const scene = await open();
    const [id = ''] = scene.runs(1);
    await scene.dispatch();
    await scene.dispatch();
    scene.play(30_000);
    await scene.reconcile();
    await scene.reconcile();
    scene.play(6 * 3_600_000);
    await scene.dispatch();
    await scene.reconcile();

    await scene.end();

    assert.deepEqual(scene.history(id), ['Scheduled', 'Submitted', 'Running', 'Success']);
    assert.equal(scene.jobsEver(id), 1);
  });

  matrixRow(11, 'each event again while the pod is pending, after the server has forgotten the first', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { script: 'unschedulable' } });
    await scene.dispatch();
    // The server refuses a second Submitted for half a minute; from then on only our own rules stand before one.
    for (const waitMs of [40_000, 0, 120_000, 0]) {
      scene.play(waitMs);
      await scene.dispatch();
      await scene.reconcile();
    }

    assert.deepEqual([scene.history(id), scene.jobsEver(id)], [['Scheduled', 'Submitted'], 1]);
    scene.judge();
  });
});
