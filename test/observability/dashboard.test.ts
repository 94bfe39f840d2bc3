import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { before, describe, it } from 'node:test';

import { metricsOf, type Widget } from '../../infra/dashboard-text.ts';
import { metricTexts } from '../../infra/readme/metrics.ts';
import { readRepository } from '../house/repository.ts';
import { metricOf } from '../support/alarms.ts';
import { STACK } from '../support/builders.ts';
import { finished } from '../support/command.ts';
import { aWorld } from '../support/protocol-world.ts';
import { resourcesOf } from '../support/watch-files.ts';
import { WatchedStack } from '../support/watched-stack.ts';

const root = path.join(import.meta.dirname, '../..');
const body = resourcesOf('dashboard')['Dashboard']?.Properties['DashboardBody'] as { 'Fn::Sub': string };
const { widgets } = JSON.parse(body['Fn::Sub']) as { widgets: readonly Widget[] };

const dashboard = async (...args: readonly string[]) =>
  finished(spawn(process.execPath, ['infra/dashboard.ts', ...args], { cwd: root }));

/** Resources are called by their logical names, as in the alarms. */
const plain = (dimensions: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(dimensions).map(([name, value]) => [name, value.replace(/^\$\{(\w+)\}$/u, '$1')]));

/** What the functions count as it happens, by the table of metrics, which a house test holds to the source. */
const rare: ReadonlySet<string> = new Set(
  metricTexts.flatMap(({ metric, of }) =>
    (['dispatch', 'reconcile'] as const)
      .filter((name) => of === 'both' || of === name)
      .map((name) =>
        metricOf('PrefectServerlessAgent', metric, {
          service: 'prefect-serverless-agent',
          stack: STACK,
          function: name,
        }),
      ),
  ),
);

describe('the dashboard', () => {
  let known: ReadonlySet<string>;
  before(async () => {
    const stack = new WatchedStack(aWorld().world);
    await stack.minute();
    known = new Set(stack.minutes.flatMap((readings) => [...readings.keys()]));
  });

  it('draws metrics that the functions write, some only when there is something to count, or that AWS does', () => {
    const drawn = widgets.flatMap(metricsOf);
    assert.ok(drawn.length > 30);
    for (const { namespace, name, dimensions } of drawn) {
      const metric = metricOf(namespace, name, plain(dimensions));
      assert.ok(known.has(metric) || rare.has(metric), metric);
    }
  });

  it('draws what a minute with one run has, too', () => {
    const drawn = widgets.flatMap(metricsOf).map((one) => metricOf(one.namespace, one.name, plain(one.dimensions)));
    assert.ok(drawn.filter((metric) => known.has(metric)).length > 20);
  });

  it('puts no widget over another', () => {
    const places = widgets.map(({ x, y }) => `${x},${y}`);
    assert.equal(new Set(places).size, places.length);
  });

  it('is printed as the runbook has it', async () => {
    const { status, stdout } = await dashboard();
    assert.equal(status, 0);
    assert.ok(readRepository().get('infra/guides/runbook.md')?.includes(`\`\`\`text\n${stdout}\`\`\`\n`), stdout);
  });

  it('is printed by a command that refuses what it does not know', async () => {
    const { status, stdout, stderr } = await dashboard('--colour');
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, /--colour.* See --help\.\n$/u);
  });
});
