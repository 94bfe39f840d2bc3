import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { canary, disguises, echoes, nearMisses } from './echoed-secret.ts';
import { formsOf } from './secret-forms.ts';

const isFound = (text: string): boolean => formsOf(canary).some((form) => text.includes(form));

describe('a secret', () => {
  for (const [name, text] of Object.entries({ ...echoes, ...disguises }))
    it(`is found: ${name}`, () => assert.ok(isFound(text)));
  for (const [name, text] of Object.entries(nearMisses)) it(`is not: ${name}`, () => assert.ok(!isFound(text)));

  it('is looked for by few texts where encodings leave it as it is', () => {
    assert.ok(formsOf('LettersAndDigits1').length <= 10);
  });

  it('is none when it is as short as any word', () => {
    assert.throws(() => formsOf('password'));
  });
});
