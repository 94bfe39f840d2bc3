import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { otherCheckout, packageWith, requiredParams, typed, type Package } from '../support/packaging.ts';

const names = ['dispatch', 'reconcile'];

const sha256Of = async ({ folder }: Package, name: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path.join(folder, `${name}.zip`)))
    .digest('base64');

describe('two packages of the same sources', () => {
  let one: Package;
  before(async () => {
    one = await packageWith(typed(requiredParams), { env: { TZ: 'Pacific/Kiritimati' } });
  });
  after(async () => one[Symbol.asyncDispose]());

  it('have the same bytes, whatever the stage, the params, the clock and the time zone, and say which', async () => {
    const other = { ...requiredParams, eksClusterName: 'staging', logLevel: 'DEBUG' };
    await using two = await packageWith(['--stage', 'staging', ...typed(other)], { env: { TZ: 'America/Adak' } });

    for (const name of names) {
      const sha256 = await sha256Of(one, name);
      assert.equal(await sha256Of(two, name), sha256, name);
      for (const { said } of [one, two]) {
        assert.ok(said.includes(`CodeSha256 ${sha256}`), `${name} is not among the checksums:\n${said}`);
      }
    }
    assert.notEqual(await sha256Of(one, 'dispatch'), await sha256Of(one, 'reconcile'));
  });

  it('have the same bytes, wherever the checkout is and whoever may read its files', async () => {
    await using checkout = await otherCheckout();
    const { mode } = await stat(path.join(checkout.root, 'infra/templates/gpu.yaml'));
    assert.equal(mode & 0o777, 0o600);

    await using two = await packageWith(typed(requiredParams), { checkout });

    for (const name of names) assert.equal(await sha256Of(two, name), await sha256Of(one, name), name);
  });
});
