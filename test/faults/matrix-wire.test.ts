import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { matrixRow } from './matrix.ts';
import { claims, creates, jobLists, readsById } from './requests.ts';
import { Scene } from './scene.ts';
import type { WireFault } from './wire-faults.ts';
import { wireGrounds, type WireWish } from './wire-grounds.ts';

/** A scene over real sockets, and the end of its servers. */
async function withScene(play: (scene: Scene) => Promise<void>, wish: WireWish = {}): Promise<void> {
  await using grounds = await wireGrounds(wish);
  await play(await Scene.open(grounds));
}

/** After all of it each run has had one Job and has succeeded. */
async function endsWell(scene: Scene, runs: readonly string[], want = 'Success'): Promise<void> {
  await scene.end();
  for (const id of runs) assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], [want, 1]);
}

describe('the claim', () => {
  matrixRow(12, 'the connection closes', () =>
    withScene(async (scene) => {
      const runs = scene.runs(3);
      scene.relay.rule(claims, { kind: 'drop-answer' });

      const report = await scene.dispatch();

      assert.equal(report.counts.created, 3);
      for (const id of runs) assert.deepEqual(scene.history(id), ['Scheduled', 'Submitted']);
      await endsWell(scene, runs);
    }),
  );

  matrixRow(12, 'and the read after it is lost as well', () =>
    withScene(async (scene) => {
      const runs = scene.runs(1);
      scene.relay.rule(claims, { kind: 'drop-answer' });
      scene.relay.rule(readsById, { kind: 'drop-answer' }, { times: 2 });

      const report = await scene.dispatch();

      assert.deepEqual([report.counts.created, report.counts.unknown], [0, 1]);
      await endsWell(scene, runs);
    }),
  );
});

describe('the create', () => {
  const answer = (status: number): WireFault => ({
    kind: 'rewrite',
    rewrite: () => ({ status, headers: { 'content-type': 'application/json' }, body: '' }),
  });
  const faults: Readonly<Record<string, WireFault>> = {
    'the connection closes': { kind: 'drop-answer' },
    '504 after it took effect': answer(504),
    '500 after it took effect': answer(500),
    'cut short': { kind: 'truncate', bytes: 40 },
  };
  for (const [variant, fault] of Object.entries(faults)) {
    matrixRow(13, variant, () =>
      withScene(async (scene) => {
        const runs = scene.runs(2);
        scene.relay.rule(creates, fault, { times: 2 });

        const report = await scene.dispatch();

        assert.equal(report.counts['already-exists'], 2);
        assert.equal(report.problem, null);
        await endsWell(scene, runs);
      }),
    );
  }
});

describe('Prefect answers badly', () => {
  const faults: Readonly<Record<string, WireFault>> = {
    '500': { kind: 'status', status: 500 },
    '502 in HTML': { kind: 'status', status: 502, body: '<html>Bad Gateway</html>', contentType: 'text/html' },
    '429 with Retry-After': { kind: 'status', status: 429, retryAfterSeconds: 1 },
    '408': { kind: 'status', status: 408 },
    'a login page': { kind: 'status', status: 200, body: '<html>Sign in</html>', contentType: 'text/html' },
    slowly: { kind: 'drip', bytes: 20, everyMs: 2_000 },
    'half of it': { kind: 'truncate', bytes: 20 },
    'with a reset': { kind: 'reset' },
    'and closes the connection': { kind: 'go-away' },
    'not at all': { kind: 'delay', ms: 120_000 },
  };
  for (const [variant, fault] of Object.entries(faults)) {
    // What befalls the connection and not the answer alone.
    const allTls = ['delay', 'drip', 'truncate', 'reset', 'go-away'].includes(fault.kind);
    matrixRow(14, `${variant}, once, at each request${allTls ? ', over TLS' : ''}`, () =>
      withScene(
        async (scene) => {
          const runs: string[] = [];
          for (const nth of [1, 2, 3, 4, 5]) {
            runs.push(...scene.runs(2));
            scene.relay.rule({ to: 'prefect' }, fault, { nth });
            await scene.minutes(2);
            scene.relay.clear();
          }
          await endsWell(scene, runs);
        },
        { allTls },
      ),
    );

    matrixRow(14, `${variant}, for ten minutes`, () =>
      withScene(async (scene) => {
        const runs = scene.runs(2);
        scene.relay.rule({ to: 'prefect' }, fault, { times: Number.POSITIVE_INFINITY });
        await scene.minutes(10);
        assert.ok(runs.every((id) => scene.stateOf(id) !== 'Failed'));
        await endsWell(scene, runs);
      }),
    );
  }
});

describe('the API server is restarted', () => {
  const faults: Readonly<Record<string, WireFault>> = {
    GOAWAY: { kind: 'go-away' },
    reset: { kind: 'reset' },
    'the connection closes before': { kind: 'drop-before' },
    'the connection closes after': { kind: 'drop-answer' },
  };
  for (const [variant, fault] of Object.entries(faults)) {
    for (const [where, match] of Object.entries({ creates, jobLists })) {
      matrixRow(22, `${variant}, at ${where}`, () =>
        withScene(async (scene) => {
          const runs = scene.runs(3);
          scene.relay.rule(match, fault);

          const report = await scene.dispatch();

          assert.deepEqual([report.problem, runs.map((id) => scene.jobsEver(id))], [null, [1, 1, 1]]);
          await endsWell(scene, runs);
        }),
      );
    }
  }

  matrixRow(22, 'refused for a minute, from the middle of the creates on', () =>
    withScene(async (scene) => {
      const runs = scene.runs(3);
      const act = (): Promise<void> => scene.grounds.goDown('kubernetes');
      scene.relay.rule(creates, { kind: 'drop-answer', act }, { nth: 2 });
      await scene.minutes(1);
      assert.ok(scene.relay.isDown('kubernetes'));
      await scene.grounds.comeBack('kubernetes');
      await endsWell(scene, runs);
    }),
  );
});
