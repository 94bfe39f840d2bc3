import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { JsonObject } from '../../functions/core/json.ts';
import { readListPage } from '../../functions/kubernetes/list-page.ts';

const asIs = (raw: JsonObject): JsonObject => raw;

const job = (name: string, more: object = {}): JsonObject => ({ metadata: { name }, ...more });

/** As the API server writes a page: kind, version, metadata, items. */
const pageWith = (items: readonly unknown[], metadata: object = { continue: 'next', resourceVersion: '99' }): string =>
  JSON.stringify({ kind: 'JobList', apiVersion: 'batch/v1', metadata, items });

const pages: Readonly<Record<string, { readonly items: readonly unknown[] }>> = {
  'no item': { items: [] },
  'one item': { items: [job('a')] },
  'several items': { items: [job('a'), job('b', { spec: {} }), job('c')] },
  'items that name their kind first, as other servers write them': {
    items: [
      { kind: 'Job', metadata: {} },
      { kind: 'Job', metadata: {} },
    ],
  },
  'a text that looks like the seam of two items': {
    items: [job('a', { status: { message: '},{"metadata":{"name":"b"}},{"metadata":{' } }), job('c')],
  },
  'an array within an item that has the same seams': {
    items: [job('a', { spec: { claims: [{ metadata: { name: 'x' } }, { metadata: { name: 'y' } }] } }), job('b')],
  },
  'a text that looks like the end of the list': { items: [job('a', { status: { message: ']}]' } })] },
  'a text that looks like its beginning': { items: [job('"items":[')] },
};

for (const [sentence, { items }] of Object.entries(pages)) {
  test(`A page is read with ${sentence}`, () => {
    assert.deepEqual(readListPage(pageWith(items), asIs), { items, next: 'next' });
  });
}

test('Items before the real ones are not taken for them', () => {
  const page = '{"metadata":{"items":[{"metadata":{"name":"false"}}]},"items":[{"metadata":{"name":"true"}}]}';

  assert.deepEqual(readListPage(page, asIs), { items: [job('true')], next: '' });
});

test('Items that are no objects are observed as empty ones', () => {
  assert.deepEqual(readListPage(pageWith([null, 7, ['x'], job('a')]), asIs)?.items, [{}, {}, {}, job('a')]);
});

test('A page may be formatted for people', () => {
  const list = { metadata: {}, items: [job('a'), job('b')] };

  assert.deepEqual(readListPage(JSON.stringify(list, null, 2), asIs)?.items, list.items);
});

for (const [sentence, page] of Object.entries({
  'a list without items': '{"kind":"JobList","metadata":{}}',
  'items that are no array': '{"items":{"metadata":{}}}',
  'a text': '"items"',
  nothing: 'null',
})) {
  test(`No list: ${sentence}`, () => {
    assert.equal(readListPage(page, asIs), null);
  });
}

for (const cut of [1, 2, 12, 30]) {
  test(`A page that lacks its last ${cut} characters is not read in part`, () => {
    const page = pageWith([job('a'), job('b')]);

    assert.throws(() => readListPage(page.slice(0, -cut), asIs), SyntaxError);
  });
}

test('An item is let go before the next one is parsed', () => {
  const seen: JsonObject[] = [];
  const page = `{"metadata":{},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":}}]}`;

  assert.throws(() => readListPage(page, (raw) => seen.push(raw)), SyntaxError);

  assert.deepEqual(seen, [job('a')]);
});

test('Whatever the items are, they are read as JSON reads the page', () => {
  const item = fc.oneof(
    fc.dictionary(fc.string(), fc.jsonValue()).map((more) => ({ metadata: { name: 'a' }, ...more })),
    fc.jsonValue(),
    fc.constant([{ a: [] }, { metadata: {} }]),
  );
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), (items) => {
      const page = pageWith(items);
      const whole = (JSON.parse(page) as { items: unknown[] }).items;
      const want = whole.map((each) => (typeof each === 'object' && each !== null && !Array.isArray(each) ? each : {}));
      assert.deepEqual(readListPage(page, asIs)?.items, want);
    }),
    { numRuns: 500 },
  );
});
