import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import { jobDifferences } from '../../../../functions/core/job-differences.ts';
import { buildJob } from '../../../../functions/core/job-spec.ts';
import { ensurePrefectPython } from '../../../support/python.ts';
import { peerCase } from './arbitraries.ts';
import { ask, inputOf } from './case.ts';
import { Coverage } from './coverage.ts';
import { changeNames, expectedJob } from './differences.ts';
import { startPeer } from './peer.ts';
import { judge } from './verdict.ts';

/** Each seed has to cover every field and every layer; another fixed one: `PEER_SEED=7 PEER_RUNS=20000 npm run test:prefect`. */
const seed = Number(process.env['PEER_SEED'] ?? 20_260_301);
const numRuns = Number(process.env['PEER_RUNS'] ?? 3_000);

/** A seed of its own for each run; a failure prints it, and it can be given as PEER_SEED. */
const freshSeed = randomInt(2 ** 31);

describe('the Job generator next to that of prefect 1.4.1', () => {
  const compare = async (given: { readonly seed: number; readonly numRuns: number }): Promise<Coverage> => {
    await using peer = await startPeer(await ensurePrefectPython());
    const coverage = new Coverage();
    const sameJob = fc.asyncProperty(peerCase, async (one) => {
      const verdict = judge(one, await peer.ask(one), ask(one));
      coverage.add(one, verdict);

      assert.notEqual(verdict.kind, 'contradiction', verdict.kind === 'contradiction' ? verdict.why : '');
      if (verdict.kind === 'same-job') assert.deepEqual(verdict.ours.job, expectedJob(verdict.peer, one));
    });
    await fc.assert(sameJob, given);
    return coverage;
  };

  const seeds = { 'a fixed seed': seed, 'a fresh seed': freshSeed };
  for (const [name, seed] of Object.entries(seeds)) {
    it(`makes the same Jobs, but for the named differences, with ${name} (${seed})`, async () => {
      const coverage = await compare({ seed, numRuns });

      process.stdout.write(`With ${name} (${seed}): ${coverage.report}\n`);
      assert.deepEqual(coverage.blindSpots, []);
    });
  }

  it('changes nothing that the template policy has no rule for', () => {
    fc.assert(
      fc.property(peerCase, fc.constantFrom('baseline' as const, 'locked' as const), (one, policy) => {
        const open = ask(one);
        const policed = buildJob(inputOf(one, policy));

        if (policed.kind === 'job' && policed.removed.length === 0) assert.deepEqual(policed, open);
        if (policed.kind === 'refused' && open.kind === 'job') assert.match(policed.message, /not allowed here/u);
      }),
      { seed, numRuns },
    );
  });

  it('has a row in the table for each difference it applies, and applies each row', () => {
    const rows = jobDifferences.filter(({ kind }) => kind === 'job').map(({ name }) => name);

    assert.deepEqual(changeNames.toSorted(), rows.toSorted());
  });
});
