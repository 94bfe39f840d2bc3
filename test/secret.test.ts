import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';

import { Secret } from '../functions/secret.ts';

describe('a secret', () => {
  const secret = new Secret('a+b/c?d');

  it('does not print itself', () => {
    assert.deepEqual(
      [String(secret), JSON.stringify({ secret }), inspect({ secret })],
      ['[secret]', '{"secret":"[secret]"}', '{ secret: [secret] }'],
    );
  });

  const echoes: Record<string, { text: string; want: string }> = {
    bare: { text: 'who is a+b/c?d, a+b/c?d?', want: 'who is [secret], [secret]?' },
    'in base64': { text: `Basic ${btoa('a+b/c?d')}`, want: 'Basic [secret]' },
    'in a URL': { text: '?token=a%2Bb%2Fc%3Fd', want: '?token=[secret]' },
    'not at all': { text: 'a+b/c', want: 'a+b/c' },
  };
  for (const [name, { text, want }] of Object.entries(echoes)) {
    it(`is taken out of what others say: ${name}`, () => assert.equal(secret.hiddenIn(text), want));
  }

  it('that is empty takes nothing out', () => assert.equal(new Secret('').hiddenIn('text'), 'text'));
});
