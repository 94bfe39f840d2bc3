import type { KubeObject } from './objects.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import type { Route } from './routes.ts';
import { fieldSelector, labelSelector, type Matches } from './selectors.ts';
import type { ClusterState } from './state.ts';
import { badRequest, expired } from './status.ts';

/** etcd is compacted every five minutes; a continue token is good for between five and ten. */
const snapshotLifeMs = 5 * 60_000;

interface ContinueToken {
  /** Version of the snapshot that it continues; -1: the most recent, inconsistent with the pages before. */
  readonly rv: number;
  /** Names up to and including this one were served. */
  readonly after: string;
}

interface Page {
  readonly items: readonly KubeObject[];
  readonly version: number;
  readonly next: string | null;
  readonly remaining: number;
}

function encodeToken({ rv, after }: ContinueToken): string {
  const start = `${after}\u0000`;
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv, start })).toString('base64url');
}

function decodeToken(text: string): ContinueToken {
  try {
    const { rv, start } = JSON.parse(Buffer.from(text, 'base64url').toString()) as { rv: unknown; start: unknown };
    if (typeof rv === 'number' && typeof start === 'string') return { rv, after: start.replace(/\0$/u, '') };
  } catch {
    // Fall through: not a token of ours.
  }
  throw badRequest('invalid continue token: continue key is not valid: invalid character');
}

const placeOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;

const snapshotKey = (resource: Resource, namespace: string, version: number): string =>
  `${resource.group}/${resource.plural}/${namespace}@${version}`;

/** Forgets every snapshot: from here on continue tokens answer 410, as after a compaction of etcd. */
export const compact = (state: ClusterState): void => state.snapshots.clear();

function forgetOldSnapshots(state: ClusterState, now: Date): void {
  for (const [key, { takenAt }] of state.snapshots) {
    if (now.getTime() - takenAt.getTime() > snapshotLifeMs) state.snapshots.delete(key);
  }
}

interface Source {
  readonly items: readonly KubeObject[];
  readonly version: number;
}

function sourceOf(
  state: ClusterState,
  resource: Resource,
  { route, token }: { route: Route; token: ContinueToken | null },
): Source {
  const { namespace } = route;
  if (token === null || token.rv === -1) {
    return { items: state.list(resource, namespace), version: state.version };
  }
  const snapshot = state.snapshots.get(snapshotKey(resource, namespace, token.rv));
  if (snapshot === undefined) throw expired(encodeToken({ rv: -1, after: token.after }));
  return { items: snapshot.items, version: token.rv };
}

function wholeNumber(text: string | null): number {
  if (text === null || text === '') return 0;
  if (!/^-?\d+$/u.test(text)) throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`);
  return Math.max(0, Number(text));
}

function checkVersion(query: URLSearchParams, isContinued: boolean): void {
  const version = query.get('resourceVersion') ?? '';
  if (version === '') return;
  if (isContinued) throw badRequest('specifying resource version is not allowed when using continue');
  if (/^\d+$/u.test(version)) return;
  throw badRequest(
    `invalid resource version: resourceVersion: Invalid value: "${version}": strconv.ParseUint: parsing "${version}": invalid syntax`,
  );
}

/** The first `limit` matching items of the source after the token's place, and whether anything is left. */
function cut(source: Source, matches: Matches, { limit, after }: { limit: number; after: string }): Page {
  const left = after === '' ? source.items : source.items.slice(firstAfter(source.items, after));
  const most = limit === 0 ? Infinity : limit;
  const items: KubeObject[] = [];
  for (const item of left) {
    if (matches(item)) items.push(item);
    if (items.length > most) break;
  }
  const last = items.at(most - 1);
  if (items.length <= most || last === undefined) return { items, version: source.version, next: null, remaining: 0 };
  const next = placeOf(last);
  const remaining = source.items.length - firstAfter(source.items, next);
  return { items: items.slice(0, most), version: source.version, next, remaining };
}

const firstAfter = (items: readonly KubeObject[], after: string): number => {
  const found = items.findIndex((item) => placeOf(item) > after);
  return found === -1 ? items.length : found;
};

// Objects are never changed in place, so their text can be kept as long as they are.
const texts = new WeakMap<KubeObject, string>();

function textOf(object: KubeObject): string {
  const known = texts.get(object);
  if (known !== undefined) return known;
  // Items of a list carry no type of their own.
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  const text = JSON.stringify(rest);
  texts.set(object, text);
  return text;
}

interface ListQuery {
  readonly limit: number;
  readonly token: ContinueToken | null;
  readonly matches: Matches;
  /** With a selector the server does not count what is left. */
  readonly isSelective: boolean;
}

function listQuery(query: URLSearchParams, resource: Resource): ListQuery {
  const continued = query.get('continue') ?? '';
  const token = continued === '' ? null : decodeToken(continued);
  checkVersion(query, token !== null);
  const labels = query.get('labelSelector') ?? '';
  const fields = query.get('fieldSelector') ?? '';
  const byLabel = labelSelector(labels);
  const byField = fieldSelector(fields, resource);
  return {
    limit: wholeNumber(query.get('limit')),
    token,
    matches: (object) => byLabel(object) && byField(object),
    isSelective: labels !== '' || fields !== '',
  };
}

function listMetadata({ version, next, remaining }: Page, isSelective: boolean): Record<string, unknown> {
  if (next === null) return { resourceVersion: String(version) };
  return {
    resourceVersion: String(version),
    continue: encodeToken({ rv: version, after: next }),
    ...(isSelective ? {} : { remainingItemCount: remaining }),
  };
}

/** What a list answers, before it is written down. */
export interface Listed {
  readonly items: readonly KubeObject[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Answers a list: selectors, `limit` and `continue` over one consistent snapshot, 410 when that is forgotten. */
export function listPage(
  state: ClusterState,
  { route, resource }: { route: Route; resource: Resource },
  now: Date,
): Listed {
  const { limit, token, matches, isSelective } = listQuery(route.query, resource);
  forgetOldSnapshots(state, now);
  const source = sourceOf(state, resource, { route, token });
  const page = cut(source, matches, { limit, after: token?.after ?? '' });
  if (page.next !== null) {
    const key = snapshotKey(resource, route.namespace, page.version);
    state.snapshots.set(key, { takenAt: now, items: source.items });
  }
  return { items: page.items, metadata: listMetadata(page, isSelective) };
}

/** The list as JSON text. */
export function listText({ items, metadata }: Listed, resource: Resource): string {
  const head = JSON.stringify({ kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata });
  return `${head.slice(0, -1)},"items":[${items.map(textOf).join(',')}]}`;
}
