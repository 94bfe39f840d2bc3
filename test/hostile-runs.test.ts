import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { buildJob, type JobSpecResult } from '../functions/core/job-spec.ts';
import type { JsonObject } from '../functions/core/json.ts';
import { templateSourceOf } from '../functions/core/run-config.ts';
import { parseYamlTemplate } from '../functions/yaml-template.ts';
import { composeFunctions } from '../infra/local/functions.ts';
import { listJobs } from '../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun } from '../infra/local/prefect-api/seed.ts';
import type { World } from '../infra/local/world.ts';
import { startWorld } from './support/scanned-world.ts';
import { withinASecond } from './support/cpu-time.ts';
import { goodRuns, hostileRuns, type HostileRun } from './support/hostile-runs.ts';
import { aJobInput, aKubernetesRun } from './support/job-inputs.ts';
import { startListener } from './support/template-wires.ts';

const isPolluted = (): boolean => 'polluted' in {} || 'polluted' in Object;

async function resultOf({ fields }: HostileRun): Promise<JobSpecResult> {
  const runConfig = aKubernetesRun(fields);
  const source = templateSourceOf(runConfig);
  const resolved = source.kind === 'yaml-string' ? await parseYamlTemplate(source.text) : null;
  return buildJob(aJobInput({ runConfig, ...(resolved === null ? {} : { resolvedTemplate: resolved }) }));
}

describe('a run that', () => {
  for (const [name, run] of Object.entries(hostileRuns)) {
    it(`${name} is ${run.want.kind === 'job' ? 'held to its place' : 'refused'} within a second`, async () => {
      const result = await withinASecond(() => resultOf(run));

      const { want } = run;
      assert.equal(result.kind, want.kind, result.kind === 'refused' ? result.message : '');
      if (result.kind === 'job' && want.kind === 'job') {
        assert.deepEqual(
          result.removed.map(({ path, rule }) => `${path} (${rule})`),
          want.removed,
        );
      }
      if (result.kind === 'refused' && want.kind === 'refused') {
        assert.equal(result.rule, want.rule);
        assert.match(result.message, want.message);
      }
      assert.ok(!isPolluted());
    });
  }
});

interface Seeded {
  readonly id: string;
  readonly name: string;
}

function seed(world: World, runs: Readonly<Record<string, JsonObject>>): readonly Seeded[] {
  const now = world.clock.now();
  return Object.entries(runs).map(([name, fields]) => {
    const runConfig = { type: 'KubernetesRun', image: 'flows:1', ...fields };
    const flowId = seedFlow(world.prefect.state, { name, runConfig }, now);
    return { name, id: seedFlowRun(world.prefect.state, { flowId, runConfig }, now) };
  });
}

const jobsOf = (world: World, { id }: Seeded) =>
  listJobs(world.kubernetes.state, world.namespace).filter(
    ({ metadata }) => metadata.labels?.['prefect.io/flow_run_id'] === id,
  );

const logOf = (world: World, { id }: Seeded): string =>
  world.prefect.state.tables.log
    .by('flow_run_id', id)
    .map(({ message }) => message)
    .join('\n');

/** What its author has to read in the end; null where the run gets its Job. */
const failureOf = ({ want, serverSays }: HostileRun): RegExp | null =>
  want.kind === 'refused' ? want.message : (serverSays ?? null);

const removedFrom = ({ want }: HostileRun): readonly string[] => (want.kind === 'job' ? want.removed : []);

/** State, Jobs and run log of a hostile run after its tick. */
function assertOutcome(world: World, run: Seeded, hostile: HostileRun): void {
  const { state, message } = readFlowRun(world.prefect.state, run.id) ?? {};
  const failure = failureOf(hostile);
  const jobs = jobsOf(world, run).length;
  assert.deepEqual([run.name, state, jobs], [run.name, ...(failure === null ? ['Submitted', 1] : ['Failed', 0])]);
  if (failure !== null) assert.match(message ?? '', failure);
  const log = failure === null ? logOf(world, run) : '';
  for (const removed of failure === null ? removedFrom(hostile) : [])
    assert.ok(log.includes(removed), `${run.name}: ${removed}`);
}

describe('a tick of dispatch with hostile runs among good ones', () => {
  it('gives each its own end, and the good ones their Jobs', async () => {
    await using world = await startWorld();
    const hostile = seed(
      world,
      Object.fromEntries(Object.entries(hostileRuns).map(([name, run]) => [name, run.fields])),
    );
    const good = seed(world, goodRuns);

    const { problem } = await composeFunctions(world).dispatch();

    assert.equal(problem, null);
    for (const run of good) assert.equal(jobsOf(world, run).length, 1, run.name);
    for (const run of hostile) {
      const wanted = hostileRuns[run.name];
      assert.ok(wanted !== undefined);
      assertOutcome(world, run, wanted);
    }
    assert.ok(!isPolluted());
  });

  it('reaches no address of the network it stands in, by templates or by images', async () => {
    await using listener = await startListener();
    const place = `127.0.0.1:${listener.port}`;
    const env = {
      TEMPLATE_SOURCES: `http://${place},http://localhost:${listener.port},http://0x7f000001:${listener.port}`,
    };
    await using world = await startWorld({ env });
    const paths = ['127.0.0.1', 'localhost', '0x7f000001', '[::ffff:127.0.0.1]'];
    const runs = seed(
      world,
      Object.fromEntries(
        paths.map((host) => [
          host,
          { job_template_path: `http://${host}:${listener.port}/2018-06-01/runtime/invocation/next` },
        ]),
      ),
    );
    const [image] = seed(world, { image: { image: `${place}/flows:1` } });

    const { problem } = await composeFunctions(world).dispatch();

    assert.equal(problem, null);
    assert.deepEqual(
      runs.map(({ id }) => readFlowRun(world.prefect.state, id)?.state),
      paths.map(() => 'Failed'),
    );
    assert.equal(image !== undefined && jobsOf(world, image).length, 1);
    assert.equal(listener.hits(), 0);
  });
});
