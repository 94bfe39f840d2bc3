import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { describeProblems, parseConfig } from '../../functions/config.ts';
import { variables } from '../../functions/variables.ts';
import { listJobs } from '../../infra/local/kubernetes-api/state.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { startContainer, type Invoked, type LambdaContainer } from '../support/lambda-container.ts';
import { Exhibit, type Canaries } from './canaries.ts';
import { buildBundles, type Bundles } from './crash-world.ts';
import { FaultClock } from './fault-clock.ts';
import type { FunctionName } from './grounds.ts';
import { claims, creates, jobLists, polls } from './requests.ts';
import { formsOf } from './secret-forms.ts';
import type { Match, ProxiedRequest, WireFault } from './wire-faults.ts';
import { wireGrounds, type WireGrounds } from './wire-grounds.ts';

const sessionToken = 'canary-session-token+/=Ww63';
const jobEnvValue = 'canary-job-env+/=Hn54';

/** Where a secret has to go, and may. */
const allowed: ReadonlySet<string> = new Set([
  'runner token in authorization to prefect',
  'EKS login in authorization to kubernetes',
  'AWS session token in x-amz-security-token to aws',
  'JOB_ENV value in bodies to kubernetes',
  'JOB_ENV value in Jobs',
  // POD_TOKEN_PLAIN asks for it.
  'runner token in bodies to kubernetes',
  'runner token in Jobs',
]);

/** Everybody quotes all that they were sent, in every field that there is for words. */
function echo(status: number): WireFault {
  return {
    kind: 'rewrite',
    rewrite: (_answer, { headers, body }: ProxiedRequest) => {
      const sent = JSON.stringify(headers);
      const credential = (headers['authorization'] ?? '').replace(/^Bearer /u, '');
      const encoded = (['base64', 'base64url'] as const).flatMap((encoding) =>
        ['', ':', 'a:'].map((before) => Buffer.from(`${before}${credential}`).toString(encoding)),
      );
      const message = `${sent} ${credential} ${encodeURIComponent(credential)} ${encoded.join(' ')} ${body}`;
      const refusal = { errors: [{ message, extensions: { code: credential } }], data: null };
      const operations = body.startsWith('[') ? (JSON.parse(body) as readonly unknown[]).map(() => refusal) : refusal;
      const said = { kind: 'Status', status: 'Failure', reason: 'Forbidden', message, code: status, __type: message };
      return {
        status,
        headers: {
          'content-type': 'application/json',
          warning: `299 - "${credential} ${body.replaceAll(/["\\]/gu, String.raw`\$&`)}"`,
          'x-amzn-errortype': credential,
        },
        body: JSON.stringify(Array.isArray(operations) ? operations : { ...said, ...refusal }),
      };
    },
  };
}

const echoes: readonly Match[] = [{ to: 'aws' }, polls, claims, jobLists, creates];

describe('what leaves the deployed bundles', () => {
  const exhibit = new Exhibit();
  const logins = new Set<string>();
  let canaries: Canaries = {};
  let bundles: Bundles;

  function hear(request: ProxiedRequest): void {
    exhibit.addRequest(request.to, request);
    if (request.to === 'kubernetes') logins.add((request.headers['authorization'] ?? '').replace(/^Bearer /u, ''));
  }

  const note = ({ result, error, thrown }: Invoked): void => {
    exhibit.add('results', JSON.stringify(result));
    exhibit.add('errors', JSON.stringify(error));
    exhibit.add('errors with all they hold', thrown);
  };

  /** Clean ticks, then each kind of request answered by those who quote it, then the doctor. */
  async function play(grounds: WireGrounds, container: LambdaContainer): Promise<void> {
    note(await container.invoke());
    for (const status of [200, 403]) {
      for (const match of echoes) {
        grounds.relay.rule(match, echo(status), { times: 2 });
        note(await container.invoke());
        grounds.relay.clear();
      }
    }
    grounds.relay.rule({ to: 'prefect' }, echo(422), { times: 4 });
    exhibit.add('doctor', JSON.stringify(await container.send({ doctor: true })));
    grounds.relay.clear();
  }

  /** A new container of a function, which is given every secret that there is. */
  async function playIn(grounds: WireGrounds, name: FunctionName): Promise<void> {
    const container = await startContainer(bundles.fileOf(name), {
      ...(await grounds.envFor(name)),
      AWS_SESSION_TOKEN: sessionToken,
      AWS_MAX_ATTEMPTS: '1',
      JOB_ENV: `PASSWORD=${jobEnvValue}`,
      POD_TOKEN_SECRET: '',
      POD_TOKEN_PLAIN: 'true',
      MAX_PER_TICK: '1',
      LOG_LEVEL: 'DEBUG',
      // The account is asked for the address too.
      EKS_ENDPOINT: '',
      EKS_CA: '',
    });
    await play(grounds, container);
    for (const line of await container.end()) exhibit.add('log', line);
  }

  /** Eight due runs, and credentials with a session token, as a role has them. */
  function prepare({ clock, aws, prefect, relay }: WireGrounds): Canaries {
    const [[keyId, key] = ['', null]] = [...aws.keys];
    if (key !== null) aws.keys.set(keyId, { ...key, sessionToken });
    relay.onRequest = hear;
    const flowId = seedFlow(prefect, { name: 'etl' });
    const due = (minutes: number): Date => new Date(clock.now().getTime() - minutes * 60_000);
    for (let run = 1; run <= 8; run += 1) seedFlowRun(prefect, { flowId, startTime: due(run) }, due(10));
    return {
      'runner token': [...aws.secrets.values()].map(String),
      'AWS secret key': [key?.secretAccessKey ?? ''],
      'AWS session token': [sessionToken],
      'JOB_ENV value': [jobEnvValue],
    };
  }

  before(async () => {
    bundles = await buildBundles();
    await using grounds = await wireGrounds({ clock: new FaultClock(new Date()) });
    const given = prepare(grounds);
    for (const name of ['dispatch', 'reconcile'] as const) await playIn(grounds, name);
    const { flow_run_state: states, log } = grounds.prefect.tables;
    exhibit.add('states', JSON.stringify([...states.all()]));
    exhibit.add('run logs', JSON.stringify([...log.all()]));
    exhibit.add('Jobs', JSON.stringify(listJobs(grounds.cluster)));
    canaries = { ...given, 'EKS login': [...logins] };
  });
  after(() => bundles[Symbol.asyncDispose]());

  it('is much, and went everywhere', () => {
    const silent = exhibit.channels.filter((channel) => exhibit.bytesOf(channel) < 10);
    assert.deepEqual(silent, []);
    assert.deepEqual(exhibit.channels, [
      'Jobs',
      'addresses to aws',
      'addresses to kubernetes',
      'addresses to prefect',
      'authorization to kubernetes',
      'authorization to prefect',
      'bodies to aws',
      'bodies to kubernetes',
      'bodies to prefect',
      'doctor',
      'errors',
      'errors with all they hold',
      'log',
      'other headers to aws',
      'other headers to kubernetes',
      'other headers to prefect',
      'results',
      'run logs',
      'states',
      'x-amz-security-token to aws',
    ]);
  });

  it('holds no secret but where it has to go', () => {
    assert.deepEqual(exhibit.spills(canaries, allowed), []);
  });

  it('holds each secret where it has to go: the scan sees what is there', () => {
    assert.deepEqual(exhibit.spills(canaries, new Set()).toSorted(), [...allowed].toSorted());
  });

  it('would not hide one, whichever it is, wherever it goes, however it is written', () => {
    const leaks = Object.entries(canaries).flatMap(([secret, [value = '']]) =>
      formsOf(value).map((form) => ({ secret, form })),
    );
    assert.ok(leaks.length >= 25);
    for (const { secret, form } of leaks) {
      const planted = exhibit.channels.reduce((all, channel) => all.with(channel, `<${form}>`), exhibit);
      const want = exhibit.channels.map((channel) => `${secret} in ${channel}`).filter((spill) => !allowed.has(spill));
      assert.deepEqual(planted.spills(canaries, allowed), want);
    }
  });
});

describe('a configuration that cannot work', () => {
  /** Variables that hold secrets; JOB_ENV as the operator may have put one there. */
  const secret: ReadonlySet<string> = new Set(['RUNNER_TOKEN', 'JOB_ENV', 'EKS_CA', 'PREFECT_CA']);

  for (const { name } of variables.filter((variable) => secret.has(variable.name))) {
    it(`does not quote ${name}`, () => {
      const values = ['canary', '{"A": {"B": "canary"}}', '{"A": "canary"', 'A B=canary', '["canary"]', '\ncanary'];
      for (const value of values) {
        const parsed = parseConfig({ [name]: value });
        assert.ok(!parsed.ok);
        assert.doesNotMatch(describeProblems(parsed.problems), /canary/u);
      }
    });
  }
});
