import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { WorldClock } from '../../infra/local/world-clock.ts';
import type { World } from '../../infra/local/world.ts';
import { startWorld } from '../support/scanned-world.ts';
import { claimedBy, runInShell, typed, type Placeholder, type Session } from '../support/documented-commands.ts';

interface Expected {
  readonly values?: readonly Placeholder[];
  readonly wantStatus: number;
  readonly want: RegExp;
  readonly until?: RegExp;
}

/** How each ends, by its beginning; the first that fits. */
const expectations: Readonly<Record<string, Expected>> = {
  'npm start --silent -- --api': {
    values: ['prefectApi'],
    wantStatus: 130,
    want: /dispatch {3}due 1 {2}created 1 \(due\)/u,
    until: /reconcile {2}jobs 1/u,
  },
  'npm run --silent doctor': { wantStatus: 0, want: /none is broken\.\n$/u },
  // Into a file.
  'npm run --silent manifests': { values: ['secretFile'], wantStatus: 0, want: /^$/u },
  'npm run --silent render -- --file': { values: ['runFile'], wantStatus: 0, want: /^\{"job":|^\{\n {2}"job":/u },
  'npm run --silent render -- <flow run id> --explain': {
    values: ['flowRunId'],
    wantStatus: 0,
    want: /storage image|run config/u,
  },
  'npm run --silent render -- <flow run id>': {
    values: ['flowRunId'],
    wantStatus: 0,
    want: /^apiVersion: batch\/v1 # ours$/mu,
  },
};

describe('the documented commands that need Node alone', () => {
  const parts = new AsyncDisposableStack();
  let world: World;
  let session: Session;
  let values: Readonly<Partial<Record<Placeholder, string>>> = {};

  before(async () => {
    world = parts.use(await startWorld({ clock: new WorldClock(new Date(), { flows: true }) }));
    const folder = await mkdtemp(path.join(tmpdir(), 'documented-'));
    parts.defer(async () => rm(folder, { recursive: true }));
    const kubeconfig = path.join(folder, 'kubeconfig');
    await writeFile(kubeconfig, world.kubernetes.kubeconfig('admin'));
    const runConfig = { type: 'KubernetesRun', image: 'registry.example.com/flows:1.0' };
    const flowId = seedFlow(world.prefect.state, { name: 'nightly', runConfig }, world.clock.now());
    const flowRunId = seedFlowRun(world.prefect.state, { flowId, runConfig }, world.clock.now());
    const runFile = path.join(folder, 'run.json');
    const flow = { id: flowId, name: 'nightly', core_version: '1.4.1', storage: { type: 'Local' } };
    const run = { id: flowRunId, name: 'quiet-otter', version: 1, labels: [], run_config: runConfig, flow };
    await writeFile(runFile, JSON.stringify(run));
    values = { prefectApi: world.prefect.url, flowRunId, runFile, secretFile: path.join(folder, 'secret.yaml') };
    session = { env: { ...process.env, ...world.env, KUBECONFIG: kubeconfig } };
  });
  after(async () => parts.disposeAsync());

  for (const command of claimedBy(import.meta.filename)) {
    it(command, async () => {
      const [, expected] = Object.entries(expectations).find(([start]) => command.startsWith(start)) ?? [];
      assert.ok(expected !== undefined, 'nothing is expected of it');
      const given = (expected.values ?? []).map((name) => [name, values[name] ?? '']);
      const line = typed(command, Object.fromEntries(given));

      const { until, want, wantStatus } = expected;
      const { status, stdout, stderr } = await runInShell(line, { ...session, ...(until && { until }) });

      assert.equal(status, wantStatus, `${stdout}${stderr}`);
      assert.match(stdout, want);
    });
  }
});
