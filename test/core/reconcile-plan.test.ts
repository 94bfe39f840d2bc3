import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JobSnapshot } from '../../functions/core/cluster.ts';
import { duplicates, reconcileRuleNames, reconcileRules } from '../../functions/core/reconcile-plan.ts';
import { aContainer, aJob, aPod, aWaitingPod, OTHER_STACK, STACK } from '../support/builders.ts';
import { at, T0 } from '../support/time.ts';
import { cases } from '../support/reconcile-cases.ts';
import {
  submitted,
  atWork,
  succeeded,
  cancelling,
  cancelledWhilePending,
  complete,
  failed,
  crashed,
  evicted,
  plan,
  told,
} from '../support/reconcile-facts.ts';

describe('one Job or run, one rule', () => {
  for (const [name, { want, wantWhy, ...input }] of Object.entries(cases)) {
    it(name, () => {
      const actions = plan(input);
      assert.equal(told(actions), want);
      if (wantWhy !== undefined) assert.match(actions[0]?.why ?? '', wantWhy);
    });
  }

  it('leaves no rule of the table without a case', () => {
    const hit = new Set(Object.values(cases).map(({ want }) => want.split(' ')[1]));
    assert.deepEqual(
      reconcileRuleNames.filter((rule) => !hit.has(rule)),
      [],
    );
  });
});

describe('each rule is needed', () => {
  const without = (name: string) => ({
    jobs: reconcileRules.jobs.filter((rule) => rule.name !== name),
    runs: reconcileRules.runs.filter((rule) => rule.name !== name),
  });
  // The last row of each table only names what is left.
  const last = new Set(['still-working', 'running-without-a-job']);
  for (const name of reconcileRuleNames.filter((rule) => !last.has(rule))) {
    it(`without ${name} another decision is made`, () => {
      const changed = Object.values(cases).filter((input) => told(plan(input, without(name))) !== input.want);
      assert.ok(changed.length > 0);
    });
  }
});

describe('what can never happen, whatever the case', () => {
  const runs = [submitted, atWork, succeeded, cancelling('-10m'), cancelledWhilePending];
  const phases = ['active', 'suspended', 'complete', 'failed'] as const;
  const pods = [
    [],
    [aPod()],
    [crashed],
    [evicted],
    [aWaitingPod('ImagePullBackOff')],
    [aWaitingPod('InvalidImageName')],
  ];
  const anyCase = fc.record({
    run: fc.constantFrom(...runs),
    phase: fc.constantFrom(...phases),
    pods: fc.constantFrom(...pods),
    ageSeconds: fc.integer({ min: 0, max: 10_000 }),
    key: fc.constantFrom('0', '1', '2'),
    infraRetries: fc.constantFrom(0, 1),
  });
  const actionsOf = ({
    run,
    phase,
    pods: some,
    ageSeconds,
    key,
    infraRetries,
  }: typeof anyCase extends fc.Arbitrary<infer T> ? T : never) =>
    plan({
      run,
      jobs: [aJob({ phase, key, createdAt: at(`-${ageSeconds}s`), finishedAt: at('-1s') })],
      pods: some,
      policy: { infraRetries },
    });

  it('a finished run is never failed, never cancelled', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const written = actionsOf(input).filter((action) => action.kind === 'fail-run' || action.kind === 'cancel-run');
        assert.ok(written.every((action) => ['Submitted', 'Running', 'Cancelling'].includes(action.run.state)));
      }),
    );
  });

  it('a Job younger than the quiet age is never deleted', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const deleted = actionsOf(input).some((action) => action.kind === 'delete-job');
        assert.ok(!deleted || input.ageSeconds > 120);
      }),
    );
  });

  it('a Submitted run is only failed by the Job of its claim', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const failedSubmitted = actionsOf({ ...input, run: submitted }).some((action) => action.kind === 'fail-run');
        assert.ok(!failedSubmitted || input.key === '1');
      }),
    );
  });

  it('a Job whose pod runs is only ended for a cancelled run', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const [action] = actionsOf({ ...input, phase: 'active', pods: [aPod()] });
        assert.ok(action?.kind !== 'delete-job' || action.rule === 'run-cancelled');
      }),
    );
  });

  it('the plan does not depend on the order of Jobs and pods', () => {
    const jobs = [complete, failed, aJob({ uid: 'third', createdAt: at('-30m'), phase: 'failed', key: '0' })].map(
      (job, i) => ({ ...job, uid: `u${i}`, createdAt: at(`-${10 + i}m`) }),
    );
    const rules = (list: readonly JobSnapshot[]) =>
      plan({ run: atWork, jobs: list, pods: [crashed] })
        .map((action) => `${'job' in action ? action.job?.uid : ''} ${action.rule}`)
        .toSorted();
    fc.assert(
      fc.property(fc.shuffledSubarray(jobs, { minLength: jobs.length }), (shuffled) => {
        assert.deepEqual(rules(shuffled), rules(jobs));
      }),
    );
  });
});

describe('duplicates', () => {
  it('are active Jobs of one run, whoever made them', () => {
    const twins = [aJob({ uid: 'a' }), aJob({ uid: 'b', stackId: OTHER_STACK })];
    assert.equal(duplicates(twins).length, 1);
  });

  it('are not a finished and an active Job, nor one that is being deleted', () => {
    assert.equal(
      duplicates([aJob({ uid: 'a' }), aJob({ uid: 'b', phase: 'failed' }), aJob({ uid: 'c', deleting: true })]).length,
      0,
    );
  });
});

it('the mark of our stack decides, not the name', () => {
  assert.equal(
    plan({ jobs: [aJob({ stackId: STACK })], pods: [aPod({ containers: [aContainer({ startedAt: T0 })] })] }).length,
    1,
  );
});
