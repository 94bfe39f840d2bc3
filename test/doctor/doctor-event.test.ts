import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { doctorWishOf } from '../../functions/doctor-event.ts';

describe('doctorWishOf', () => {
  const events: Readonly<Record<string, { event: unknown; want: unknown }>> = {
    'a schedule’s event': { event: { source: 'aws.events', detail: {} }, want: null },
    'no event at all': { event: null, want: null },
    'a text': { event: 'doctor', want: null },
    'a list': { event: ['doctor'], want: null },
    'the event of the README': { event: { doctor: true }, want: { inCluster: false, image: null } },
    'a pod as well': { event: { doctor: true, inCluster: true }, want: { inCluster: true, image: null } },
    'an image for it': {
      event: { doctor: true, inCluster: true, image: 'flows:1' },
      want: { inCluster: true, image: 'flows:1' },
    },
    'an image that is none': { event: { doctor: true, image: '' }, want: { inCluster: false, image: null } },
  };
  for (const [name, { event, want }] of Object.entries(events)) {
    it(`reads ${name}`, () => assert.deepEqual(doctorWishOf(event), want));
  }

  const bad: Readonly<Record<string, { event: unknown; wantMessage: RegExp }>> = {
    'a doctor that is a text': { event: { doctor: 'true' }, wantMessage: /`doctor` must be true/ },
    'a doctor that is sent away': { event: { doctor: false }, wantMessage: /`doctor` must be true/ },
    'a misspelt field': { event: { doctor: true, incluster: true }, wantMessage: /it has a field `incluster`/ },
    'a wish in words': { event: { doctor: true, inCluster: 'yes' }, wantMessage: /`inCluster` must be true or false/ },
    'an image that is a number': { event: { doctor: true, image: 1 }, wantMessage: /`image` must be a text/ },
  };
  for (const [name, { event, wantMessage }] of Object.entries(bad)) {
    it(`refuses ${name}: a tick is not what was meant`, () => {
      assert.throws(() => doctorWishOf(event), { code: 'CONFIG_INVALID', message: wantMessage });
    });
  }
});
