import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';

import { packageWith, requiredParams, typed, type Package } from '../support/packaging.ts';

const names = ['dispatch', 'reconcile'];

const sha256Of = async ({ folder }: Package, name: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path.join(folder, `${name}.zip`)))
    .digest('base64');

describe('two packages of the same sources', () => {
  it('have the same bytes, whatever the stage, the params, the clock and the time zone, and say which', async () => {
    await using one = await packageWith(typed(requiredParams), { TZ: 'Pacific/Kiritimati' });
    const other = { ...requiredParams, eksClusterName: 'staging', logLevel: 'DEBUG' };
    await using two = await packageWith(['--stage', 'staging', ...typed(other)], { TZ: 'America/Adak' });

    for (const name of names) {
      const sha256 = await sha256Of(one, name);
      assert.equal(await sha256Of(two, name), sha256, name);
      for (const { said } of [one, two]) {
        assert.ok(said.includes(`CodeSha256 ${sha256}`), `${name} is not among the checksums:\n${said}`);
      }
    }
    assert.notEqual(await sha256Of(one, 'dispatch'), await sha256Of(one, 'reconcile'));
  });
});
