import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { checkIntegrity } from '../lambda/runtime-client.ts';

describe('a fetched release', () => {
  // printf 'abc' | openssl dgst -sha512 -binary | base64
  const integrity = 'sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==';
  const release = { name: 'some-client', version: '1.2.3', integrity };

  it('is taken when its bytes are the pinned ones', () => {
    assert.doesNotThrow(() => checkIntegrity(release, Buffer.from('abc')));
  });

  it('is refused when one byte differs, with both hashes', () => {
    assert.throws(
      () => checkIntegrity(release, Buffer.from('abd')),
      /^Error: some-client@1\.2\.3 is sha512-.+ not the pinned sha512-3a81/u,
    );
  });
});
