import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { coveredRow } from '../../functions/core/guarded-write.ts';
import { aFlowRun, aRow, STACK } from '../support/builders.ts';

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

  for (const state of ['__proto__', 'constructor', 'toString', 'Resume']) {
    it(`is none under a state that we never write: ${state}`, () => {
      assert.equal(coveredRow(ourWriteOver(state), STACK), null);
    });
  }
});
