import { BoundaryError } from '../errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Api } from './api.ts';
import { readListPage, type ListPage } from './list-page.ts';
import type { ApiAnswer } from './session.ts';

/** Objects of one page. The API server charges a list by the hundred objects, and half a thousand parse in a few ms. */
const pageSize = 500;

/**
 * A page that is too large to be held is asked for with a quarter of its objects, and the pages after it with twice as many
 * each. An object takes at most 1.5 MiB (etcd's limit of a request), so that the smallest page is never too large.
 */
const pageLeft = 0.25;
const pageGrowth = 2;

/** Ten times the Jobs that are planned for; a server that still has another page has no last one. */
const mostPages = 200;

/** How often a list whose snapshot expired is begun again. */
const restarts = 3;

export interface ListQuery {
  /** Collection, e.g. `/apis/batch/v1/namespaces/flows/jobs`. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What it is, for messages: `list the Jobs`. */
  readonly what: string;
  /** A longer list is not read to its end, and one of which the server does not say how long it is. */
  readonly most?: number;
  readonly signal: AbortSignal;
}

/** Where a page begins, and how many objects it has. */
interface PageWish {
  readonly next: string;
  readonly limit: number;
}

function pathOf({ path, labelSelector, fieldSelector }: ListQuery, { next, limit }: PageWish): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) query.set('fieldSelector', fieldSelector);
  if (next !== '') query.set('continue', next);
  return `${path}?${query.toString()}`;
}

/** Of a snapshot that expired (410), and of a list that is too long, nothing of the pass may be used. */
type Pass<T> = { readonly kind: 'whole'; readonly found: T[] } | { readonly kind: 'expired' | 'too-long' };

const isTooLong = ({ next, left }: ListPage<unknown>, found: number, { most }: ListQuery): boolean =>
  most !== undefined && next !== '' && found + (left ?? Infinity) > most;

async function onePass<T>(api: Api, query: ListQuery, observe: (raw: JsonObject) => T): Promise<Pass<T>> {
  const found: T[] = [];
  const tokens = new Set<string>();
  let next = '';
  let limit = pageSize;
  do {
    const { answer, taken } = await readLimited(api, query, { next, limit });
    limit = Math.min(pageSize, taken * pageGrowth);
    if (answer.status === 410) return { kind: 'expired' };
    if (answer.status !== 200) throw api.failure(answer, query.what);
    // Observed page by page, so that a page of several megabytes is gone before the next one comes.
    const page = readPage(answer.body, observe);
    if (page === null) throw api.unreadable(query.what);
    for (const item of page.items) found.push(item);
    if (isTooLong(page, found.length, query)) return { kind: 'too-long' };
    next = page.next;
    if (!leadsOn(tokens, next)) throw api.unreadable(query.what);
    tokens.add(next);
  } while (next !== '');
  return { kind: 'whole', found };
}

/** A page of as many objects as can be held; a token goes on wherever the page before it ended, whatever its limit. */
async function readLimited(
  api: Api,
  query: ListQuery,
  { next, limit }: PageWish,
): Promise<{ readonly answer: ApiAnswer; readonly taken: number }> {
  for (let taken = limit; ; taken = Math.floor(taken * pageLeft)) {
    const path = pathOf(query, { next, limit: taken });
    const isLeast = taken * pageLeft < 1;
    const answer = await (isLeast ? api.read(path, query.signal) : api.readUnlessTooLarge(path, query.signal));
    if (answer !== null) return { answer, taken };
  }
}

/** A token that came before leads in a circle. */
const leadsOn = (tokens: ReadonlySet<string>, next: string): boolean => !tokens.has(next) && tokens.size <= mostPages;

/** Null: half an answer, or a page of a proxy. */
function readPage<T>(body: string, observe: (raw: JsonObject) => T): ListPage<T> | null {
  try {
    return readListPage(body, observe);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * All objects of a collection at one instant, read in pages; null when there are more than `most`. The token that comes
 * with a 410 is not used: it continues a list of another instant, and "absent" must mean absent.
 *
 * @throws BoundaryError
 */
export async function listUpTo<T>(
  api: Api,
  query: ListQuery,
  observe: (raw: JsonObject) => T,
): Promise<readonly T[] | null> {
  for (let tried = 0; tried <= restarts; tried += 1) {
    const pass = await onePass(api, query, observe);
    if (pass.kind !== 'expired') return pass.kind === 'whole' ? pass.found : null;
  }
  throw new BoundaryError(
    'CLUSTER_REFUSED',
    `The API server could not ${query.what}: its snapshot expired ${restarts + 1} times before the last page (410). The cluster's etcd compacts too often, or the list is too long; lower the time that finished Jobs stay.`,
  );
}

/** The same of a list of any length. */
export const listAll = async <T>(
  api: Api,
  query: Omit<ListQuery, 'most'>,
  observe: (raw: JsonObject) => T,
): Promise<readonly T[]> => (await listUpTo(api, query, observe)) ?? [];
