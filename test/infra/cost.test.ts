import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { bundleFunctions } from '../../infra/bundle.cjs';
import { playPods } from '../../infra/local/kubernetes-api/play-pods.ts';
import { stepControllers } from '../../infra/local/kubernetes-api/step-controllers.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { WorldClock } from '../../infra/local/world-clock.ts';
import { startWorld, type World } from '../../infra/local/world.ts';
import { billFor, loads, usage } from '../../infra/readme/cost.ts';
import { startContainer } from '../support/lambda-container.ts';

interface Written {
  readonly bytes: number;
  readonly metrics: number;
}

const bytesOf = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);

function metricsIn(lines: readonly string[]): ReadonlySet<string> {
  const names = lines
    .filter((line) => line.includes('"_aws"'))
    .flatMap((line) => {
      const { _aws } = JSON.parse(line) as {
        _aws: { CloudWatchMetrics: readonly { Metrics: readonly { Name: string }[] }[] };
      };
      return _aws.CloudWatchMetrics.flatMap(({ Metrics }) => Metrics.map(({ Name }) => Name));
    });
  return new Set(names);
}

/** Pods of one minute, as the cluster plays them, while the clock goes on. */
function succeedPods({ clock, kubernetes }: World): void {
  for (let second = 0; second < 70; second += 1) {
    clock.advance(1_000);
    stepControllers(kubernetes.state, clock.now(), { rounds: 1 });
    playPods(kubernetes.state, { scriptFor: () => 'success' }, clock.now());
  }
}

describe('the usage that the cost guide reckons with', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'cost-'));
    await bundleFunctions(['dispatch', 'reconcile'], folder);
  });
  after(() => rm(folder, { recursive: true }));

  /** One tick of each bundle on a world with so many due runs; a second one of reconcile when their pods are done. */
  async function tick(runs: number): Promise<Written> {
    await using world = await startWorld({ clock: new WorldClock(new Date(), { flows: true }) });
    const now = world.clock.now();
    const runConfig = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' };
    const flowId = seedFlow(world.prefect.state, { name: 'nightly', runConfig }, now);
    for (let count = 0; count < runs; count += 1) seedFlowRun(world.prefect.state, { flowId, runConfig }, now);
    const invoke = async (name: 'dispatch' | 'reconcile'): Promise<readonly string[]> => {
      const container = await startContainer(path.join(folder, name, 'index.js'), world.env);
      await container.invoke();
      return container.end();
    };
    const [dispatch, reconcile] = [await invoke('dispatch'), await invoke('reconcile')];
    succeedPods(world);
    const later = await invoke('reconcile');
    const metrics = metricsIn(dispatch).size + metricsIn([...reconcile, ...later]).size;
    return { bytes: bytesOf([...dispatch, ...reconcile]), metrics };
  }

  it('is what the bundles write', async () => {
    const [idle, busy] = [await tick(0), await tick(20)];
    const perClaim = (busy.bytes - idle.bytes) / 20;

    const isNear = (real: number, reckoned: number): boolean => real > reckoned * 0.8 && real < reckoned * 1.1;
    assert.ok(isNear(idle.bytes, usage.idleTickBytes), `an idle tick writes ${idle.bytes} bytes`);
    // Another line of the same size says that its Job was cleaned up.
    assert.ok(isNear(2 * perClaim, usage.runBytes), `a claim writes ${perClaim} bytes`);
    assert.deepEqual([idle.metrics, busy.metrics], [usage.metrics.idle, usage.metrics.busy]);
  });

  it('makes a bill that grows with runs in Lambda and logs, and by the metrics of what happens', () => {
    const [idle, some, busy] = loads.map(billFor);
    assert.ok(idle !== undefined && some !== undefined && busy !== undefined);

    assert.equal(idle.lambda.toFixed(4), (87_600 * (0.1 * 0.000_013_333_4 + 2e-7)).toFixed(4));
    assert.ok(busy.lambda > idle.lambda && busy.logs > idle.logs);
    assert.ok(some.metrics > idle.metrics);
    assert.deepEqual([busy.metrics, busy.secret], [some.metrics, idle.secret]);
  });
});
