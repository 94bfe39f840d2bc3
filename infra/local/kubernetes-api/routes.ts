import { localMark } from '../http.ts';
import { apiVersionOf, resources, type Resource } from './resources.ts';

/** What a path with a method asks for. */
export interface Route {
  readonly group: string;
  readonly version: string;
  /** The resource as the path writes it, whether known or not. */
  readonly plural: string;
  /** Null: the local API does not know it. */
  readonly resource: Resource | null;
  /** '' = the cluster scope or all namespaces. */
  readonly namespace: string;
  /** '' = the collection. */
  readonly name: string;
  readonly subresource: string;
  /** As the authoriser calls it: create, get, list, watch, delete, deletecollection, patch, update. */
  readonly verb: string;
  readonly query: URLSearchParams;
}

const writeVerbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' };

function verbOf(method: string, name: string, query: URLSearchParams): string {
  if (method === 'DELETE') return name === '' ? 'deletecollection' : 'delete';
  const write = writeVerbs[method];
  if (write !== undefined) return write;
  if (name !== '') return 'get';
  return ['1', 'true'].includes(query.get('watch') ?? '') ? 'watch' : 'list';
}

interface Split {
  readonly namespace: string;
  readonly plural: string;
  readonly name: string;
  readonly subresource: string;
}

/** Splits what follows the version: `namespaces/n/jobs/x/status`, `namespaces/n`, `jobs`. */
function splitRest(rest: string): Split {
  const parts = rest.split('/').map(decodeURIComponent);
  const isInside = parts[0] === 'namespaces' && parts.length > 2;
  const [plural = '', name = '', subresource = ''] = isInside ? parts.slice(2) : parts;
  // The authoriser sees the request for a namespace itself as one inside that namespace.
  const namespace = parts[0] === 'namespaces' ? (parts[1] ?? '') : '';
  return { namespace, plural, name, subresource };
}

/** Group and version of a path under /api or /apis, and what follows. */
function splitPath(pathname: string): { group: string; version: string; rest: string } | null {
  const core = /^\/api\/([^/]+)\/(.+)$/u.exec(pathname);
  if (core !== null) return { group: '', version: core[1] ?? '', rest: core[2] ?? '' };
  const grouped = /^\/apis\/([^/]+)\/([^/]+)\/(.+)$/u.exec(pathname);
  if (grouped === null) return null;
  return { group: grouped[1] ?? '', version: grouped[2] ?? '', rest: grouped[3] ?? '' };
}

/** Null: not the path of a resource. */
export function routeOf(method: string, path: string): Route | null {
  const [pathname = '', search = ''] = path.split('?', 2);
  const place = splitPath(pathname);
  if (place === null) return null;
  const { group, version } = place;
  const split = splitRest(place.rest);
  const query = new URLSearchParams(search);
  const isAsked = (one: Resource): boolean => apiVersionOf(one) === apiVersionOf(place) && one.plural === split.plural;
  return {
    group,
    version,
    ...split,
    resource: resources.find(isAsked) ?? null,
    verb: verbOf(method, split.name, query),
    query,
  };
}

/** False: nothing lives under that group and version. */
export const isServed = (place: { readonly group: string; readonly version: string }): boolean =>
  resources.some((resource) => apiVersionOf(resource) === apiVersionOf(place));

/** Answers of the discovery endpoints that clients ask before they ask for anything else; null: not one of them. */
export function discovery(pathname: string): unknown {
  if (pathname === '/version') return { major: '1', minor: '35', gitVersion: 'v1.35.4', platform: localMark };
  if (pathname === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  if (pathname === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupNames().map(groupEntry) };
  const groupVersion = pathname.replace(/^\/apis?\//u, '');
  const members = resources.filter(
    (resource) => pathname.startsWith('/api') && apiVersionOf(resource) === groupVersion,
  );
  return members.length === 0 ? null : resourceList(groupVersion, members);
}

const groupNames = (): string[] => [...new Set(resources.map(({ group }) => group))].filter((group) => group !== '');

function groupEntry(name: string): unknown {
  const version = { groupVersion: `${name}/v1`, version: 'v1' };
  return { name, versions: [version], preferredVersion: version };
}

const naming = ({ shortNames, categories }: Resource) => ({
  ...(shortNames === undefined ? {} : { shortNames }),
  ...(categories === undefined ? {} : { categories }),
});

function resourceList(groupVersion: string, members: readonly Resource[]): unknown {
  const row = (resource: Resource, subresource: string): unknown => ({
    name: subresource === '' ? resource.plural : `${resource.plural}/${subresource}`,
    singularName: subresource === '' ? resource.kind.toLowerCase() : '',
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: subresource === '' ? resource.verbs : ['get', 'patch'],
    ...(subresource === '' ? naming(resource) : {}),
  });
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: members.flatMap((resource) => ['', ...resource.subresources].map((name) => row(resource, name))),
  };
}
