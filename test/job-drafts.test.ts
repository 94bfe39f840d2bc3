import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseConfig, type Config } from '../functions/config.ts';
import type { JobDraft } from '../functions/core/dispatch-plan.ts';
import type { FlowRun } from '../functions/core/flow-run.ts';
import type { Json } from '../functions/core/json.ts';
import type { TickReport } from '../functions/core/tick-report.ts';
import { prepareDrafts, type DraftSources } from '../functions/job-drafts.ts';
import { Secret } from '../functions/secret.ts';
import { constant } from '../functions/source.ts';
import { operatorTemplates } from '../functions/templates/operator-templates.ts';
import { composeFunctions } from '../infra/local/functions.ts';
import { listJobs } from '../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun } from '../infra/local/prefect-api/seed.ts';
import type { World } from '../infra/local/world.ts';
import { startWorld } from './support/scanned-world.ts';
import { aFlowRun, aRunId } from './support/builders.ts';
import { aKubernetesRun } from './support/job-inputs.ts';
import { aReader, aWire, anAnswer, never, startListener } from './support/template-wires.ts';
import { at, T0 } from './support/time.ts';

const open = new AbortController().signal;

function configOf(env: Readonly<Record<string, string>> = {}): Config {
  const parsed = parseConfig({ PREFECT_API: 'http://prefect:4200', EKS_CLUSTER_NAME: 'a', STACK_ID: 'b', ...env });
  assert.ok(parsed.ok);
  return parsed.config;
}

interface DraftWish extends Partial<DraftSources> {
  readonly env?: Readonly<Record<string, string>>;
}

async function draftsOf(runs: readonly FlowRun[], { env, ...wish }: DraftWish = {}): Promise<readonly JobDraft[]> {
  const reader = wish.reader ?? aReader();
  const sources: DraftSources = {
    tenantId: () => null,
    token: constant(null),
    operator: operatorTemplates({ jobTemplate: null, profiles: null, reader, clock: never }),
    reader,
    clock: never,
    ...wish,
  };
  const drafter = await prepareDrafts(configOf(env), sources)(runs, open);
  return runs.map((run) => drafter(run, { key: '1', claimId: 'c' }));
}

const aRunWith = (n: number, fields: Record<string, Json>): FlowRun =>
  aFlowRun({ id: aRunId(n), runConfig: aKubernetesRun(fields) });

const words = (draft: JobDraft | undefined): string =>
  draft?.kind === 'job' ? 'job' : draft?.kind === 'refused' ? draft.rule : (draft?.kind ?? 'none');

describe('the templates of a tick', () => {
  const names = { 'a.example': ['93.184.216.34'], 'b.example': ['93.184.216.34'] };
  const sources = ['https://a.example', 'https://b.example'];
  const template = 'spec: {template: {spec: {nodeSelector: {pool: a}}}}';

  it('of one flow are read once, however many runs it has', async () => {
    const wire = aWire(names, () => anAnswer({ body: Buffer.from(template) }));
    const runs = [1, 2, 3].map((n) => aRunWith(n, { job_template_path: 'https://a.example/job.yaml' }));

    const drafts = await draftsOf(runs, { reader: aReader({ wire, sources }) });

    assert.deepEqual(drafts.map(words), ['job', 'job', 'job']);
    assert.equal(wire.sent.length, 1);
  });

  it('of authors are not read where none is taken', async () => {
    const wire = aWire(names, () => anAnswer({ body: Buffer.from(template) }));
    const runs = [
      aRunWith(1, { job_template_path: 'https://a.example/job.yaml' }),
      aRunWith(2, { job_template: template }),
      aRunWith(3, { job_template: '{}' }),
    ];

    const drafts = await draftsOf(runs, { reader: aReader({ wire, sources }), env: { TEMPLATE_POLICY: 'locked' } });

    assert.deepEqual(drafts.map(words), ['template-locked', 'template-locked', 'job']);
    assert.deepEqual(wire.sent, []);
  });

  it('that cannot be had refuse their own run, and say so to its author', async () => {
    const drafts = await draftsOf([
      aRunWith(1, { job_template_path: 's3://nobody/knows.yaml' }),
      aRunWith(2, { job_template: 'spec: [' }),
      aRunWith(3, { job_template_path: 'agent://gpu.yaml' }),
      aRunWith(4, {}),
    ]);

    assert.deepEqual(drafts.map(words), ['template-source-not-allowed', 'template-malformed', 'job', 'job']);
  });

  it('that take all the time wait for the next tick; their own limit refuses them, others’ does not', async () => {
    let now = T0;
    const wire = aWire(names, ({ url }) => {
      if (url.hostname === 'a.example') now = at('+10s');
      return anAnswer({ body: Buffer.from(template) });
    });
    const clock = { ...never, now: () => now };
    const runs = [
      aRunWith(1, {}),
      aRunWith(2, { job_template_path: 'https://a.example/slow.yaml' }),
      ...Array.from({ length: 20 }, (_, n) => aRunWith(3 + n, { job_template_path: `https://b.example/${n}.yaml` })),
      aRunWith(30, {}),
    ];

    const drafts = await draftsOf(runs, { clock, reader: aReader({ wire, sources, clock }) });

    assert.equal(words(drafts[0]), 'job');
    assert.equal(words(drafts[1]), 'not-yet');
    assert.equal(words(drafts.at(-2)), 'not-yet');
    assert.equal(words(drafts.at(-1)), 'job');
  });

  it('that are costly to make Jobs of do not take the time of all others', async () => {
    let now = T0;
    // Whoever looks at this clock finds that two seconds have passed.
    const clock = { ...never, now: () => (now = new Date(now.getTime() + 2_000)) };
    const own = { spec: { template: { spec: { containers: [{ name: 'flow' }] } } } };
    const runs = [...Array.from({ length: 8 }, (_, n) => aRunWith(n, { job_template: own })), aRunWith(30, {})];

    const drafts = await draftsOf(runs, { clock });

    assert.deepEqual(drafts.map(words), ['job', 'job', 'job', 'job', 'job', 'not-yet', 'not-yet', 'not-yet', 'job']);
  });

  it('do not write the token into a Job unless the operator says so', async () => {
    const token = constant(new Secret('canary-token'));
    const drafts = await draftsOf([aRunWith(1, {})], { token });
    assert.doesNotMatch(JSON.stringify(drafts), /canary/u);
  });
});

describe('dispatch', () => {
  const image = 'flows:1';

  function seedRuns(
    world: World,
    fields: Record<string, Json>,
    wish: { labels?: string[]; count?: number } = {},
  ): string[] {
    const { labels = [], count = 1 } = wish;
    const now = world.clock.now();
    const runConfig = { type: 'KubernetesRun', image, ...fields };
    const flowId = seedFlow(
      world.prefect.state,
      { name: `${JSON.stringify(fields)} ${labels.join(',')}`, runConfig },
      now,
    );
    return Array.from({ length: count }, () => seedFlowRun(world.prefect.state, { flowId, runConfig, labels }, now));
  }

  const jobsOf = (world: World) => listJobs(world.kubernetes.state, world.namespace);

  async function tick(world: World): Promise<TickReport> {
    return composeFunctions(world).dispatch();
  }

  it('gives runs with a label their profile, and no more at a time than its cap', async () => {
    const PROFILES = '- label: gpu\n  maxInFlight: 2\n  template: gpu.yaml\n';
    await using world = await startWorld({ env: { PROFILES, AGENT_LABELS: 'gpu,etl', LABEL_LIMITS: 'gpu=5,etl=9' } });
    seedRuns(world, {}, { labels: ['gpu'], count: 3 });
    seedRuns(world, {}, { labels: ['etl'], count: 3 });

    const report = await tick(world);

    assert.equal(report.problem, null);
    assert.equal(report.byRule['label-at-capacity'], 1);
    const withSelector = jobsOf(world).filter((job) => JSON.stringify(job).includes('nvidia.com/gpu'));
    assert.deepEqual([jobsOf(world).length, withSelector.length], [5, 2]);
    const next = await tick(world);
    assert.deepEqual([next.byRule['label-at-capacity'], jobsOf(world).length], [1, 5]);
  });

  const broken = {
    'a template that is no YAML': { JOB_TEMPLATE: 'spec:\n  - [' },
    'a template of which no Job can be made': { JOB_TEMPLATE: 'spec:\n  template: none' },
    'a profile that is none': { PROFILES: '- labels: [gpu]' },
  };
  for (const [name, env] of Object.entries(broken)) {
    it(`claims nothing and fails loudly with ${name}`, async () => {
      await using world = await startWorld({ env });
      const [id = ''] = seedRuns(world, {});

      const { problem } = await tick(world);

      assert.equal(problem?.code, 'CONFIG_INVALID');
      assert.match(problem.message, /^(?:JOB_TEMPLATE|PROFILES).*line \d+, column \d+/u);
      assert.equal(readFlowRun(world.prefect.state, id)?.state, 'Scheduled');
      assert.deepEqual(jobsOf(world), []);
    });
  }

  it('says in the first tick that a template is broken, before any run is due and any request is made', async () => {
    await using world = await startWorld({ env: broken['a profile that is none'] });
    const functions = composeFunctions(world);

    const problems = [(await functions.dispatch()).problem, (await functions.dispatch()).problem];

    assert.deepEqual(
      problems.map((problem) => problem?.code),
      ['CONFIG_INVALID', 'CONFIG_INVALID'],
    );
    assert.equal(world.prefect.exchanges.length, 0);
  });

  it('reads a template from S3 in the first tick of a container, and then when a run is due', async () => {
    await using listener = await startListener((_request, response) => response.end('spec: {template: {spec: {}}}'));
    const env = { JOB_TEMPLATE: 's3://flows/job.yaml', AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${listener.port}` };
    await using world = await startWorld({ env });
    const functions = composeFunctions(world);
    const hits: number[] = [];

    for (const minutes of [0, 10, 20]) {
      world.clock.advance(minutes * 60_000);
      if (minutes === 20) seedRuns(world, {});
      assert.equal((await functions.dispatch()).problem, null);
      hits.push(listener.hits());
    }

    assert.deepEqual(hits, [1, 1, 2]);
    assert.equal(jobsOf(world).length, 1);
  });

  it('fails a run whose template may not be read, with words for its author, and goes on', async () => {
    await using world = await startWorld();
    const [bad = ''] = seedRuns(world, {
      job_template_path: 'http://127.0.0.1:9001/2018-06-01/runtime/invocation/next',
    });
    const [good = ''] = seedRuns(world, {});

    await tick(world);

    const failed = readFlowRun(world.prefect.state, bad);
    assert.equal(failed?.state, 'Failed');
    assert.match(failed.message ?? '', /TEMPLATE_SOURCES/u);
    assert.equal(readFlowRun(world.prefect.state, good)?.state, 'Submitted');
  });

  it('warns once per tick that the token stands in every Job, and of nothing when it does not', async () => {
    await using plain = await startWorld({ env: { POD_TOKEN_SECRET: '', POD_TOKEN_PLAIN: 'true' } });
    await using usual = await startWorld();
    for (const world of [plain, usual]) seedRuns(world, {}, { count: 3 });

    const reports = [await tick(plain), await tick(plain)];
    const quiet = await tick(usual);

    assert.deepEqual(
      reports.map(({ byRule }) => byRule['token-in-plain-sight']),
      [1, 1],
    );
    assert.equal(quiet.byRule['token-in-plain-sight'], undefined);
    assert.ok(JSON.stringify(jobsOf(plain)).includes('local-runner-token'));
    assert.ok(!JSON.stringify(jobsOf(usual)).includes('local-runner-token'));
    assert.ok(!JSON.stringify(reports).includes('local-runner-token'));
  });
});
