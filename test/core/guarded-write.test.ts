import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { coveredRow } from '../../functions/core/guarded-write.ts';
import type { StateRow } from '../../functions/core/flow-run.ts';
import { aClaimRow, aFlowRun, aRow, STACK } from '../support/builders.ts';

/** A run whose newest row is ours, in a state of this name, over a Success of somebody else. */
function ourWriteOver(state: string) {
  const success = aRow({ state: 'Success', at: '-2m', version: 2 });
  const ours = aRow({ state, at: '-1m', version: 3, by: STACK });
  return aFlowRun({ history: [success, ours] });
}

describe('coveredRow', () => {
  it('is the state of somebody else that a write of ours came to lie over', () => {
    assert.equal(coveredRow(ourWriteOver('Submitted'), STACK)?.state, 'Success');
  });

  // The pod that was given up had started when the Failed came.
  const scheduled = aRow({ state: 'Scheduled', at: '-30m', version: 1 });
  const claim = aClaimRow({ at: '-29m', version: 2, key: '1', until: '-28m' });
  const running = aRow({ state: 'Running', at: '-2m', version: 3 });
  const failed = aRow({ state: 'Failed', at: '-1m', version: 4, by: STACK });
  const keyed = { ...failed, serializedState: { type: 'Failed', context: { stack: STACK, key: '1' } } };
  const ofARetry = { ...failed, serializedState: { type: 'Failed', context: { stack: STACK, key: 'a-uid' } } };
  const coveredIn = (...history: readonly StateRow[]): string | null =>
    coveredRow(aFlowRun({ history }), STACK)?.state ?? null;

  it('is a Running that came while a Failed for its claim was on its way', () => {
    assert.equal(coveredIn(scheduled, claim, running, keyed), 'Running');
  });

  it('is none under a Failed that was decided over that Running', () => {
    assert.equal(coveredIn(scheduled, claim, running, failed), null);
  });

  it('is none under a Failed for a task retry, whose key is no claim’s: it was decided over that Running', () => {
    assert.equal(coveredIn(scheduled, claim, running, ofARetry), null);
  });

  it('is none under a Failed for the claim alone', () => assert.equal(coveredIn(scheduled, claim, keyed), null));

  it('is none under a Failed for a claim that came after that Running', () => {
    assert.equal(coveredIn(scheduled, { ...running, createdMicros: claim.createdMicros - 1 }, claim, keyed), null);
  });

  for (const state of ['__proto__', 'constructor', 'toString', 'Resume']) {
    it(`is none under a state that we never write: ${state}`, () => {
      assert.equal(coveredRow(ourWriteOver(state), STACK), null);
    });
  }
});
