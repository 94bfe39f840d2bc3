import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { isBefore013, pythonList } from '../../functions/core/python-text.ts';

describe('the label list as Python prints it', () => {
  const cases: Readonly<Record<string, { labels: readonly string[]; want: string }>> = {
    'no label': { labels: [], want: '[]' },
    'plain labels': { labels: ['aws', 'etl'], want: "['aws', 'etl']" },
    'a single quote': { labels: ["it's"], want: '["it\'s"]' },
    'a double quote': { labels: ['a"b'], want: "['a\"b']" },
    'both quotes': { labels: [`a'b"c`], want: `['a\\'b"c']` },
    'escapes with a letter': { labels: ['\\\n\r\t'], want: "['\\\\\\n\\r\\t']" },
    'a control character': { labels: ['\u0001\u0085'], want: "['\\x01\\x85']" },
    'a blank that is no space': { labels: ['\u00a0\u2028 '], want: "['\\xa0\\u2028 ']" },
    'a sign beyond the basic plane': { labels: ['🦦\u{e0001}'], want: "['🦦\\U000e0001']" },
    'half a sign': { labels: ['\ud83e'], want: "['\\ud83e']" },
    'letters of other scripts': { labels: ['größe', '日本'], want: "['größe', '日本']" },
  };
  for (const [name, { labels, want }] of Object.entries(cases)) {
    it(`keeps ${name}`, () => assert.equal(pythonList(labels), want));
  }
});

describe('the age of a core version', () => {
  const cases: Readonly<Record<string, boolean | null>> = {
    '0.12.6': true,
    '0.9': true,
    '0': true,
    '0.13.0': false,
    '0.13': false,
    '0.13.0.0': false,
    '0.13.0.0.1': false,
    '0.14.22': false,
    '1.4.1': false,
    '10.0': false,
    '1!0.1': false,
    '0!0.12': true,
    '0.13.0rc1': true,
    '0.13.0-ALPHA_2': true,
    '0.13.1rc1': false,
    '0.13.0.dev3': true,
    '0.13.0.post1': false,
    '0.13.0-1': false,
    '0.13.0.post1.dev2': false,
    '0.13.0a1.post2': true,
    '0.13.0+local.1': false,
    '0.12.9+12.gabc': true,
    ' v0.12.1 ': true,
    '0.13.0+': null,
    '0.13.': null,
    latest: null,
    '': null,
  };
  for (const [version, want] of Object.entries(cases)) {
    it(`of "${version}" is ${want === null ? 'unknown' : want ? 'before 0.13' : 'not before 0.13'}`, () => {
      assert.equal(isBefore013(version), want);
    });
  }
});
