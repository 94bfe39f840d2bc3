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
  await using grounds = await wireGrounds({ allTls: true });
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
  const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' };
  const faults: Readonly<Record<string, WireFault>> = {
    throttles: throttled,
    'is down': { kind: 'status', status: 503, body: '' },
    'closes the connection': { kind: 'drop-before' },
    'closes the connection instead of an answer': { kind: 'drop-answer' },
    'resets the connection': { kind: 'reset' },
    'breaks off in the middle': { kind: 'truncate', bytes: 20 },
    'does not answer': { kind: 'delay', ms: 120_000 },
    'answers byte by byte': { kind: 'drip', bytes: 1, everyMs: 2_000 },
    'answers with a page': { kind: 'rewrite', rewrite: () => page },
  };
  const harmless: Readonly<Record<string, WireFault>> = {
    'closes the connection after its answer': { kind: 'go-away' },
    'answers slowly': { kind: 'drip', bytes: 200, everyMs: 1_000 },
    'answers late': { kind: 'delay', ms: 2_000 },
  };
  for (const [variant, fault] of Object.entries(harmless)) {
    matrixRow(21, `${variant}: no harm`, () =>
      withScene(async (scene) => {
        const runs = scene.runs(2);
        scene.relay.rule({ to: 'aws' }, fault, always);
        const report = await scene.dispatch();
        assert.deepEqual([report.problem, report.counts.created], [null, 2]);
        await endsWell(scene, runs);
      }, described),
    );
  }
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

describe('an API server that quotes the manifest', () => {
  const value = 'canary-job-env+/=Hn54';
  const env = { JOB_ENV: `PASSWORD=${value}`, POD_TOKEN_SECRET: '', POD_TOKEN_PLAIN: 'true' };
  const asJson = { 'content-type': 'application/json' };
  const refusal = (code: number, reason: string, message: string) => ({
    status: code,
    headers: asJson,
    body: JSON.stringify({ kind: 'Status', status: 'Failure', reason, message, code }),
  });

  /** Values of the environment in a Job, as they are and as JSON text. */
  function quoted(body: string): string {
    const values = [...body.matchAll(/"value":("(?:[^"\\]|\\.)*")/gu)].map(([, text = '""']) => text);
    return values.flatMap((text) => [text, JSON.parse(text) as string]).join(' ');
  }

  const quotes: Readonly<Record<string, Extract<WireFault, { kind: 'rewrite' }>['rewrite']>> = {
    'a 422 of the validation': (_answer, { body }) => refusal(422, 'Invalid', `Job is invalid: env: ${quoted(body)}`),
    'the 403 of a webhook': (_answer, { body }) =>
      refusal(403, 'Forbidden', `admission webhook "x" denied the request: ${quoted(body)}`),
    'a secret across the end of what is kept': (_answer, { body }) =>
      refusal(422, 'Invalid', `${'x'.repeat(1_012)} ${quoted(body).slice(quoted(body).indexOf('canary'))}`),
    'a warning': (answer, { body }) => ({
      ...answer,
      headers: {
        ...answer.headers,
        warning: `299 - "strange: ${quoted(body).replaceAll(/["\\]/gu, String.raw`\$&`)}"`,
      },
    }),
  };
  /** All that people read of the scene, without one of the two values that its Jobs carry, or the beginning of one. */
  function assertHidden({ grounds: { prefect, aws }, relay, outputs }: Scene): void {
    const secrets = [...[...aws.secrets.values()].map(String), value];
    const created = relay.history.find(({ method, to }) => method === 'POST' && to === 'kubernetes');
    assert.ok(secrets.length === 2 && secrets.every((secret) => created?.body.includes(secret)));
    const texts = {
      states: JSON.stringify([...prefect.tables.flow_run_state.all()]),
      'run logs': JSON.stringify([...prefect.tables.log.all()]),
      outputs: outputs.join('\n'),
    };
    for (const [where, text] of Object.entries(texts)) {
      for (const secret of secrets) assert.ok(!text.includes(secret.slice(0, 10)), `${where}: ${text}`);
    }
  }

  for (const [variant, rewrite] of Object.entries(quotes)) {
    matrixRow(50, `the API server quotes the manifest: ${variant}`, () =>
      withScene(async (scene) => {
        scene.runs(1);
        scene.relay.rule(creates, { kind: 'rewrite', rewrite }, always);

        await scene.minutes(1);

        assertHidden(scene);
        const logs = [...scene.grounds.prefect.tables.log.all()].map(({ message }) => String(message));
        assert.match([...scene.outputs, ...logs].join('\n'), /\[sec/u);
      }, env),
    );
  }

  matrixRow(50, 'the cluster quotes the manifest, in what it says of pods and in their logs', () =>
    withScene(async (scene) => {
      const [token = ''] = [...scene.grounds.aws.secrets.values()].map(String);
      const said = `who is ${token}, and what is "${value}"?`;
      const id = scene.aRun({ part: { script: 'exit-1', idle: true } });
      const reading = (path: RegExp, rewrite: (body: string) => string): void =>
        scene.relay.rule(
          { to: 'kubernetes', method: 'GET', path },
          { kind: 'rewrite', rewrite: (answer) => ({ ...answer, body: rewrite(answer.body) }) },
          always,
        );
      reading(/\/(?:jobs|pods|events)\?/u, (body) =>
        body.replaceAll(/"message":"(?:[^"\\]|\\.)*"|"terminated":\{/gu, (field) =>
          field.endsWith('{') ? `${field}"message":${JSON.stringify(said)},` : `"message":${JSON.stringify(said)}`,
        ),
      );
      reading(/\/log\?/u, () => `${said}\n`.repeat(3));

      await scene.minutes(3);

      assert.equal(scene.stateOf(id), 'Failed');
      assertHidden(scene);
      const { flow_run_state: states, log } = scene.grounds.prefect.tables;
      const hiddenThere = /who is \[secret\], and what is \\?"\[secret\]/u;
      assert.ok([...states.all()].some(({ message }) => hiddenThere.test(String(message))));
      for (const words of [/^Event: /u, /^Last lines of the container's log/u]) {
        const lines = [...log.all()].map(({ message }) => String(message)).filter((message) => words.test(message));
        assert.ok(lines.length > 0 && lines.every((line) => hiddenThere.test(line)), String(words));
      }
    }, env),
  );
});
