import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { Json, JsonObject } from '../../functions/core/json.ts';
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

/** As the API server writes an object: its managed fields are the last of its metadata. */
const managedJob = (managedFields: Json, more: object = {}): JsonObject => ({
  metadata: { name: 'a', labels: { app: 'x' }, managedFields },
  spec: { args: ['x'] },
  ...more,
});
const withoutThem = { metadata: { name: 'a', labels: { app: 'x' } }, spec: { args: ['x'] } };
const keys = (...names: readonly string[]) => [
  { manager: 'x', fieldsV1: Object.fromEntries(names.map((name) => [name, {}])) },
];

for (const [sentence, { item, want }] of Object.entries({
  'are left out': { item: managedJob(keys('f:spec', 'k:{"name":"flow"}')), want: withoutThem },
  'are left out where there are none': { item: managedJob([]), want: withoutThem },
  'are left out after another array': {
    item: { metadata: { name: 'a', finalizers: ['f'], managedFields: keys('f:spec') } },
    want: { metadata: { name: 'a', finalizers: ['f'] } },
  },
  'are left out wherever they stand': {
    item: { metadata: { labels: {}, managedFields: [{ manager: 'x' }], name: 'a' }, spec: { list: [{ x: [] }] } },
    want: { metadata: { labels: {}, name: 'a' }, spec: { list: [{ x: [] }] } },
  },
  'are parsed where an array is in them': { item: managedJob([{ a: [1] }]), want: managedJob([{ a: [1] }]) },
  'are parsed where a bracket opens in a key': { item: managedJob(keys('v:[1]')), want: managedJob(keys('v:[1]')) },
  'are parsed where a bracket closes in a key': { item: managedJob(keys('}]},')), want: managedJob(keys('}]},')) },
  'are parsed where several brackets close in a key': {
    item: managedJob(keys(']', '}]')),
    want: managedJob(keys(']', '}]')),
  },
  'are no text that only looks like them': {
    item: job('a', { text: ',"managedFields":[{}]' }),
    want: job('a', { text: ',"managedFields":[{}]' }),
  },
})) {
  test(`Managed fields ${sentence}`, () => {
    assert.deepEqual(readListPage(pageWith([item, job('b')]), asIs)?.items, [want, job('b')]);
  });
}

test('Whatever managed fields are, nothing else is missing', () => {
  const without = (raw: unknown): JsonObject =>
    JSON.parse(JSON.stringify(raw), (key, value: unknown) =>
      key === 'managedFields' ? undefined : value,
    ) as JsonObject;
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[[\]{},":]{0,6}$/u));
  const fields = fc.array(fc.oneof(fc.dictionary(text, text), fc.jsonValue()), { maxLength: 3 });
  const item = fc.tuple(fields, fc.dictionary(text, text), fc.boolean()).map(([managedFields, labels, isLast]) => ({
    metadata: isLast ? { name: 'a', labels, managedFields } : { name: 'a', managedFields, labels },
    spec: { labels },
  }));
  fc.assert(
    fc.property(fc.array(item, { maxLength: 4 }), (items) => {
      assert.deepEqual(readListPage(pageWith(items), without)?.items, items.map(without));
    }),
    { numRuns: 1_000 },
  );
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
