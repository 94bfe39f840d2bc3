import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { bundleFunctions } from '../../infra/bundle.cjs';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { WorldClock } from '../../infra/local/world-clock.ts';
import { startWorld } from '../../infra/local/world.ts';
import { billFor, loads, usage } from '../../infra/readme/cost.ts';
import { startContainer } from '../support/lambda-container.ts';

interface Written {
  readonly bytes: number;
  readonly metrics: number;
}

const bytesOf = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);

function metricsIn(lines: readonly string[]): number {
  const names = lines
    .filter((line) => line.includes('"_aws"'))
    .flatMap((line) => {
      const { _aws } = JSON.parse(line) as {
        _aws: { CloudWatchMetrics: readonly { Metrics: readonly { Name: string }[] }[] };
      };
      return _aws.CloudWatchMetrics.flatMap(({ Metrics }) => Metrics.map(({ Name }) => Name));
    });
  return new Set(names).size;
}

describe('the usage that the cost guide reckons with', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'cost-'));
    await bundleFunctions(['dispatch', 'reconcile'], folder);
  });
  after(() => rm(folder, { recursive: true }));

  /** One tick of each bundle on a world with so many due runs. */
  async function tick(runs: number): Promise<Written> {
    await using world = await startWorld({ clock: new WorldClock(new Date(), { flows: true }) });
    const now = world.clock.now();
    const runConfig = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' };
    const flowId = seedFlow(world.prefect.state, { name: 'nightly', runConfig }, now);
    for (let count = 0; count < runs; count += 1) seedFlowRun(world.prefect.state, { flowId, runConfig }, now);
    let [bytes, metrics] = [0, 0];
    for (const name of ['dispatch', 'reconcile'] as const) {
      const container = await startContainer(path.join(folder, name, 'index.js'), world.env);
      await container.invoke();
      const lines = await container.end();
      bytes += bytesOf(lines);
      metrics += metricsIn(lines);
    }
    return { bytes, metrics };
  }

  it('is what the bundles write', async () => {
    const [idle, busy] = [await tick(0), await tick(20)];
    const perClaim = (busy.bytes - idle.bytes) / 20;

    const isNear = (real: number, reckoned: number): boolean => real > reckoned * 0.8 && real < reckoned * 1.1;
    assert.ok(isNear(idle.bytes, usage.idleTickBytes), `an idle tick writes ${idle.bytes} bytes`);
    // Another line of the same size says that its Job was cleaned up.
    assert.ok(isNear(2 * perClaim, usage.runBytes), `a claim writes ${perClaim} bytes`);
    assert.ok(isNear(busy.metrics, usage.metrics), `there are ${busy.metrics} metrics`);
  });

  it('makes a bill that grows with runs in Lambda and logs alone', () => {
    const [idle, , busy] = loads.map(billFor);
    assert.ok(idle !== undefined && busy !== undefined);

    assert.equal(idle.lambda.toFixed(4), (87_600 * (0.1 * 0.000_013_333_4 + 2e-7)).toFixed(4));
    assert.ok(busy.lambda > idle.lambda && busy.logs > idle.logs);
    assert.deepEqual([busy.metrics, busy.secret], [idle.metrics, idle.secret]);
  });
});
