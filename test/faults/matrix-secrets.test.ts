import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { matrixRow } from './matrix.ts';
import { claims, creates, jobLists, polls } from './requests.ts';
import { Scene } from './scene.ts';
import type { ProxiedRequest, WireFault } from './wire-faults.ts';
import { wireGrounds } from './wire-grounds.ts';

type Env = Readonly<Record<string, string>>;
const failures = { to: 'prefect', body: /"type":"Failed"/u } as const;
const always = { times: Number.POSITIVE_INFINITY };

async function withScene(play: (scene: Scene) => Promise<void>, env: Env = {}): Promise<void> {
  await using grounds = await wireGrounds();
  await play(await Scene.open(grounds, { env }));
}

async function endsWell(scene: Scene, runs: readonly string[]): Promise<void> {
  await scene.end();
  for (const id of runs) assert.deepEqual([scene.stateOf(id), scene.jobsEver(id)], ['Success', 1]);
}

describe('the runner token', () => {
  matrixRow(19, 'rotated: the old one is refused, the secret has the new one', () =>
    withScene(async (scene) => {
      const { secrets } = scene.grounds.aws;
      const [[arn, token] = ['', '']] = [...secrets];
      secrets.set(arn, 'the-token-of-yesterday');
      const runs = scene.runs(2);
      scene.relay.rule(
        { to: 'prefect' },
        { kind: 'meanwhile', when: 'before', act: () => void secrets.set(arn, token) },
      );

      const report = await scene.dispatch();

      assert.deepEqual([report.problem, report.counts.created], [null, 2]);
      assert.equal(scene.relay.history.filter(({ to }) => to === 'aws').length, 2);
      await endsWell(scene, runs);
    }),
  );

  matrixRow(19, '401 to the end: a clean stop, and the secret was read twice', () =>
    withScene(async (scene) => {
      const runs = scene.runs(2);
      scene.relay.rule({ to: 'prefect' }, { kind: 'status', status: 401 }, always);

      const report = await scene.dispatch();

      assert.equal(report.problem?.code, 'PREFECT_REFUSED');
      assert.equal(scene.relay.history.filter(({ to }) => to === 'aws').length, 2);
      await endsWell(scene, runs);
    }),
  );

  for (const status of [401, 403]) {
    matrixRow(19, `${status} on the claim alone`, () =>
      withScene(async (scene) => {
        const runs = scene.runs(2);
        scene.relay.rule(claims, { kind: 'status', status });
        await scene.minutes(1);
        assert.ok(runs.every((id) => scene.stateOf(id) !== 'Failed'));
        await endsWell(scene, runs);
      }),
    );
  }
});

describe('AWS', () => {
  const described = { EKS_ENDPOINT: '', EKS_CA: '' };
  const throttled = {
    kind: 'status',
    status: 400,
    body: '{"__type":"ThrottlingException","message":"Rate exceeded"}',
  } as const;
  const faults: Readonly<Record<string, WireFault>> = {
    throttles: throttled,
    'is down': { kind: 'status', status: 503, body: '' },
    'closes the connection': { kind: 'drop-before' },
    'does not answer': { kind: 'delay', ms: 120_000 },
  };
  for (const [variant, fault] of Object.entries(faults)) {
    matrixRow(21, variant, () =>
      withScene(async (scene) => {
        const runs = scene.runs(2);
        scene.relay.rule({ to: 'aws', path: /^\/$/u }, fault);
        assert.equal((await scene.dispatch()).problem?.code, 'SECRET_UNAVAILABLE');
        scene.relay.rule({ to: 'aws', path: /clusters/u }, fault);
        assert.equal((await scene.dispatch()).problem?.code, 'CLUSTER_UNREACHABLE');
        for (const id of runs) assert.deepEqual(scene.history(id), ['Scheduled']);
        await endsWell(scene, runs);
      }, described),
    );
  }
});

describe('answers that echo what they were sent', () => {
  const echo = (status: number, seen: string[]): WireFault => ({
    kind: 'rewrite',
    rewrite: (_answer, { headers }: ProxiedRequest) => {
      const credential = headers['authorization'] ?? '';
      seen.push(credential.replace(/^Bearer /u, ''));
      const message = `who is ${credential}?`;
      const status_ = { kind: 'Status', status: 'Failure', reason: 'Forbidden', message, code: status };
      return {
        status,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...status_, errors: [{ message, extensions: { code: credential } }] }),
      };
    },
  });

  for (const status of [200, 400, 401, 403, 422, 500]) {
    matrixRow(50, `status ${status}, from each API`, () =>
      withScene(async (scene) => {
        const seen: string[] = [];
        for (const match of [polls, claims, jobLists, creates]) {
          scene.runs(1);
          scene.relay.rule(match, echo(status, seen), { times: 2 });
          await scene.minutes(1);
          scene.relay.clear();
        }
        const outputs = [...scene.outputs, JSON.stringify([...scene.grounds.prefect.tables.log.all()])].join('\n');
        assert.ok(seen.length >= 4);
        for (const secret of [...seen, ...scene.grounds.canaries]) assert.ok(!outputs.includes(secret));
        scene.judge();
      }),
    );
  }

  matrixRow(50, 'in the data of an answer, as the reason why a state was not taken', () =>
    withScene(async (scene) => {
      const [token = ''] = [...scene.grounds.aws.secrets.values()].map(String);
      scene.aRun({ runConfig: { type: 'LocalRun' } });
      const message = `not for ${token}, nor for ${Buffer.from(token).toString('base64url')}`;
      const states = [{ id: null, status: 'ERROR', message }];
      const body = JSON.stringify([{ data: { set_flow_run_states: { states } } }]);
      scene.relay.rule(failures, { kind: 'status', status: 200, body });

      await scene.minutes(1);

      assert.match(scene.outputs.join('\n'), /not for \[secret\], nor for \[secret\]/u);
      scene.judge();
    }),
  );
});
