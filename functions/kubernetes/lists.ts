import { BoundaryError } from '../errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Api } from './api.ts';
import { readListPage, type ListPage } from './list-page.ts';

/** Objects of one page. The API server charges a list by the hundred objects, and half a thousand parse in a few ms. */
const pageSize = 500;

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
  readonly signal: AbortSignal;
}

function pathOf({ path, labelSelector, fieldSelector }: ListQuery, next: string): string {
  const query = new URLSearchParams({ limit: String(pageSize) });
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) query.set('fieldSelector', fieldSelector);
  if (next !== '') query.set('continue', next);
  return `${path}?${query.toString()}`;
}

/** Null: the snapshot expired (410), nothing of this pass may be used. */
async function onePass<T>(api: Api, query: ListQuery, observe: (raw: JsonObject) => T): Promise<T[] | null> {
  const found: T[] = [];
  const tokens = new Set<string>();
  let next = '';
  do {
    const answer = await api.read(pathOf(query, next), query.signal);
    if (answer.status === 410) return null;
    if (answer.status !== 200) throw api.failure(answer, query.what);
    // Observed page by page, so that a page of several megabytes is gone before the next one comes.
    const page = readPage(answer.body, observe);
    if (page === null) throw api.unreadable(query.what);
    for (const item of page.items) found.push(item);
    next = page.next;
    // A token that came before leads in a circle.
    if (tokens.has(next) || tokens.size > mostPages) throw api.unreadable(query.what);
    tokens.add(next);
  } while (next !== '');
  return found;
}

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
 * All objects of a collection at one instant, read in pages. The token that comes with a 410 is not used: it continues
 * a list of another instant, and "absent" must mean absent.
 *
 * @throws BoundaryError
 */
export async function listAll<T>(api: Api, query: ListQuery, observe: (raw: JsonObject) => T): Promise<readonly T[]> {
  for (let pass = 0; pass <= restarts; pass += 1) {
    const found = await onePass(api, query, observe);
    if (found !== null) return found;
  }
  throw new BoundaryError(
    'CLUSTER_REFUSED',
    `The API server could not ${query.what}: its snapshot expired ${restarts + 1} times before the last page (410). The cluster's etcd compacts too often, or the list is too long; lower the time that finished Jobs stay.`,
  );
}
