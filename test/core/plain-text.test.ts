import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { lastLines, plainText } from '../../functions/core/plain-text.ts';

describe('the last lines of a text of others', () => {
  const cases: Readonly<Record<string, { readonly text: string; readonly want: string }>> = {
    'are the text as it is when there is room': { text: 'one\n\ttwo\n', want: 'one\n\ttwo' },
    'have no colours, titles or links': {
      text: '\u001B[1;31mred\u001B[0m \u001B]8;;http://x\u001B\\link\u001B]8;;\u001B\\\u001B]0;title\u0007',
      want: 'red link',
    },
    'keep a bracket that is no sequence': { text: 'a [31m b', want: 'a [31m b' },
    'take the redraws of a progress bar for lines': { text: '10%\r20%\r\ndone', want: '10%\n20%\ndone' },
    'have no NUL, backspace or bell': { text: 'a\u0000b\u0008c\u0007\u007F', want: 'abc' },
    'begin with a whole line when they are cut': { text: `${'x'.repeat(60)}\nthe reason`, want: '… [cut]\nthe reason' },
    'are nothing of nothing': { text: '\n\n', want: '' },
  };
  for (const [name, { text, want }] of Object.entries(cases)) {
    it(name, () => {
      assert.equal(lastLines(text, 50), want);
    });
  }

  it('are cut in the middle of a line that is longer than all that is kept', () => {
    assert.equal(lastLines('x'.repeat(100), 24), `… [cut]\n${'x'.repeat(24)}`);
  });
});

describe('a text of others that is quoted', () => {
  const cases: Readonly<Record<string, { readonly text: string; readonly want: string }>> = {
    'stays as it is without such signs': {
      text: 'pod “a”: no\n\tnode\u00A0left 🙁 שלום',
      want: 'pod “a”: no\n\tnode\u00A0left 🙁 שלום',
    },
    'redraws no terminal': { text: 'a\u001B[2Jb\u001B]0;owned\u0007c', want: 'abc' },
    'has no control character of either range': {
      text: 'a\u0000b\u0007c\u007Fd\u009B31me',
      want: 'a\uFFFDb\uFFFDc\uFFFDd\uFFFD31me',
    },
    'ends its lines in one way': { text: 'a\r\nset-cookie: b\rc', want: 'a\nset-cookie: b\nc' },
    'runs in its own direction': { text: 'a\u202Eb\u2066c\u200Fd\u061Ce', want: 'a\uFFFDb\uFFFDc\uFFFDd\uFFFDe' },
  };
  for (const [name, { text, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(plainText(text), want));
  }
});
