import assert from 'node:assert/strict';
import { it } from 'node:test';

import { at } from '../support/time.ts';
import { check, type Invariant } from './checker.ts';
import { aJob, aRequest, aWitness } from './witnessed-example.ts';
import type { Witnessed } from './witness.ts';

/** Parts of hand-made histories that the tests of the checker share. */

type Cases = Readonly<Record<string, Partial<Witnessed>>>;

/** Each case of `fails` violates exactly this invariant, each of `passes` none. */
export function suite(invariant: Invariant, fails: Cases, passes: Cases): void {
  for (const [name, wish] of Object.entries(fails)) {
    it(`fails: ${name}`, () => {
      const violations = check(aWitness(wish));
      assert.deepEqual([...new Set(violations.map((violation) => violation.invariant))], [invariant]);
    });
  }
  for (const [name, wish] of Object.entries(passes)) {
    it(`passes: ${name}`, () => assert.deepEqual(check(aWitness(wish)), []));
  }
}

export const scheduled = { at: '+0s', state: 'Scheduled' } as const;
export const claimed = { at: '+1s', state: 'Submitted', ours: '1' } as const;
export const running = { at: '+5s', state: 'Running' } as const;
export const none = { jobs: [], executions: [] };
export const deletion = aRequest({
  actor: 'reconcile#1',
  to: 'kubernetes',
  method: 'DELETE',
  path: '/apis/batch/v1/namespaces/flows/jobs/etl-1',
  body: '{"preconditions":{"uid":"uid-1"}}',
});
export const gone = aJob({ finishedAt: at('+60s'), deletedAt: at('+200s') });
