import { admitAndStore } from './create.ts';
import type { JsonObject, Metadata } from './objects.ts';
import { namespaces, resources } from './resources.ts';
import { ClusterState, type Authenticate, type Identity } from './state.ts';

export interface ClusterOptions {
  /** The same seed gives the same uids and name suffixes. */
  readonly seed: number;
  /** When the namespaces of the start were made. */
  readonly now: Date;
  /** Judges tokens that are not static ones; nobody by default. */
  readonly authenticate?: Authenticate;
  /** Made at the start; `default` always is. */
  readonly namespaces?: readonly string[];
}

/** An empty cluster with its namespaces and the static user `admin` (group system:masters). */
export function createClusterState(options: ClusterOptions): ClusterState {
  const state = new ClusterState(options.seed, options.authenticate ?? (() => null));
  addUser(state, { user: 'admin', groups: ['system:masters'] });
  for (const name of new Set(['default', ...(options.namespaces ?? [])])) {
    admitAndStore(state, namespaces, { raw: {}, metadata: { name }, dryRun: false, now: options.now });
  }
  return state;
}

/** Gives a user a static token and returns it. */
export function addUser(state: ClusterState, identity: Identity): string {
  const token = `local-${identity.user}-${state.newSuffix(16)}`;
  state.tokens.set(token, identity);
  return token;
}

/** The static token of a user; throws when there is none. */
export function tokenOf(state: ClusterState, user: string): string {
  const found = [...state.tokens].find(([, identity]) => identity.user === user);
  if (found === undefined) throw new Error(`the local cluster has no static token for ${user}`);
  return found[0];
}

/** An object as a manifest writes it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [field: string]: unknown;
}

/**
 * What `kubectl apply` does with our printed manifests: creates what is not there, replaces what is.
 *
 * @throws Error for a kind that the local API does not know, StatusError when admission refuses.
 */
export function applyManifests(state: ClusterState, manifests: readonly Manifest[], now: Date): void {
  for (const manifest of manifests) {
    const resource = resources.find(({ kind }) => kind === manifest.kind);
    if (resource === undefined) throw new Error(`the local cluster knows no ${manifest.kind}`);
    const { metadata, kind: _kind, apiVersion: _apiVersion, ...raw } = manifest;
    const placed: Partial<Metadata> = {
      ...metadata,
      ...(resource.namespaced ? { namespace: metadata.namespace ?? 'default' } : {}),
    };
    const existing = state.read(resource, placed.namespace ?? '', metadata.name);
    if (existing === null)
      admitAndStore(state, resource, { raw: raw as JsonObject, metadata: placed, dryRun: false, now });
    else state.write(resource, { ...existing, ...raw, metadata: { ...existing.metadata, ...metadata } });
  }
}
