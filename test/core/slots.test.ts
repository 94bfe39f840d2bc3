import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { JobName, JobSnapshot } from '../../functions/core/cluster.ts';
import { Slots, type AskedJob } from '../../functions/core/slots.ts';
import { aJob, OTHER_STACK, STACK } from '../support/builders.ts';

const asked = (name: string, ...runLabels: readonly string[]): AskedJob => ({ name, runLabels });

interface Scene {
  readonly jobs?: readonly JobSnapshot[];
  readonly asked?: readonly AskedJob[];
  readonly maxPerTick?: number;
}

const hasPlace = (slots: Slots, labels: readonly string[]): boolean =>
  slots.free && slots.leftThisTick && slots.fullLabel(labels) === null;

/** How many more Jobs with these labels there is place for: of two in all, or of two with the label `gpu`. */
function places({ jobs, asked: own, maxPerTick }: Scene, labels: readonly string[]): number {
  const maxInFlight = labels.length > 0 ? 10 : 2;
  const limits = { stackId: STACK, maxInFlight, maxPerTick: maxPerTick ?? 10, labelLimits: new Map([['gpu', 2]]) };
  const slots = new Slots(limits, jobs ?? [], own ?? []);
  let count = 0;
  for (; hasPlace(slots, labels); count += 1) slots.take(labels);
  return count;
}

describe('places for Jobs', () => {
  const one = aJob({ name: 'one' as JobName, runLabels: ['gpu'] });
  const cases: Readonly<Record<string, { readonly scene: Scene; readonly want: number; readonly ofLabel: number }>> = {
    'nothing is there': { scene: {}, want: 2, ofLabel: 2 },
    'a Job of this stack is active': { scene: { jobs: [one] }, want: 1, ofLabel: 1 },
    'a Job of this stack is over': { scene: { jobs: [{ ...one, phase: 'complete' }] }, want: 2, ofLabel: 2 },
    'a Job of another stack is active': { scene: { jobs: [{ ...one, stackId: OTHER_STACK }] }, want: 2, ofLabel: 2 },
    'one was asked for that the list does not show': { scene: { asked: [asked('one', 'gpu')] }, want: 1, ofLabel: 1 },
    'one was asked for that the list shows': {
      scene: { jobs: [one], asked: [asked('one', 'gpu')] },
      want: 1,
      ofLabel: 1,
    },
    'one was asked for that is over by now': {
      scene: { jobs: [{ ...one, phase: 'complete' }], asked: [asked('one', 'gpu')] },
      want: 2,
      ofLabel: 2,
    },
    'one was asked for beside the one that is listed': {
      scene: { jobs: [one], asked: [asked('two', 'gpu')] },
      want: 0,
      ofLabel: 0,
    },
    'one without the label was asked for': { scene: { asked: [asked('one')] }, want: 1, ofLabel: 2 },
    'of three a tick may ask for, two were': {
      scene: { jobs: [{ ...one, phase: 'complete' }], asked: [asked('one'), asked('two')], maxPerTick: 3 },
      want: 1,
      ofLabel: 1,
    },
  };
  for (const [name, { scene, want, ofLabel }] of Object.entries(cases)) {
    it(`are ${want}, and ${ofLabel} of the label, where ${name}`, () => {
      assert.deepEqual([places(scene, []), places(scene, ['gpu'])], [want, ofLabel]);
    });
  }
});
