import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { judgeClaim } from '../../functions/core/claim.ts';
import { judgeWrite, sameTruth } from '../../functions/core/guarded-write.ts';
import type { StateRow } from '../../functions/core/flow-run.ts';
import { failedState, restoredState, submittedState } from '../../functions/core/states.ts';
import { aClaimRow, aFlowRun, aRow, OTHER_STACK, STACK } from '../support/builders.ts';
import { at, T0 } from '../support/time.ts';

const scheduled = aRow({ state: 'Scheduled', at: '-1m', version: 1 });
const mine = aClaimRow({ at: '+1s', version: 2, key: '1', id: 'mine' });

describe('a re-read after a claim', () => {
  const cases: Record<string, { history: readonly StateRow[]; want: string; wantBy?: string }> = {
    'our token over a Scheduled: held': { history: [scheduled, mine], want: 'held' },
    'our token over a re-claim of the same key: held': {
      history: [scheduled, aClaimRow({ at: '-30s', version: 2, key: '1', id: 'earlier' }), mine],
      want: 'held',
    },
    'our token over a claim of ours for another attempt, within its lease: lost': {
      history: [scheduled, aClaimRow({ at: '-30s', version: 2, key: '0', id: 'earlier', until: '+90s' }), mine],
      want: 'lost',
    },
    'our token over a claim of ours for another attempt, whose lease is over: held': {
      history: [scheduled, aClaimRow({ at: '-3m', version: 2, key: '0', id: 'earlier', until: '-1m' }), mine],
      want: 'held',
    },
    'our token over a claim of another stack for another attempt: not ours to wait for': {
      history: [
        scheduled,
        aClaimRow({ at: '-30s', version: 2, key: '0', id: 'theirs', by: OTHER_STACK }),
        aRow({ state: 'Scheduled', at: '-20s', version: 3 }),
        mine,
      ],
      want: 'held',
    },
    'our token over a cancel of the same version: covered': {
      history: [scheduled, aRow({ state: 'Cancelled', at: '+500ms', version: 2 }), mine],
      want: 'covered',
      wantBy: 'Cancelled',
    },
    'our token over Running: covered': {
      history: [scheduled, aRow({ state: 'Running', at: '+500ms', version: 2 }), mine],
      want: 'covered',
      wantBy: 'Running',
    },
    'our token over Success: covered': {
      history: [scheduled, aRow({ state: 'Success', at: '+500ms', version: 3 }), mine],
      want: 'covered',
      wantBy: 'Success',
    },
    'another token of our stack: lost': {
      history: [scheduled, aClaimRow({ at: '+2s', version: 3, key: '1', id: 'theirs' })],
      want: 'lost',
    },
    'our claim id under another stack: lost': {
      history: [scheduled, aClaimRow({ at: '+1s', version: 2, key: '1', id: 'mine', by: OTHER_STACK })],
      want: 'lost',
    },
    'a state over our token: lost': {
      history: [scheduled, mine, aRow({ state: 'Running', at: '+2s', version: 3 })],
      want: 'lost',
    },
    'still Scheduled, the claim never landed: lost': { history: [scheduled], want: 'lost' },
  };
  for (const [name, { history, want, wantBy }] of Object.entries(cases)) {
    it(name, () => {
      const verdict = judgeClaim(aFlowRun({ history }), { claimId: 'mine', stackId: STACK, now: at('+3s') });
      assert.equal(verdict.kind, want);
      if (verdict.kind === 'covered') assert.equal(verdict.by.state, wantBy);
    });
  }
});

describe('a guarded write', () => {
  const basis = aFlowRun({ history: [scheduled, mine] });
  const ours = aRow({ state: 'Failed', at: '+5m', version: 3, by: STACK });
  const success = aRow({ state: 'Success', at: '+4m', version: 3 });
  const later = aRow({ state: 'Scheduled', at: '+6m', version: 4 });
  const sent = { state: ours.serializedState, stackId: STACK };
  const cases: Record<string, { news: readonly StateRow[]; want: string }> = {
    'our row alone: it stands': { news: [ours], want: 'stands' },
    'a foreign row slipped under ours: ours covers it': { news: [success, ours], want: 'covers' },
    'a foreign row came after ours: superseded': { news: [ours, later], want: 'superseded' },
    'only a foreign row: ours is absent': { news: [success], want: 'absent' },
    'nothing new: ours is absent': { news: [], want: 'absent' },
    'only a claim of ours, not the row that was sent: ours is absent': {
      news: [aClaimRow({ at: '+3s', version: 3, key: '1', id: 'again' })],
      want: 'absent',
    },
  };
  for (const [name, { news, want }] of Object.entries(cases)) {
    it(name, () =>
      assert.equal(judgeWrite(basis, aFlowRun({ history: [...basis.history, ...news] }), sent).kind, want),
    );
  }

  it('finds a Scheduled that was written back, though a Scheduled is never ours', () => {
    const state = restoredState(later, STACK);
    const row = { ...later, id: 'again', createdMicros: later.createdMicros + 1, serializedState: state };
    const before = aFlowRun({ history: [scheduled, mine, later, ours] });
    const after = aFlowRun({ history: [...before.history, row] });
    assert.equal(judgeWrite(before, after, { state, stackId: STACK }).kind, 'stands');
    assert.equal(judgeWrite(before, before, { state, stackId: STACK }).kind, 'absent');
  });

  it('takes a run for unchanged only with the same state, version and rows', () => {
    assert.equal(sameTruth(basis, aFlowRun({ history: [...basis.history] })), true);
    assert.equal(sameTruth(basis, aFlowRun({ history: [...basis.history, ours] })), false);
    const sameVersion = aClaimRow({ at: '+2s', version: 2, key: '1', id: 'mine' });
    assert.equal(sameTruth(basis, aFlowRun({ history: [scheduled, sameVersion] })), false);
  });
});

describe('the states we write', () => {
  const token = { stack: STACK, claim: 'c', key: '1', until: at('+2m') };

  it('wrap the Scheduled state as read', () => {
    const state = submittedState(aFlowRun({ history: [scheduled] }), token);
    assert.equal(state['message'], 'Submitted for execution');
    assert.deepEqual(state['state'], scheduled.serializedState);
    assert.deepEqual(state['context'], { stack: STACK, claim: 'c', key: '1', until: '2026-03-01T02:02:00.000Z' });
  });

  it('copy the inner state on a re-claim instead of nesting it', () => {
    const state = submittedState(aFlowRun({ history: [scheduled, mine] }), token);
    assert.deepEqual(state['state'], { type: 'Scheduled', start_time: T0.toISOString() });
  });

  it('mark a restored state as ours and leave the rest of it alone', () => {
    const row = aRow({ state: 'Cancelled', at: '+1s', version: 2, message: 'Flow run is cancelled' });
    assert.deepEqual(restoredState(row, STACK), { ...row.serializedState, context: { stack: STACK } });
  });

  it('leave a claim that is written back to its owner', () => {
    const theirs = aClaimRow({ at: '+1s', version: 2, key: '1', by: OTHER_STACK });
    assert.deepEqual(restoredState(theirs, STACK), theirs.serializedState);
  });

  it('name the key of the attempt that failed, where there is one', () => {
    assert.deepEqual(failedState('why', STACK, '1'), {
      type: 'Failed',
      message: 'why',
      context: { stack: STACK, key: '1' },
    });
    assert.deepEqual(failedState('why', STACK, null)['context'], { stack: STACK });
    assert.equal(failedState('no\u001B[2J \u202Enode', STACK, null)['message'], 'no \uFFFDnode');
  });
});
