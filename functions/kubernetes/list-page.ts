import { isJsonObject, type JsonObject } from '../core/json.ts';

/** What a page of a list came to. */
export interface ListPage<T> {
  readonly items: readonly T[];
  /** Token of the next page; empty on the last one. */
  readonly next: string;
  /** Objects on the pages after this one, where the server counts them: without selectors. */
  readonly left?: number;
}

const opening = '"items":[';

/**
 * Between two items of a list of built-in objects, as the API server writes them (kubernetes 1.34, the order of the fields
 * of `metav1.TypeMeta`, which lists leave out, and `ObjectMeta`). In a JSON string the quotes would be escaped.
 */
const between = ',{"metadata":{';

/** The texts of the items and the page without them; null where the page does not look like one of the API server's. */
function cut(page: string): { readonly items: readonly string[]; readonly rest: string } | null {
  const start = page.indexOf(opening) + opening.length;
  const end = page.lastIndexOf(']');
  if (start < opening.length || end <= start) return null;
  const items: string[] = [];
  let from = start;
  for (let next = page.indexOf(between, from); next !== -1; next = page.indexOf(between, from + 1)) {
    items.push(page.slice(from, next));
    from = next + 1;
  }
  items.push(page.slice(from, end));
  return { items, rest: page.slice(0, start) + page.slice(end) };
}

const managed = ',"managedFields":[';

/**
 * Leaves out who set which field: more than a quarter of an object, and nobody asks. Ended by the first bracket that closes;
 * where that is another array's, or stands in a string, a bracket or a quote is left alone, and the item is no JSON.
 */
function withoutManagedFields(item: string): string {
  const start = item.indexOf(managed);
  const end = item.indexOf(']', start + managed.length);
  return start === -1 || end === -1 ? item : item.slice(0, start) + item.slice(end + 1);
}

const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {});

function restOf(list: JsonObject): Omit<ListPage<never>, 'items'> {
  const { continue: token, remainingItemCount: left } = objectOf(list['metadata']);
  const next = typeof token === 'string' ? token : '';
  return typeof left === 'number' ? { next, left } : { next };
}

/** Null: not a list. */
function readWhole<T>(page: string, observe: (raw: JsonObject) => T): ListPage<T> | null {
  const list: unknown = JSON.parse(page);
  if (!isJsonObject(list) || !Array.isArray(list['items'])) return null;
  return { items: list['items'].map((item) => observe(objectOf(item))), ...restOf(list) };
}

/** Null: cut in the wrong places, which shows because a part is not JSON, or because items are left over. */
function readInParts<T>(page: string, observe: (raw: JsonObject) => T): ListPage<T> | null {
  const parts = cut(page);
  if (parts === null) return null;
  try {
    const list: unknown = JSON.parse(parts.rest);
    if (!isJsonObject(list) || !Array.isArray(list['items']) || list['items'].length > 0) return null;
    return {
      items: parts.items.map((item) => observe(objectOf(JSON.parse(withoutManagedFields(item))))),
      ...restOf(list),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * Reads a page of a list and keeps of each item what `observe` keeps. Item by item: a page that is parsed as a whole is
 * alive as a whole, and the heap grows by several times the page before it is gone. `managedFields` may be missing in what
 * `observe` gets.
 *
 * @returns null when the page is JSON but no list
 * @throws SyntaxError when it is not JSON
 */
export function readListPage<T>(page: string, observe: (raw: JsonObject) => T): ListPage<T> | null {
  return readInParts(page, observe) ?? readWhole(page, observe);
}
