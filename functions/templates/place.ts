/** Where a template lies: a file that was deployed with the functions, or an object elsewhere. */
export type Place =
  | { readonly kind: 'bundle'; readonly path: string }
  | {
      readonly kind: 'remote';
      readonly scheme: Scheme;
      readonly host: string;
      readonly path: string;
      readonly url: URL;
    };

export type RemotePlace = Extract<Place, { kind: 'remote' }>;

type Scheme = 's3' | 'gs' | 'http' | 'https';

export type PlaceResult =
  | { readonly kind: 'place'; readonly place: Place }
  | { readonly kind: 'refused'; readonly problem: string };

const longest = 2_048;

const refused = (problem: string): PlaceResult => ({ kind: 'refused', problem });
const found = (place: Place): PlaceResult => ({ kind: 'place', place });

/** Read by the peer from its own disk (prefect 1.4.1, utilities/filesystems.py); the agent's disk is our bundle. */
const local: ReadonlySet<string> = new Set(['agent', 'file', 'local']);

const remote: ReadonlyMap<string, Scheme> = new Map([
  ['s3', 's3'],
  ['gs', 'gs'],
  ['gcs', 'gs'],
  ['http', 'http'],
  ['https', 'https'],
]);

const climbs = (path: string): boolean => path.split('/').some((part) => part === '..' || part === '.');

/** The disk that a path speaks of begins at the folder of the templates: nothing outside of it can be named. */
function bundlePlace(rest: string): PlaceResult {
  const path = rest.replace(/^(?:\.?\/)+/u, '');
  if (path === '') return refused('names no file');
  if (climbs(path) || path.includes('\\')) return refused('leaves the folder of the templates');
  return found({ kind: 'bundle', path });
}

const bucketAndKey = /^\/\/(?<bucket>[a-z\d][a-z\d._-]{1,61}[a-z\d])(?:\/(?<key>.*))?$/su;

function objectPlace(scheme: 's3' | 'gs', rest: string): PlaceResult {
  const { bucket = '', key = '' } = bucketAndKey.exec(rest)?.groups ?? {};
  if (bucket === '') return refused(`must look like ${scheme}://bucket/key`);
  if (climbs(key)) return refused('has a . or .. among its parts');
  const path = `/${key}`;
  return found({ kind: 'remote', scheme, host: bucket, path, url: new URL(`${scheme}://${bucket}`) });
}

function webPlace(scheme: 'http' | 'https', text: string): PlaceResult {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '') return refused('is no URL');
  if (url.username !== '' || url.password !== '') return refused('has a user or a password in it');
  // A server may decode these into the very steps that the URL parser has taken already.
  if (/%(?:2e|2f|5c)/iu.test(url.pathname)) return refused('hides a separator in its path');
  url.hash = '';
  return found({ kind: 'remote', scheme, host: url.host, path: url.pathname, url });
}

function textProblem(text: string): string | null {
  if (text.length > longest) return `is longer than ${longest} characters`;
  return /\p{Cc}/u.test(text) ? 'has a control character in it' : null;
}

function remotePlace(scheme: Scheme, rest: string): PlaceResult {
  return scheme === 's3' || scheme === 'gs' ? objectPlace(scheme, rest) : webPlace(scheme, `${scheme}:${rest}`);
}

/**
 * Reads a template's path as the peer spells them: a bare path, `agent://`, `file://` and `local://` are the bundle;
 * `s3://`, `gs://` (`gcs://`), `http://` and `https://` are elsewhere. Pure.
 */
export function parsePlace(text: string): PlaceResult {
  const problem = textProblem(text);
  if (problem !== null) return refused(problem);
  const { name, rest = '' } = /^(?<name>[a-z][a-z\d+.-]*):(?<rest>.*)$/isu.exec(text)?.groups ?? {};
  if (name === undefined) return bundlePlace(text);
  if (local.has(name.toLowerCase())) return bundlePlace(rest);
  const scheme = remote.get(name.toLowerCase());
  return scheme === undefined
    ? refused(`has the scheme ${name}, which no template comes from`)
    : remotePlace(scheme, rest);
}

/** What may be shown of a place: a query can hold a signature. */
export function nameOfPlace(place: Place): string {
  return place.kind === 'bundle' ? place.path : `${place.scheme}://${place.host}${place.path}`;
}

function covers(source: string, place: RemotePlace): boolean {
  const parsed = parsePlace(source);
  if (parsed.kind === 'refused' || parsed.place.kind === 'bundle') return false;
  const { scheme, host, path } = parsed.place;
  if (scheme !== place.scheme || host !== place.host) return false;
  return place.path === path || place.path.startsWith(path.endsWith('/') ? path : `${path}/`);
}

/**
 * Whether one of the allowed prefixes covers a place: same scheme, same host and port (or bucket), and the path at or
 * below the prefix's, part by part: `s3://a/flows` covers `s3://a/flows/x`, and not `s3://a/flows-2/x`.
 */
export function isAllowed(place: RemotePlace, sources: readonly string[]): boolean {
  return sources.some((source) => covers(source, place));
}
