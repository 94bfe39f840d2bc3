import assert from 'node:assert/strict';
import { describe } from 'node:test';

import type { LocalResponse } from '../../infra/local/http.ts';
import { setPodLog, refOf } from '../../infra/local/kubernetes-api/pod-player.ts';
import { listPods } from '../../infra/local/kubernetes-api/state.ts';
import { failElement } from '../../infra/local/prefect-api/faults.ts';
import { memoryGrounds } from './grounds.ts';
import { matrixRow } from './matrix.ts';
import { claims, logWrites, polls, readsById } from './requests.ts';
import { Scene } from './scene.ts';
import type { WireFault } from './wire-faults.ts';

const minute = 60_000;
const always = { times: Number.POSITIVE_INFINITY };
const open = async (wish: Parameters<typeof Scene.open>[1] = {}): Promise<Scene> => Scene.open(memoryGrounds(), wish);

async function endsWell(scene: Scene, runs: readonly string[]): Promise<void> {
  await scene.end();
  for (const id of runs) assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
}

describe('Prefect is slow', () => {
  const second = 1_000;

  matrixRow(14, 'so slow that a request is given up: both ticks end with it, and soon', async () => {
    const scene = await open();
    const runs = scene.runs(2);
    scene.relay.rule({ to: 'prefect' }, { kind: 'delay', ms: 10 * minute }, always);
    for (const tick of ['dispatch', 'reconcile'] as const) {
      const begun = scene.now.getTime();
      assert.equal((await scene[tick]()).problem?.code, 'PREFECT_UNREACHABLE');
      assert.ok(scene.now.getTime() - begun <= 16 * second);
    }
    await endsWell(scene, runs);
  });

  matrixRow(14, 'just within the limit of a request: the invocation ends in time all the same', async () => {
    const scene = await open();
    const runs = scene.runs(60);
    scene.relay.rule({ to: 'prefect' }, { kind: 'delay', ms: 14 * second }, always);
    for (const tick of ['dispatch', 'reconcile'] as const) {
      const begun = scene.now.getTime();
      await scene[tick]();
      assert.ok(scene.now.getTime() - begun <= 50 * second);
    }
    await endsWell(scene, runs);
  });
});

describe('Prefect is away', () => {
  matrixRow(15, 'a thousand runs, three hundred a tick', async () => {
    const scene = await open({ env: { MAX_IN_FLIGHT: '2000', MAX_PER_TICK: '300' } });
    const { clock } = scene.grounds;
    const begin = scene.now.getTime();
    const runs = Array.from({ length: 1000 }, (_, n) => scene.aRun({ startTime: new Date(begin + n * 3_000) }));
    await scene.grounds.goDown('prefect');
    for (let passed = 0; passed < 60; passed += 1) {
      assert.equal((await scene.dispatch()).problem?.code, 'PREFECT_UNREACHABLE');
      assert.equal((await scene.reconcile()).problem?.code, 'PREFECT_UNREACHABLE');
      clock.advance(minute);
    }
    await scene.grounds.comeBack('prefect');

    const drained: number[] = [];
    for (let tick = 0; tick < 4; tick += 1) {
      await scene.dispatch();
      const places = runs.flatMap((id, place) => (scene.jobsOf(id).length > 0 ? [place] : []));
      assert.deepEqual(places, [...places.keys()], 'oldest first');
      drained.push(places.length);
      await scene.reconcile();
      clock.advance(minute);
    }

    assert.deepEqual(drained, [300, 600, 900, 1000]);
    scene.judge();
  });

  for (const [variant, match, nth] of [
    ['from the first claim on', claims, 1],
    ['from the read after the claim on', readsById, 1],
    ['in the second wave', claims, 2],
  ] as const) {
    matrixRow(16, variant, async () => {
      const scene = await open();
      const runs = scene.runs(30);
      scene.relay.rule(match, { kind: 'drop-answer', act: () => scene.grounds.goDown('prefect') }, { nth });
      await scene.minutes(1);
      await scene.grounds.comeBack('prefect');
      await endsWell(scene, runs);
    });
  }
});

describe('a batch is answered in parts', () => {
  matrixRow(17, 'a run of it was deleted before the claim', async () => {
    const scene = await open();
    const runs = scene.runs(5);
    const [deleted = '', ...others] = runs;
    scene.relay.rule(claims, { kind: 'meanwhile', when: 'before', act: () => scene.deleteRun(deleted) });

    const report = await scene.dispatch();

    assert.equal(report.counts.created, 4);
    await endsWell(scene, others);
    assert.equal(scene.jobsEver(deleted), 0);
  });

  matrixRow(17, 'one item fails, though it was written', async () => {
    const scene = await open();
    const runs = scene.runs(5);
    const failed = failElement(2, 'set_flow_run_states', 'Unable to complete operation');
    assert.ok(failed.kind === 'rewrite');
    scene.relay.rule(claims, failed);

    const report = await scene.dispatch();

    assert.equal(report.counts.created, 5);
    await endsWell(scene, runs);
  });

  const json = (body: unknown): WireFault => ({
    kind: 'rewrite',
    rewrite: (answer: LocalResponse) => ({ ...answer, body: JSON.stringify(body) }),
  });
  const problem = { message: 'an error occurred', extensions: { code: 'INTERNAL_SERVER_ERROR' } };
  const halves: Readonly<Record<string, WireFault>> = {
    'errors and no data': json({ errors: [problem], data: null }),
    'a list of nothing': json([]),
    'null in each place': {
      kind: 'rewrite',
      rewrite: (answer) => ({ ...answer, body: answer.body.replaceAll(/"data":\{/gu, '"data":null,"was":{') }),
    },
    'errors beside half of the data': {
      kind: 'rewrite',
      rewrite: (answer) => {
        const items = JSON.parse(answer.body) as object[];
        return { ...answer, body: JSON.stringify(items.map((item) => ({ ...item, errors: [problem] }))) };
      },
    },
    'errors beside no rows': {
      kind: 'rewrite',
      rewrite: (answer) => {
        const items = JSON.parse(answer.body) as { data: object }[];
        const without = items.map(({ data }) => ({ data: { ...data, flow_run: [] }, errors: [problem] }));
        return { ...answer, body: JSON.stringify(without) };
      },
    },
  };
  for (const [variant, fault] of Object.entries(halves)) {
    matrixRow(18, variant, async () => {
      const scene = await open();
      const runs: string[] = [];
      for (const match of [polls, claims, readsById]) {
        runs.push(...scene.runs(2));
        scene.relay.rule(match, fault);
        await scene.minutes(2);
        scene.relay.clear();
      }
      await endsWell(scene, runs);
    });

    matrixRow(18, `${variant}, for five minutes, while one run works and another waits`, async () => {
      const scene = await open();
      const parts = [{ work: { workMs: 10 * minute, ends: 'success' } }, { script: 'unschedulable' }] as const;
      const [works = '', waits = ''] = parts.map((part) => scene.aRun({ part }));
      await scene.dispatch();
      scene.play(3 * minute);
      scene.relay.rule({ to: 'prefect' }, fault, always);
      await scene.minutes(5);
      const seen = [works, waits].map((id) => [scene.stateOf(id), scene.jobsOf(id).length]);
      assert.deepEqual(seen, [
        ['Running', 1],
        ['Submitted', 1],
      ]);
      scene.cast.happen(waits, { kind: 'scheduled' });
      scene.cast.happen(waits, { kind: 'started' });
      await endsWell(scene, [works, waits]);
    });
  }
});

describe('the run logs', () => {
  const faults: Readonly<Record<string, WireFault>> = {
    away: { kind: 'drop-before' },
    'too large': { kind: 'status', status: 413 },
    'in error': { kind: 'status', status: 500 },
  };
  for (const [variant, fault] of Object.entries(faults)) {
    matrixRow(49, `${variant} all the time`, async () => {
      const scene = await open();
      const runs = scene.runs(3);
      const died = scene.aRun({ part: { work: { workMs: 20_000, ends: 'exit-1' } } });
      scene.relay.rule(logWrites, fault, always);
      await scene.minutes(3);
      assert.equal(scene.stateOf(died), 'Failed');
      await endsWell(scene, runs);
      const problems = scene.outputs.filter((output) => output.includes('"problem":{'));
      assert.deepEqual(problems, [], 'no tick fails for its words');
    });
  }

  matrixRow(49, 'one line of 10 MB in the log of a dead flow', async () => {
    const scene = await open();
    const id = scene.aRun({ part: { work: { workMs: 20_000, ends: 'exit-1' } } });
    await scene.dispatch();
    scene.play(40_000);
    for (const pod of listPods(scene.grounds.cluster)) {
      setPodLog(scene.grounds.cluster, refOf(pod), { text: `${'x'.repeat(10 * 1024 * 1024)}\n` });
    }
    await scene.end();
    assert.equal(scene.stateOf(id), 'Failed');
    const longest = Math.max(...scene.view(id).logs.map(({ message }) => message?.length ?? 0));
    assert.ok(longest > 100_000 && longest < 1_000_000, `${longest} characters`);
  });
});
