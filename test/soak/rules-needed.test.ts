import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { joblessRules, jobRules } from '../../functions/core/reconcile-rules.ts';
import { sampled } from '../faults/sample.ts';
import type { Witnessed } from '../faults/witness.ts';
import { T0 } from '../support/time.ts';
import { importBroken, type Edit } from './broken-source.ts';
import { drawScenario } from './draw-scenario.ts';
import { namedScenarios } from './named-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { simulate, type SimulationResult } from './simulate.ts';

/**
 * What shows that a rule is gone, the plainest first: an invariant is violated; a run, its Jobs or its processes end in
 * another way or minute; other requests are sent; or only the words differ, because the next rule waits as well.
 */
const effects = ['violation', 'end', 'requests', 'words'] as const;
type Effect = (typeof effects)[number];

/** A world of the fixed set by its seed, or a named one; and the effect that is wanted of the rule there. */
const worlds: Readonly<Record<string, readonly [number | string, Effect]>> = {
  'job-being-deleted': [25, 'requests'],
  'run-deleted': [4, 'end'],
  'run-unreadable': [3, 'words'],
  'run-paused': ['our-write-covers-a-newer-state', 'words'],
  'about-to-end': [6, 'words'],
  'run-cancelled': [3, 'end'],
  'cancelled-after-the-job-ended': ['cancelled-after-the-job-ended', 'end'],
  'our-write-covers-a-newer-state': ['our-write-covers-a-newer-state', 'violation'],
  'run-finished-before-the-pod-started': ['can-never-start', 'violation'],
  'sidecar-keeps-the-job': [5, 'end'],
  finishing: [2, 'words'],
  'ended-without-starting': [40, 'violation'],
  'lost-before-it-started': [3, 'end'],
  'failed-before-it-started': [13, 'end'],
  'lost-while-running': [7, 'end'],
  'died-while-running': [2, 'end'],
  'ended-while-running': [28, 'end'],
  'kept-for-its-ttl': ['suspended', 'end'],
  'ttl-is-over': [2, 'requests'],
  suspended: ['suspended', 'requests'],
  'can-never-start': ['can-never-start', 'end'],
  'cannot-start-for-too-long': [10, 'end'],
  'pending-for-too-long': [1, 'end'],
  'pod-refused-for-good': [1, 'end'],
  'blocks-a-newer-attempt': ['blocks-a-newer-attempt', 'end'],
  'without-a-pod': ['without-a-pod', 'words'],
  'waiting-to-start': [1, 'end'],
  'backoff-retries-left': [5, 'words'],
  'flow-ended-under-a-sidecar': [31, 'end'],
  'already-over': ['already-over', 'end'],
  'claimed-by-somebody-else': ['claimed-by-somebody-else', 'violation'],
  'cancelled-without-a-job': [3, 'end'],
  'jobless-claim-covers-a-newer-state': ['jobless-claim-covers-a-newer-state', 'end'],
  'claimed-within-its-lease': [7, 'words'],
  'jobless-claim-is-dispatchs': [5, 'words'],
  'running-with-nothing-left': ['running-with-nothing-left', 'end'],
};

const whole = 'jobs: jobRules, runs: joblessRules }';
const without = (rule: string): Edit => ({
  file: 'functions/core/reconcile-plan.ts',
  from: whole,
  to: `jobs: jobRules.filter(({ name }) => name !== '${rule}'), runs: joblessRules.filter(({ name }) => name !== '${rule}') }`,
});

function worldOf(place: number | string): Scenario {
  if (typeof place === 'number') return drawScenario(place, { runs: 6, hours: 0.5 });
  const scenario = namedScenarios[place];
  assert.ok(scenario !== undefined, place);
  return scenario;
}

const minuteOf = (instant: Date | null): number | null =>
  instant === null ? null : Math.floor((instant.getTime() - T0.getTime()) / 60_000);

const endsOf = ({ runs, jobs, executions }: Witnessed) => [
  runs.map(({ history }) => history.map(({ state, at }) => [state, minuteOf(at)])),
  jobs.map((job) => [job.runId, minuteOf(job.createdAt), minuteOf(job.finishedAt), minuteOf(job.deletedAt)]),
  executions.map(({ runId, outcome }) => [runId, outcome]),
];

function effectOf(before: SimulationResult, after: SimulationResult): Effect {
  if (after.violations.length > before.violations.length) return 'violation';
  if (JSON.stringify(endsOf(before.witnessed)) !== JSON.stringify(endsOf(after.witnessed))) return 'end';
  return before.fingerprint === after.fingerprint ? 'words' : 'requests';
}

describe('each rule of reconcile does something in some world', () => {
  const rules = [...jobRules, ...joblessRules].map(({ name }) => name);
  const known = rules.filter((rule) => worlds[rule] !== undefined);

  it('has a world for each but the last of either table, which name what is left', () => {
    const left = ['still-working', 'running-without-a-job'];
    assert.deepEqual(
      rules.filter((rule) => !known.includes(rule)),
      left,
    );
    assert.deepEqual(Object.keys(worlds).toSorted(), known.toSorted());
  });

  for (const rule of sampled(known, 4)) {
    it(`without ${rule} it goes another way`, async () => {
      const [place, want] = worlds[rule] ?? [];
      assert.ok(place !== undefined && want !== undefined);
      const scenario = worldOf(place);
      const module = await importBroken<{ simulate: typeof simulate }>('test/soak/simulate.ts', rule, without(rule));
      const [before, after] = [await simulate(scenario), await module.simulate(scenario)];

      assert.ok(before.rulesFired.has(rule), `${rule} decides nothing there`);
      assert.ok((after.rulesFired.get(rule) ?? 0) < (before.rulesFired.get(rule) ?? 0));
      const effect = effectOf(before, after);
      assert.ok(effects.indexOf(effect) <= effects.indexOf(want), `its effect is ${effect}`);
    });
  }
});
