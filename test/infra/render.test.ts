import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { parse } from 'yaml';

import type { JsonObject } from '../../functions/core/json.ts';
import { listJobs } from '../../infra/local/kubernetes-api/state.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { WorldClock } from '../../infra/local/world-clock.ts';
import { composeFunctions } from '../../infra/local/functions.ts';
import type { World } from '../../infra/local/world.ts';
import { startWorld } from '../support/scanned-world.ts';
import { runRender, type CommandResult } from '../../infra/render/command.ts';
import { finished, startCommand, type Finished } from '../support/command.ts';
import { startListener } from '../support/template-wires.ts';

const root = path.join(import.meta.dirname, '../..');
const runId = '8f14e45f-ceea-467f-ab1c-0d5d5a3e9b11';

/** A run as the API returns it to the peer, and no more than that. */
const aRun = (runConfig: JsonObject, wish: JsonObject = {}): JsonObject => ({
  id: runId,
  name: 'quiet-otter',
  version: 1,
  labels: [],
  run_config: { type: 'KubernetesRun', ...runConfig },
  flow: {
    id: 'c9f0f895-fb98-4b91-99f5-1fd297e236d7',
    name: 'etl',
    core_version: '1.4.1',
    storage: { type: 'S3', bucket: 'b' },
  },
  ...wish,
});

interface Output {
  readonly job: JsonObject | null;
  readonly provenance: Readonly<Record<string, string>>;
  readonly removed: readonly { readonly path: string; readonly rule: string }[];
  readonly refused: string | null;
}

describe('render', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'render-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function renderFile(
    run: unknown,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    const file = path.join(folder, `${Math.abs(JSON.stringify([run, args, env]).length)}-${args.length}.json`);
    await writeFile(file, typeof run === 'string' ? run : JSON.stringify(run));
    return runRender(['--file', file, ...args], { PREFECT_API: 'http://prefect:4200', STACK_ID: 'flows', ...env });
  }

  const outputOf = ({ stdout }: CommandResult): Output => JSON.parse(stdout) as Output;

  it('prints YAML that says of each field which layer set it', async () => {
    const template = {
      metadata: { annotations: { 'team/a~b': 'x' } },
      spec: { template: { spec: { containers: [{ image: 'mine:1' }] } } },
    };
    const run = aRun({ cpu_limit: '0644', env: { ANSWER: 'yes', LINES: 'a: b\nc # d\n' }, job_template: template });

    const { status, stdout, stderr } = await renderFile(run);
    const json = outputOf(await renderFile(run, ['--json']));

    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(parse(stdout, { version: '1.1' }), json.job);
    for (const line of [
      'image: mine:1 # flow template',
      'team/a~b: x # flow template',
      'cpu: "0644" # run config',
      'value: "yes" # run config',
      'namespace: default # agent options',
      'backoffLimit: 0 # ours',
    ]) {
      assert.ok(stdout.includes(line), line);
    }
  });

  it('escapes in YAML what parsers strip, fold or refuse, and leaves other scripts readable', async () => {
    const texts = [
      '\u00a0',
      'a\u0085b',
      '\u2028x',
      '\ufeff',
      '\u200b',
      'a\tb\n',
      '\u0007',
      '\u{e0001}',
      'größe 日本 🦦\n x',
    ];
    const env = Object.fromEntries(texts.map((text, index) => [`TEXT_${index}`, text]));

    const { stdout } = await renderFile(aRun({ env, image: '\u00a0:1' }));
    const { job } = outputOf(await renderFile(aRun({ env, image: '\u00a0:1' }), ['--json']));

    assert.deepEqual(parse(stdout, { version: '1.1' }), job);
    assert.doesNotMatch(stdout, /(?![ \n])[\p{C}\p{Z}]/u);
    assert.match(stdout, /"\\u00a0"/u);
    assert.match(stdout, /größe 日本 🦦/u);
  });

  it('lets no key of an author begin a line or move the cursor', async () => {
    const labels = { 'prefect.io/flow_id\nkind: Evil\u001b[2J': 'x' };
    const removing = aRun({
      job_template: { metadata: { labels }, spec: { template: { spec: { containers: [{}] } } } },
    });
    const refused = aRun({ env: { 'A\nB\u001b[2J': 5 } });

    const yaml = await renderFile(removing, ['--explain']);
    const { stderr } = await renderFile(refused);

    assert.doesNotMatch(yaml.stdout, /^kind: Evil/mu);
    assert.equal(outputOf(await renderFile(removing, ['--json'])).removed.length, 1);
    assert.match(stderr, /^[^\n]*A\\u000aB\\u001b\[2J[^\n]*\n$/u);
  });

  it('prints with --json one object, with the layer of each field that is not the built-in template’s', async () => {
    const { job, provenance, removed, refused } = outputOf(await renderFile(aRun({ image: 'mine:1' }), ['--json']));

    assert.deepEqual([removed, refused], [[], null]);
    assert.equal(provenance['/spec/template/spec/containers/0/image'], 'run config');
    assert.equal(provenance['/spec/template/spec/containers/0/name'], undefined);
    const spec = job?.['spec'] as { template: { spec: { containers: readonly { image: string }[] } } };
    assert.equal(spec.template.spec.containers[0]?.image, 'mine:1');
  });

  it('takes configuration from the variables of the functions', async () => {
    const env = {
      NAMESPACE: 'team',
      SERVICE_ACCOUNT_NAME: 'flows',
      PROFILES: '[{label: gpu, template: gpu.yaml}]',
      JOB_TEMPLATE: 'spec: {template: {spec: {priorityClassName: low}}}',
    };
    const { job, provenance } = outputOf(await renderFile(aRun({}, { labels: ['gpu'] }), ['--json'], env));

    assert.deepEqual((job?.['metadata'] as JsonObject | undefined)?.['namespace'], 'team');
    assert.equal(provenance['/spec/template/spec/serviceAccountName'], 'agent options');
    assert.equal(provenance['/spec/template/spec/priorityClassName'], 'operator template');
    assert.equal(provenance['/spec/template/spec/tolerations/0/key'], 'profile');
  });

  it('takes the answer of a query as well, and says what stands in for variables', async () => {
    const { status, stderr } = await renderFile({ data: { flow_run: [aRun({})] } }, [], {
      PREFECT_API: '',
      STACK_ID: '',
    });

    assert.equal(status, 0);
    assert.match(stderr, /PREFECT_API is not set/u);
    assert.match(stderr, /STACK_ID is not set/u);
  });

  it('lists with --explain what the policy removed and why', async () => {
    const template = { spec: { suspend: true, template: { spec: { hostNetwork: true, containers: [{}] } } } };
    const run = aRun({ job_template: template });

    const yaml = await renderFile(run, ['--explain']);
    const json = await renderFile(run, ['--explain', '--json']);
    const nothing = await renderFile(aRun({}), ['--explain']);

    assert.match(yaml.stdout, /^# removed \/spec\/template\/spec\/hostNetwork \(host-namespace\): the pod would see/mu);
    assert.match(yaml.stdout, /^# removed \/spec\/suspend \(suspended-job\)/mu);
    assert.match(json.stderr, /^removed \/spec\/suspend \(suspended-job\)/mu);
    assert.deepEqual(
      outputOf(json).removed.map(({ rule }) => rule),
      ['host-namespace', 'suspended-job'],
    );
    assert.match(nothing.stdout, /^# The template policy removed nothing/u);
  });

  it('masks what is secret or looks like it', async () => {
    const token = 'canary-0123456789';
    const env = {
      DB_PASSWORD: 'canary-a',
      MY_TOKEN: 'canary-b',
      DATABASE_URL: 'postgres://user:canary-c@db/x',
      HEADER: 'Authorization: Bearer canary-d-d-d',
      NOTE: `the token is ${token}`,
      ENCODED: Buffer.from(token).toString('base64'),
      LINK: 'https://a.example/x?X-Amz-Signature=canary-e&y=1',
      USE_TOKEN: 'true',
    };
    const settings = { RUNNER_TOKEN: token, POD_TOKEN_PLAIN: 'true', JOB_ENV: 'SLACK_API_KEY=canary-f' };

    for (const args of [[], ['--json']]) {
      const { status, stdout, stderr } = await renderFile(aRun({ env }), args, settings);
      assert.equal(status, 0);
      assert.doesNotMatch(`${stdout}${stderr}`, /canary|Y2FuYXJ5/u);
      assert.match(stdout, /PREFECT__CLOUD__API_KEY[^[]*\[secret\]/u);
    }
  });

  it('shows switches whose names only sound secret', async () => {
    const { stdout } = await renderFile(aRun({ env: { USE_TOKEN: 'true', MAX_TOKENS: '16' } }), ['--json']);
    assert.match(stdout, /"USE_TOKEN","value":"true"/u);
    assert.match(stdout, /"MAX_TOKENS","value":"16"/u);
  });

  const refusals: Record<string, { run: unknown; env?: Record<string, string>; want: RegExp }> = {
    'another kind of run config': { run: aRun({ type: 'ECSRun' }), want: /`ECSRun`, only `KubernetesRun`/u },
    'a template from where none may come': {
      run: aRun({ job_template_path: 's3://flows/k.yaml' }),
      want: /TEMPLATE_SOURCES/u,
    },
    'a volume that is not allowed and mounted': {
      run: aRun({
        job_template: {
          spec: {
            template: {
              spec: {
                volumes: [{ name: 'v', hostPath: {} }],
                containers: [{ volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
              },
            },
          },
        },
      }),
      want: /`\/spec\/template\/spec\/volumes\/0` is not allowed here \(rule host-path-volume/u,
    },
    'a run without an id': { run: { flow: {} }, want: /cannot be read: id/u },
    'a list of nothing': { run: [], want: /not an object/u },
    'a broken template of the operator’s': {
      run: aRun({}),
      env: { JOB_TEMPLATE: 'spec:\n  template: 5\n' },
      want: /^JOB_TEMPLATE: .*`\/spec\/template` must be a map\. \(line 2, column 13\)/u,
    },
    'a broken profile': {
      run: aRun({}),
      env: { PROFILES: '- label: gpu\n  maxInflight: 4\n' },
      want: /^PROFILES: .*no field `maxInflight` \(line 2, column 16\)/u,
    },
    'a broken template of the operator’s that is no YAML': {
      run: aRun({}),
      env: { JOB_TEMPLATE: 'spec:\n  a: [\n' },
      want: /^JOB_TEMPLATE: .*line \d+, column \d+/u,
    },
  };
  for (const [name, { run, env = {}, want }] of Object.entries(refusals)) {
    it(`is refused, in one sentence, with exit status 1: ${name}`, async () => {
      const yaml = await renderFile(run, [], env);
      const json = await renderFile(run, ['--json'], env);

      assert.deepEqual([yaml.status, yaml.stdout, json.status], [1, '', 1]);
      assert.match(yaml.stderr, want);
      assert.match(outputOf(json).refused ?? '', want);
      assert.deepEqual({ ...outputOf(json), refused: '' }, { job: null, provenance: {}, removed: [], refused: '' });
    });
  }

  const usages: Record<string, { args: readonly string[]; env?: Record<string, string>; want: RegExp }> = {
    'nothing asked for': { args: [], want: /flow run id, or --file/u },
    'an unknown flag': { args: [runId, '--nope'], want: /--nope/u },
    'an id that is none': { args: ['quiet-otter'], want: /quiet-otter/u },
    'two ids': { args: [runId, runId], want: /One flow run/u },
    'an id and a file': { args: [runId, '--file', 'a.json'], want: /not both/u },
    'a file that is not there': { args: ['--file', 'nope.json'], want: /nope\.json cannot be read \(ENOENT\)/u },
    'a file that is no JSON': { args: ['--file', 'README.md'], want: /README\.md is not JSON/u },
    'an id without an API': { args: [runId], want: /PREFECT_API is required/u },
    'a variable that is wrong': {
      args: ['--file', 'package.json'],
      env: { TEMPLATE_POLICY: 'strict' },
      want: /TEMPLATE_POLICY must be one of/u,
    },
  };
  for (const [name, { args, env = {}, want }] of Object.entries(usages)) {
    it(`exits with 2 and one paragraph for ${name}`, async () => {
      const { status, stdout, stderr } = await runRender(args, env);

      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, want);
      assert.match(stderr, /^[^\n]+ See --help\.\n$/u);
    });
  }

  it('is what the npm script starts', async () => {
    const fine = await finished(startCommand('infra/render.ts', ['--version']));
    const wrong = await finished(startCommand('infra/render.ts', ['--nope']));

    assert.deepEqual([fine.status, fine.stderr, wrong.status, wrong.stdout], [0, '', 2, '']);
  });

  it('has a help and a version', async () => {
    const help = await runRender(['--help'], {});
    const version = await runRender(['--version'], {});

    assert.equal(help.status, 0);
    for (const flag of ['--file', '--json', '--explain', '--dry-run']) assert.ok(help.stdout.includes(flag), flag);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/u);
  });

  it('reaches no place that a template path must not name', async () => {
    await using listener = await startListener();
    const place = `http://127.0.0.1:${listener.port}/2018-06-01/runtime/invocation/next`;

    const { status } = await renderFile(aRun({ job_template_path: place }), [], { TEMPLATE_SOURCES: place });

    assert.equal(status, 1);
    assert.equal(listener.hits(), 0);
  });
});

describe('render against the APIs', () => {
  const image = 'flows:1';
  const startPresentWorld = (): Promise<World> => startWorld({ clock: new WorldClock(new Date(), { flows: true }) });

  function seedRun(world: World, fields: JsonObject = {}): string {
    const now = world.clock.now();
    const runConfig = { type: 'KubernetesRun', image, ...fields };
    const flowId = seedFlow(world.prefect.state, { name: 'nightly', runConfig }, now);
    return seedFlowRun(world.prefect.state, { flowId, runConfig }, now);
  }

  async function render(world: World, args: readonly string[]): Promise<Finished> {
    const env = { ...world.env, PATH: process.env['PATH'] ?? '' };
    return finished(
      spawn(process.execPath, ['infra/local/launch.cjs', 'infra/render.ts', ...args], { cwd: root, env }),
    );
  }

  it('shows the very Job that dispatch then creates', async () => {
    await using world = await startPresentWorld();
    const id = seedRun(world);

    const { status, stdout } = await render(world, [id, '--json']);
    await composeFunctions(world).dispatch();

    const [created] = listJobs(world.kubernetes.state, world.namespace);
    const { job } = JSON.parse(stdout) as {
      job: { metadata: { name: string }; spec: { template: { spec: JsonObject } } };
    };
    assert.equal(status, 0);
    assert.equal(job.metadata.name, created?.metadata.name);
    const [wanted] = job.spec.template.spec['containers'] as readonly JsonObject[];
    const [got] = JSON.parse(JSON.stringify(created?.spec.template.spec?.containers)) as readonly JsonObject[];
    assert.deepEqual(got?.['env'], wanted?.['env']);
  });

  it('asks the API server for its verdict, and creates nothing', async () => {
    await using world = await startPresentWorld();
    const fine = seedRun(world);

    const accepted = await render(world, [fine, '--dry-run']);
    assert.equal(accepted.status, 0, accepted.stderr);
    assert.match(accepted.stderr, /Dry run: the API server would create this Job/u);
    assert.match(accepted.stdout, /^apiVersion: batch\/v1/u);

    const wrong = seedRun(world, { image: 'flows:1', cpu_limit: 'plenty' });
    const refused = await render(world, [wrong, '--dry-run', '--json']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /The API server refuses the Job \(invalid, \d+\)/u);
    assert.match((JSON.parse(refused.stdout) as Output).refused ?? '', /plenty|quantit/iu);
    assert.deepEqual(listJobs(world.kubernetes.state, world.namespace), []);
  });

  it('says when the run or the API is not there', async () => {
    await using world = await startPresentWorld();

    const unknown = await render(world, [runId]);

    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, new RegExp(`knows no flow run ${runId}`, 'u'));
  });
});
