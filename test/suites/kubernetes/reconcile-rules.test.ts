import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { reconcileRuleNames } from '../../../functions/core/reconcile-plan.ts';
import { withRow } from '../../../infra/readme/real-rows.ts';
import { realCluster } from '../../support/real-cluster.ts';
import { podScenarios } from '../../support/real-pod-scenarios.ts';
import { repairScenarios } from '../../support/real-repair-scenarios.ts';
import { runScenarios } from '../../support/real-run-scenarios.ts';
import { runScenario } from '../../support/real-scenario.ts';
import { schedulingScenarios } from '../../support/real-scheduling-scenarios.ts';

const cluster = realCluster();

/** Names of rules that have decided something here. */
const fired = new Set<string>();

describe('reconcile on a real control plane', { concurrency: 8 }, () => {
  const { eks } = cluster;
  // Whom a given cluster lets in is not ours to say.
  if (eks === null) return;

  const scenarios = { ...podScenarios, ...schedulingScenarios, ...runScenarios, ...repairScenarios };
  for (const [name, scenario] of Object.entries(scenarios)) {
    it(withRow(name), async () => {
      for (const rule of await runScenario(cluster, eks, scenario)) fired.add(rule);
    });
  }
});

describe('the rules of reconcile', () => {
  if (cluster.eks === null) return;

  it('have each decided something on the real control plane', () => {
    assert.deepEqual(
      reconcileRuleNames.filter((name) => !fired.has(name)),
      [],
    );
  });
});
