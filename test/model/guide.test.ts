import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';

import { guidePath, variantSections } from './guide.ts';
import { fullScopes, smallScopes } from './scopes.ts';

const guide = await readFile(guidePath, 'utf8');

/** What stands between the markers of a table. */
function written(name: string): string {
  const [, text] = new RegExp(`<!-- table:${name} -->\n([\\s\\S]*?)\n<!-- /table -->`, 'u').exec(guide) ?? [];
  return text ?? '';
}

describe('the guide of the model', () => {
  it('shows for each broken rule the trace that is found', async () => {
    assert.equal(written('variants'), await variantSections(), 'npm run --silent model -- --guide writes it again');
  });

  it('has a line for every scope', () => {
    const names = [...written('scopes').matchAll(/^\| (?<name>[^|]+) \| [\d,]+ \|/gmu)];

    assert.deepEqual(
      names.map(({ groups }) => groups?.['name']),
      [...smallScopes, ...fullScopes].map(({ name }) => name),
    );
  });
});
