import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { KnownSecrets } from '../functions/known-secrets.ts';
import { Secret } from '../functions/secret.ts';

describe('what Jobs of ours carry', () => {
  const environment = { PASSWORD: 'hunter-22', LONGER: 'hunter-22/and-more', RETRIES: '10', DEBUG: 'true', EMPTY: '' };

  const texts: Readonly<Record<string, { readonly text: string; readonly want: string }>> = {
    'is hidden wherever others repeat it': { text: 'env hunter-22, "hunter-22"', want: 'env [secret], "[secret]"' },
    'is hidden as a whole where one value begins with another': {
      text: 'hunter-22/and-more',
      want: '[secret]',
    },
    'is hidden in base64': { text: btoa('hunter-22'), want: '[secret]' },
    'stays where it is too short to be a secret': { text: '10 retries: true', want: '10 retries: true' },
    'is in no text that is empty': { text: '', want: '' },
  };
  for (const [name, { text, want }] of Object.entries(texts)) {
    it(name, () => assert.equal(new KnownSecrets(environment).hiddenIn(text), want));
  }

  it('counts from eight characters on', () => {
    const known = new KnownSecrets({ SEVEN: 'sevenxx', EIGHT: 'eightxxx' });
    assert.equal(known.hiddenIn('sevenxx eightxxx'), 'sevenxx [secret]');
  });

  it('is known of a source once it gave it, and stays known when there is another', async () => {
    const known = new KnownSecrets({});
    const tokens = ['the-first', 'the-second'].map((token) => new Secret(token));
    const next = async (): Promise<Secret | null> => tokens.shift() ?? null;
    const source = known.learnedFrom({ current: next, refresh: next });

    assert.equal(known.hiddenIn('the-first'), 'the-first');
    const given = [await source.current(), await source.refresh(), await source.current()];

    assert.deepEqual(
      given.map((secret) => secret?.reveal()),
      ['the-first', 'the-second', undefined],
    );
    assert.equal(known.hiddenIn('the-first, the-second'), '[secret], [secret]');
  });

  it('takes nothing out for a secret that is empty', () => {
    const known = new KnownSecrets({});
    known.learn(new Secret(''));
    assert.equal(known.hiddenIn('text'), 'text');
  });
});
