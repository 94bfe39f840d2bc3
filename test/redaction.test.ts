import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import { withoutCredentials, withoutValues } from '../functions/redaction.ts';
import { spellings } from '../functions/spellings.ts';
import { canary, echoes, nearMisses } from './faults/echoed-secret.ts';
import { formsOf, namedFormsOf } from './faults/secret-forms.ts';
import { withinASecond } from './support/cpu-time.ts';

describe('a credential is taken out by its form', () => {
  const texts: Readonly<Record<string, { text: string; want: string }>> = {
    'an EKS login': { text: 'token k8s-aws-v1.aHR0cHM6Ly9zdHM_x-y, sent', want: 'token k8s-aws-v1.[secret], sent' },
    'a bearer': { text: 'authorization: Bearer eyJhbGciOi.J9-x_y==', want: 'authorization: Bearer [secret]' },
    'a bearer, however it is written': {
      text: 'authorization=bearer%20pcu_1234567',
      want: 'authorization=bearer%20[secret]',
    },
    'a user with a password': { text: '"Basic dXNlcjpwYXNzd29yZA=="', want: '"Basic [secret]"' },
    'a signature in an address': {
      text: 'GET https://x.example/?X-Amz-Date=1&X-Amz-Signature=0a1b2c&X-Amz-Expires=60',
      want: 'GET https://x.example/?X-Amz-Date=1&X-Amz-Signature=[secret]&X-Amz-Expires=60',
    },
    'a session token in an address': {
      text: 'x-amz-security-token%3DIQoJb3JpZ2lu%2F%2F and more',
      want: 'x-amz-security-token%3D[secret] and more',
    },
    'a session token in a header': {
      text: '{"x-amz-security-token": "IQoJb3JpZ2lu//", "a": 1}',
      want: '{"x-amz-security-token": "[secret]", "a": 1}',
    },
    'a signed request': {
      text: 'authorization AWS4-HMAC-SHA256 Credential=AKIA/2026, Signature=0a1b\nnext',
      want: 'authorization AWS4-HMAC-SHA256 [secret]\nnext',
    },
    'a password in an address': { text: 'postgres://user:hunter2@db/x', want: 'postgres://user:[secret]@db/x' },
    'a private key': {
      text: '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----',
      want: '-----BEGIN RSA PRIVATE KEY-----[secret]-----END RSA PRIVATE KEY-----',
    },
  };
  for (const [name, { text, want }] of Object.entries(texts)) {
    it(name, () => assert.equal(withoutCredentials(text), want));
  }

  const harmless = [
    'Bearer of bad news',
    'Basic training of 8 models',
    'k8s-aws-v2 and k8s-aws-v1',
    'https://registry.example.com:5000/flows:1.0@sha256:0a1b',
    'X-Amz-Date=20261125T000000Z',
    'exceeded quota: count/jobs.batch=10, used: 10',
  ];
  for (const text of harmless) it(`stays: ${text}`, () => assert.equal(withoutCredentials(text), text));

  const hostile = ['://a:', 'Bearer ', 'X-Amz-Signature=', '-----BEGIN PRIVATE KEY-----', 'k8s-aws-v1.', 'Bearer a'];
  for (const piece of hostile) {
    it(`in time that does not grow with the square of the text: a million bytes of ${piece}`, async () => {
      const text = await withinASecond(() => withoutCredentials(piece.repeat(1_000_000 / piece.length)));
      assert.ok(text.length > 0);
    });
  }
});

describe('a credential is taken out by its value', () => {
  for (const [name, echo] of Object.entries(echoes)) {
    it(name, () => {
      const left = withoutValues(`<${echo}>`, [canary]);
      assert.deepEqual(
        formsOf(canary).filter((form) => left.includes(form)),
        [],
      );
      assert.match(left, /\[secret\]/u);
    });
  }
  for (const [name, text] of Object.entries(nearMisses)) {
    it(`and what is close to it stays: ${name}`, () => assert.equal(withoutValues(text, [canary]), text));
  }

  it('and the rest of the text stays', () => assert.equal(withoutValues('a, b and c', ['b']), 'a, [secret] and c'));

  it('whatever it is made of, in every form in which a scan finds it', () => {
    const credentials = fc
      .string({ unit: 'binary', minLength: 10, maxLength: 60 })
      .filter((text) => !/^\s*$/u.test(text));
    fc.assert(
      fc.property(credentials, (credential) => {
        const { hexadecimal, 'each byte escaped': bytes, ...realistic } = namedFormsOf(credential);
        assert.ok(hexadecimal && bytes);
        const forms = Object.values(realistic).flat();
        const left = withoutValues(forms.join(' | '), [credential]);
        assert.deepEqual(
          forms.filter((form) => left.includes(form)),
          [],
        );
      }),
    );
  });

  it('and one that is short is not looked for in pieces, which stand in many texts', () => {
    assert.equal(withoutValues(`${btoa('xabcd')} ${btoa('abc')}`, ['abc']), `${btoa('xabcd')} [secret]`);
  });

  it('of letters and digits has few spellings: each answer to a write is looked through for them', () => {
    assert.ok(spellings('LettersAndDigits1').length <= 6);
  });
});
