import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { microsOf } from '../../functions/prefect/timestamp.ts';

describe('microsOf', () => {
  const second = Date.parse('2024-03-01T02:00:00Z') * 1000;
  const cases: Record<string, { text: string; want: number }> = {
    'whole seconds': { text: '2024-03-01T02:00:00+00:00', want: second },
    'all six digits': { text: '2024-03-01T02:00:00.123456+00:00', want: second + 123_456 },
    'trailing zeros that Postgres drops': { text: '2024-03-01T02:00:00.12+00:00', want: second + 120_000 },
    'more digits than a microsecond': { text: '2024-03-01T02:00:00.1234569+00:00', want: second + 123_456 },
    'a space, as psql prints it': { text: '2024-03-01 02:00:00+00', want: second },
    'an offset of another zone': { text: '2024-03-01T04:30:00.000007+02:30', want: second + 7 },
    'an offset without colon': { text: '2024-03-01T04:30:00+0230', want: second },
    'no zone at all': { text: '2024-03-01T02:00:00', want: second },
    'a day without time': { text: '2024-03-01', want: Number.NaN },
    'a month that does not exist': { text: '2024-13-01T02:00:00Z', want: Number.NaN },
    'a word': { text: 'soon', want: Number.NaN },
  };
  for (const [name, { text, want }] of Object.entries(cases)) {
    it(`reads ${name}`, () => assert.equal(microsOf(text), want));
  }
});
