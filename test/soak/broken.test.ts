import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { edited, importBroken, type Edit } from './broken-source.ts';
import { safeguardScenarios, type Safeguarded } from './safeguard-scenarios.ts';
import { simulate } from './simulate.ts';

type Simulate = typeof simulate;

/** What is wrong with how a world went; nothing: it went as it should. */
async function complaints({ scenario, end }: Safeguarded, play: Simulate = simulate): Promise<readonly string[]> {
  const { violations, witnessed } = await play(scenario);
  const ends = witnessed.runs.map(({ state }) => state).filter((state) => state !== end);
  return [...violations.map(({ invariant }) => invariant), ...ends];
}

/** A safeguard taken out of the code, and what becomes of the world that needs it. */
const breaks: Readonly<Record<string, { readonly edit: Edit; readonly want: readonly string[] }>> = {
  'a pod that starts while its run is being failed': {
    edit: { file: 'functions/ticks/guarded-write.ts', from: 'sameTruth(intent.basis, run) &&', to: '' },
    want: ['F'],
  },
  'a pod that starts while the Failed of its run is on its way': {
    edit: { file: 'functions/core/guarded-write.ts', from: 'return isClaimed || !namesClaim', to: 'return true' },
    want: ['F'],
  },
  'a pod that starts while its Job is being deleted': {
    edit: {
      file: 'functions/ticks/delete-jobs.ts',
      from: 'run !== undefined && sameTruth(action.run, run)',
      to: 'run !== undefined',
    },
    want: ['Failed'],
  },
  'a run that is cancelled while its Job is young': {
    edit: {
      file: 'functions/core/reconcile-case.ts',
      from: 'ageMs(job.createdAt, now) > policy.quietAgeMs',
      to: 'true',
    },
    want: ['U'],
  },
  'a cancel while a lost node hides a pod that outlived its Job': {
    edit: { file: 'functions/core/reconcile-rules.ts', from: 'observed.hasLivePod', to: 'false' },
    want: ['F', 'Cancelled'],
  },
  'a cancel under a Failed whose Job could not start, and nobody saw it': {
    edit: {
      file: 'functions/core/reconcile-rules.ts',
      from: '!(hasFinished(observed) && observed.covered !== null)',
      to: 'true',
    },
    want: ['Failed'],
  },
  'a cancel of a Job whose end is announced, and hidden by a lost node': {
    edit: {
      file: 'functions/core/reconcile-rules.ts',
      from: 'isCancelRow(observed.effective) &&',
      to: 'isCancelRow(observed.effective) && observed.job.announced === null &&',
    },
    want: ['T', 'F'],
  },
  'a task retry whose Job is lost before it starts': {
    edit: {
      file: 'functions/core/dispatch-plan.ts',
      from: 'judgedWithinMs = 180_000',
      to: 'judgedWithinMs = 300_000',
    },
    want: ['T', 'Running'],
  },
  'a task retry whose Job a webhook refuses, once': {
    edit: {
      file: 'functions/core/guarded-write.ts',
      from: "({ key }) => key === context['key']",
      to: "() => context['key'] !== undefined",
    },
    want: ['F', 'Success'],
  },
  'a run that fails while its Job is young': {
    edit: { file: 'functions/ticks/apply-reconcile.ts', from: '!endJob || !oldEnough', to: '!endJob' },
    want: ['U'],
  },
};

describe('each safeguard is needed', () => {
  for (const [name, safeguarded] of Object.entries(safeguardScenarios)) {
    it(`${name} goes well with it, and not without`, async () => {
      const broken = breaks[name];
      assert.ok(broken !== undefined);
      const module = await importBroken<{ simulate: Simulate }>('test/soak/simulate.ts', name, broken.edit);

      assert.deepEqual(await complaints(safeguarded), []);
      assert.deepEqual(await complaints(safeguarded, module.simulate), broken.want);
    });
  }
});

describe('a break of the code', () => {
  const edit = { file: 'functions/some.ts', from: 'isOld(job)', to: 'true' };

  it('changes its one place', () => assert.equal(edited('if (isOld(job)) end();', edit), 'if (true) end();'));

  it('is refused where its place is gone, or is not the only one', () => {
    assert.throws(() => edited('if (isVeryOld(job)) end();', edit), /functions\/some\.ts holds 0 times/u);
    assert.throws(() => edited('isOld(job) || isOld(job)', edit), /holds 2 times/u);
  });

  it('leaves the code as it is where it changes nothing', async () => {
    const same = { file: 'functions/core/reconcile-case.ts', from: 'earlyPodLimit = 5', to: 'earlyPodLimit = 5' };
    const module = await importBroken<{ simulate: Simulate }>('test/soak/simulate.ts', 'nothing', same);
    for (const { scenario } of Object.values(safeguardScenarios)) {
      const [plain, marked] = [await simulate(scenario), await module.simulate(scenario)];
      assert.equal(marked.fingerprint, plain.fingerprint);
    }
  });
});
