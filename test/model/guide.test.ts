import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';

import { guidePath, variantSection } from './guide.ts';
import { fullScopes, smallScopes } from './scopes.ts';
import { variants } from './variants.ts';

const guide = await readFile(guidePath, 'utf8');

/** What stands between the markers of a table. */
function written(name: string): string {
  const [, text] = new RegExp(`<!-- table:${name} -->\n([\\s\\S]*?)\n<!-- /table -->`, 'u').exec(guide) ?? [];
  return text ?? '';
}

describe('a rule broken in the real ticks', () => {
  for (const variant of variants) {
    it(`violates ${variant.violates}, by the trace in the guide: ${variant.name}`, async () => {
      const section = await variantSection(variant);

      assert.ok(
        written('variants').includes(section),
        `npm run --silent model -- --guide writes it again:\n${section}`,
      );
    });
  }
});

describe('the guide of the model', () => {
  it('shows nothing that is not broken', () => {
    const headings = [...written('variants').matchAll(/^### (?<name>.+)$/gmu)].map(({ groups }) => groups?.['name']);

    assert.deepEqual(
      headings.map((heading) => heading?.toLowerCase()),
      variants.map(({ name }) => name.toLowerCase()),
    );
  });

  it('has a line for every scope', () => {
    const names = [...written('scopes').matchAll(/^\| (?<name>[^|]+) \| [\d,]+ \|/gmu)];

    assert.deepEqual(
      names.map(({ groups }) => groups?.['name']),
      [...smallScopes, ...fullScopes].map(({ name }) => name),
    );
  });
});
