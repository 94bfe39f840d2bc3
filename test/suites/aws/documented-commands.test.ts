import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { listJobs } from '../../../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../../../infra/local/prefect-api/inspect.ts';
import { claimedBy, runInShell, typed, type Placeholder } from '../../support/documented-commands.ts';
import { ensureAwsPython } from '../../support/python.ts';
import { refusedByEmulator, startAwsWorld, token, type AwsWorld } from './aws-world.ts';

type Values = Readonly<Partial<Record<Placeholder, string>>>;

interface Expected {
  readonly values?: () => Values;
  readonly want: RegExp;
  /** Typed on standard input. */
  readonly types?: string;
  /** When it does not end by itself: Ctrl-C once this was printed. */
  readonly until?: RegExp;
  /** What the emulator has to be told afterwards. */
  readonly repair?: (said: string) => Promise<void>;
}

describe('the documented commands of a deployment, one after the other', () => {
  const parts = new AsyncDisposableStack();
  let world: AwsWorld;
  let folder = '';
  let env: Readonly<Record<string, string | undefined>> = {};
  let output = '';
  let runId = '';

  before(async () => {
    // Without policies: the emulator names the secret of a stack otherwise than AWS does, and its policy with it.
    world = parts.use(await startAwsWorld({ policies: false }));
    folder = await mkdtemp(path.join(tmpdir(), 'documented-'));
    parts.defer(async () => rm(folder, { recursive: true }));
    const programs = path.dirname(await ensureAwsPython());
    // The released command line of AWS, version 1, reads the older name.
    const region = { AWS_DEFAULT_REGION: world.env['AWS_REGION'] };
    env = { ...world.env, ...region, PATH: `${programs}:${process.env['PATH']}`, HOME: folder };
    runId = world.seedDueRun();
  });
  after(async () => parts.disposeAsync());

  const withoutRefused = Object.entries(refusedByEmulator).map(([name, value]) => ` --param ${name}=${value}`);
  const eksClusterName = `eksClusterName=prod${withoutRefused.join('')}`;

  const otherParams = (): string =>
    `--param prefectApi=${world.prefect.url} --param namespace=flows --param podTokenSecret=prefect/api-key`;

  /** In AWS the functions have it from the beginning: there the Ref of a secret is its ARN, and not its name. */
  async function giveWholeArn(arn: string): Promise<void> {
    for (const name of ['dispatch', 'reconcile']) {
      const at = `/2015-03-31/functions/prefect-serverless-agent-dev-${name}/configuration`;
      const { Environment } = await world.aws('lambda', { path: at, method: 'GET' });
      const { Variables } = Environment as { Variables: Readonly<Record<string, string>> };
      const body = JSON.stringify({ Environment: { Variables: { ...Variables, RUNNER_TOKEN_SECRET_ARN: arn } } });
      await world.aws('lambda', { path: at, method: 'PUT', headers: { 'content-type': 'application/json' }, body });
    }
  }

  /** How each goes, by its beginning; the first that fits. */
  const expectations: Readonly<Record<string, Expected>> = {
    'npx serverless deploy --verbose': {
      values: () => ({ eksClusterName, prefectApi: world.prefect.url }),
      want: /RunnerTokenSecretArn: \S/u,
    },
    'aws secretsmanager put-secret-value': {
      values: () => ({ secretArn: /RunnerTokenSecretArn: (?<arn>\S+)/u.exec(output)?.groups?.['arn'] ?? '' }),
      types: token,
      want: /"VersionId"/u,
      repair: async (said) => giveWholeArn((JSON.parse(said) as { ARN: string }).ARN),
    },
    [`npx serverless invoke -f dispatch -d '{"doctor":true}' &&`]: {
      until: /"created": ?1\b/u,
      want: /"ok": true[^]+tick_finished/u,
    },
    'npx serverless logs -f dispatch --filter': { want: /tick_finished/u },
    'npx serverless invoke -f': { want: /"ok": true/u },
    'npx serverless deploy <the params': {
      values: () => ({ sameParams: `--param ${eksClusterName} ${otherParams()}` }),
      // The version is the same as well.
      want: /^No changes to deploy\./mu,
    },
    'npx serverless deploy --region eu-west-1': {
      values: () => ({ eksClusterName, otherParams: otherParams() }),
      want: /^functions:$/mu,
    },
    'npx serverless deploy --region eu-central-1': {
      values: () => ({
        eksClusterName,
        eksEndpoint: world.kubernetes.url,
        eksCa: Buffer.from(world.kubernetes.caPem).toString('base64'),
        otherParams: otherParams(),
      }),
      want: /^functions:$/mu,
    },
  };

  for (const command of claimedBy(import.meta.filename)) {
    // A schedule fires within two minutes.
    it(command, { timeout: 300_000 }, async ({ signal }) => {
      const [, expected] = Object.entries(expectations).find(([start]) => command.startsWith(start)) ?? [];
      assert.ok(expected !== undefined, 'nothing is expected of it');
      const { types = '', until, want } = expected;
      const input = path.join(folder, 'input');
      await writeFile(input, types);

      const line = typed(command, expected.values?.() ?? {});
      const { status, stdout, stderr } = await runInShell(line, { env, input, signal, ...(until && { until }) });

      assert.equal(status, until === undefined ? 0 : 130, `${line}\n${stdout}${stderr}`);
      output = `${stdout}${stderr}`;
      assert.match(output, want);
      await expected.repair?.(stdout);
    });
  }

  it('have made a stack that works', () => {
    assert.equal(readFlowRun(world.prefect.state, runId)?.state, 'Submitted');
    assert.equal(listJobs(world.kubernetes.state).length, 1);
  });
});
