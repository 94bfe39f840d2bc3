import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import {
  claimsOf,
  claimTokenOf,
  effectiveState,
  inOrder,
  isUntouched,
  leaseIsOver,
} from '../../functions/core/history.ts';
import type { StateRow } from '../../functions/core/flow-run.ts';
import { aClaimRow, aRow, OTHER_STACK, STACK } from '../support/builders.ts';
import { at } from '../support/time.ts';

const scheduled = aRow({ state: 'Scheduled', at: '-1m', version: 1 });
const claim = aClaimRow({ at: '+1s', version: 2, key: '1' });
const cancelled = aRow({ state: 'Cancelled', at: '+2s', version: 3, message: 'Flow run is cancelled' });
const running = aRow({ state: 'Running', at: '+3s', version: 4 });
const lazarus = aRow({ state: 'Scheduled', at: '+11m', version: 5, message: 'Rescheduled by a Lazarus process.' });
const restarted = aRow({ state: 'Scheduled', at: '+12m', version: 6, message: 'Flow run restarted' });
const success = aRow({ state: 'Success', at: '+13m', version: 7 });

describe('the effective state is the last row that is not ours', () => {
  const cases: Record<string, { history: readonly StateRow[]; wantState: string | null }> = {
    'a claim leaves the Scheduled in force': { history: [scheduled, claim], wantState: 'Scheduled' },
    'a claim of another stack is foreign': {
      history: [scheduled, aClaimRow({ at: '+1s', version: 2, key: '1', by: OTHER_STACK })],
      wantState: 'Submitted',
    },
    'a cancel under a claim is in force': { history: [scheduled, cancelled, claim], wantState: 'Cancelled' },
    'a later Running does not clear a cancel': {
      history: [scheduled, claim, cancelled, running],
      wantState: 'Cancelled',
    },
    'a Scheduled of Lazarus does not clear a cancel': {
      history: [scheduled, cancelled, lazarus],
      wantState: 'Cancelled',
    },
    'a fresh Scheduled clears a cancel': { history: [scheduled, cancelled, restarted], wantState: 'Scheduled' },
    'a finished state replaces a cancel': { history: [scheduled, cancelled, running, success], wantState: 'Success' },
    'a Scheduled of Lazarus counts without a cancel': {
      history: [scheduled, running, lazarus],
      wantState: 'Scheduled',
    },
    'Cancelled follows Cancelling': {
      history: [
        running,
        aRow({ state: 'Cancelling', at: '+4s', version: 5 }),
        aRow({ state: 'Cancelled', at: '+5s', version: 6 }),
      ],
      wantState: 'Cancelled',
    },
    'a Failed of ours is not in force': {
      history: [scheduled, aRow({ state: 'Failed', at: '+3m', version: 3, by: STACK })],
      wantState: 'Scheduled',
    },
    'a Scheduled that carries our mark is foreign all the same': {
      history: [
        aRow({ state: 'Failed', at: '+1s', version: 1 }),
        aRow({ state: 'Scheduled', at: '+2s', version: 2, by: STACK }),
      ],
      wantState: 'Scheduled',
    },
    'a row with a lower version still counts': {
      history: [
        scheduled,
        aClaimRow({ at: '+1s', version: 3, key: '1' }),
        aRow({ state: 'Cancelled', at: '+2s', version: 2 }),
      ],
      wantState: 'Cancelled',
    },
    'nothing foreign, nothing in force': { history: [claim], wantState: null },
  };
  for (const [name, { history, wantState }] of Object.entries(cases)) {
    it(name, () => assert.equal(effectiveState(history, STACK)?.state ?? null, wantState));
  }

  const theirs = aClaimRow({ at: '+2s', version: 3, key: '1', by: OTHER_STACK });
  const again = aClaimRow({ at: '+3s', version: 4, key: '1', id: 'mine' });
  const ours = aClaimRow({ at: '+1s', version: 2, key: '1', id: 'mine' });
  const claims: Record<string, { history: readonly StateRow[]; wantState: string }> = {
    'another stack claims over ours': { history: [scheduled, ours, theirs], wantState: 'Submitted' },
    'another stack claims over ours and writes ours back': {
      history: [scheduled, ours, theirs, again],
      wantState: 'Scheduled',
    },
    'another stack claims over ours, and a new claim of ours lies over that': {
      history: [scheduled, ours, theirs, aClaimRow({ at: '+3s', version: 4, key: '1', id: 'other' })],
      wantState: 'Submitted',
    },
    'a cancel comes between another stack’s claim and ours again': {
      history: [scheduled, ours, theirs, aRow({ state: 'Cancelled', at: '+2500ms', version: 4 }), again],
      wantState: 'Cancelled',
    },
  };
  for (const [name, { history, wantState }] of Object.entries(claims)) {
    it(name, () => assert.equal(effectiveState(history, STACK)?.state, wantState));
  }

  it('does not depend on the order in which the rows arrive', () => {
    const rows = [scheduled, claim, cancelled, running, lazarus, restarted, success];
    fc.assert(
      fc.property(fc.shuffledSubarray(rows, { minLength: rows.length }), (shuffled) => {
        assert.deepEqual(inOrder(shuffled), rows);
      }),
    );
  });

  it('orders rows of one instant by version, then id', () => {
    const instant = { state: 'Running', at: '+1s' };
    const second = aRow({ ...instant, version: 3 });
    const first = aRow({ ...instant, version: 2 });
    assert.deepEqual(
      inOrder([{ ...second, id: 'b' }, { ...second, id: 'a' }, first]).map(({ id }) => id),
      [first.id, 'a', 'b'],
    );
  });
});

describe('a claim token', () => {
  it('is read from a Submitted state', () => {
    assert.deepEqual(claimTokenOf(claim.serializedState), {
      stack: STACK,
      claim: 'claim-2',
      key: '1',
      until: at('+2m'),
    });
  });

  const unreadable = {
    'another type of state': { type: 'Running', context: claim.serializedState['context'] ?? null },
    'no context': { type: 'Submitted' },
    'a context that is a list': { type: 'Submitted', context: [] },
    'a number where the key belongs': {
      type: 'Submitted',
      context: { stack: STACK, claim: 'c', key: 1, until: at('+1m').toISOString() },
    },
    'an end that is no time': { type: 'Submitted', context: { stack: STACK, claim: 'c', key: '1', until: 'soon' } },
  };
  for (const [name, state] of Object.entries(unreadable)) {
    it(`is not read from ${name}`, () => assert.equal(claimTokenOf(state), null));
  }

  it('holds until ten seconds after its end, for clocks that differ', () => {
    const token = claimTokenOf(claim.serializedState);
    assert.ok(token !== null);
    assert.equal(leaseIsOver(token, new Date(at('+2m').getTime() + 9_999)), false);
    assert.equal(leaseIsOver(token, new Date(at('+2m').getTime() + 10_000)), true);
  });

  it('is listed with the time the database gave it, foreign claims left out', () => {
    const foreign = aClaimRow({ at: '+2s', version: 3, key: '1', by: OTHER_STACK });
    assert.deepEqual(
      claimsOf([claim, foreign, scheduled], STACK).map(({ claim: id, at: instant }) => ({ id, instant })),
      [{ id: 'claim-2', instant: at('+1s') }],
    );
  });
});

describe('a run that nobody has taken up', () => {
  const cases: Record<string, { history: readonly StateRow[]; want: boolean }> = {
    'was created': { history: [scheduled], want: true },
    'was scheduled for another time since': { history: [scheduled, restarted], want: true },
    'was claimed by us': { history: [scheduled, claim], want: false },
    'was claimed by another agent, and scheduled again': {
      history: [scheduled, aRow({ state: 'Submitted', at: '+1s', version: 2 }), lazarus],
      want: false,
    },
    'was cancelled, and scheduled again': { history: [scheduled, cancelled, restarted], want: false },
    'ran, and was restarted': { history: [scheduled, running, restarted], want: false },
    'has a history that could not be read': { history: [], want: false },
  };
  for (const [name, { history, want }] of Object.entries(cases)) {
    it(`${want ? '' : 'is none that '}${name}`, () => assert.equal(isUntouched({ history }), want));
  }
});
