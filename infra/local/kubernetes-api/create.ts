import {
  admitPodSecurity,
  admitQuotas,
  admitServiceAccount,
  admitToNamespace,
  podSecurityWarnings,
} from './admission.ts';
import { decodeObject, judgeUnknownFields } from './decode.ts';
import { defaultedJob } from './job-defaults.ts';
import { jobProblems, metadataProblems } from './job-validation.ts';
import type { Job, JsonObject, KubeObject, Metadata, Pod } from './objects.ts';
import { defaultedPod } from './pod-defaults.ts';
import { apiVersionOf, jobs, namespaces, pods, serviceAccounts, type Resource } from './resources.ts';
import type { Route } from './routes.ts';
import type { ClusterState } from './state.ts';
import { alreadyExists, badRequest, invalid } from './status.ts';

export interface Created {
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

const nameLimit = 63;

/** The name that `generateName` becomes: the base is cut so that base and suffix stay within a label. */
export function generatedName(state: ClusterState, base: string): string {
  return `${base.slice(0, nameLimit - 5)}${state.newSuffix()}`;
}

function metadataOf(
  state: ClusterState,
  resource: Resource,
  { wanted, now }: { wanted: Partial<Metadata>; now: Date },
): Metadata {
  const metadata = state.newMetadata(resource, wanted, now);
  const { generateName = '' } = wanted;
  return metadata.name === '' && generateName !== ''
    ? { ...metadata, name: generatedName(state, generateName) }
    : metadata;
}

function completed(resource: Resource, raw: JsonObject, metadata: Metadata): KubeObject {
  if (resource === jobs) return defaultedJob({ ...raw, metadata });
  if (resource === pods) return defaultedPod({ ...raw, metadata });
  const typed = { ...raw, kind: resource.kind, apiVersion: apiVersionOf(resource), metadata };
  return resource === namespaces ? namespaceDefaults(typed) : typed;
}

function namespaceDefaults(namespace: KubeObject): KubeObject {
  const { metadata } = namespace;
  const labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
  return {
    ...namespace,
    metadata: { ...metadata, labels },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
}

export interface Submission {
  readonly raw: JsonObject;
  readonly metadata: Partial<Metadata>;
  readonly dryRun: boolean;
  readonly now: Date;
}

/** Everything that can refuse an object, in the API server's order; returns it with its defaults. */
function admit(state: ClusterState, resource: Resource, { raw, metadata, now }: Submission): KubeObject {
  const { namespace = '', name = '' } = metadata;
  if (resource.namespaced) admitToNamespace(state, resource, { namespace, name });
  if (resource === pods) admitServiceAccount(state, { ...raw, metadata } as KubeObject as Pod);
  const object = completed(resource, raw, metadataOf(state, resource, { wanted: metadata, now }));
  const problems = resource === jobs ? jobProblems(object as Job) : metadataProblems(object.metadata);
  if (problems.length > 0) throw invalid(resource, object.metadata.name, problems);
  if (resource === pods) admitPodSecurity(state, object as Pod);
  admitQuotas(state, resource, object);
  return object;
}

/**
 * Puts a new object through admission and into the store: namespace, service account, defaults, validation,
 * PodSecurity, quota, and only then the name. A dry run does everything but store. Throws StatusError.
 */
export function admitAndStore(state: ClusterState, resource: Resource, submission: Submission): Created {
  const object = admit(state, resource, submission);
  const { name, namespace = '' } = object.metadata;
  if (state.read(resource, namespace, name) !== null) throw alreadyExists(resource, name);
  const warnings = resource === jobs ? podSecurityWarnings(state, object as Job) : [];
  if (submission.dryRun) return { object: withoutVersion(object), warnings };
  const stored = state.write(resource, object);
  if (resource === namespaces) addDefaultServiceAccount(state, name, submission.now);
  return { object: stored, warnings };
}

function withoutVersion(object: KubeObject): KubeObject {
  const { resourceVersion: _none, ...metadata } = object.metadata;
  return { ...object, metadata: metadata as Metadata };
}

/** The service account controller does this within moments of a namespace's creation. */
function addDefaultServiceAccount(state: ClusterState, namespace: string, now: Date): void {
  const metadata = state.newMetadata(serviceAccounts, { name: 'default', namespace }, now);
  state.write(serviceAccounts, { kind: 'ServiceAccount', apiVersion: 'v1', metadata });
}

function isDryRun({ query }: Route): boolean {
  const values = query.getAll('dryRun').filter((value) => value !== '');
  if (values.every((value) => value === 'All')) return values.length > 0;
  const shown = `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
  throw unsupportedOption('dryRun', shown, '"All"');
}

const unsupportedOption = (field: string, shown: string, supported: string) =>
  invalid({ kind: 'CreateOptions', group: 'meta.k8s.io' }, '', [
    {
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: ${shown}: supported values: ${supported}`,
      field,
    },
  ]);

function fieldValidationOf({ query }: Route): string {
  const mode = query.get('fieldValidation') ?? '';
  if (['', 'Ignore', 'Strict', 'Warn'].includes(mode)) return mode;
  throw unsupportedOption('fieldValidation', JSON.stringify(mode), '"", "Ignore", "Strict", "Warn"');
}

/** POST on a collection. */
export function createObject(
  state: ClusterState,
  { route, resource, body }: { route: Route; resource: Resource; body: string },
  now: Date,
): Created {
  const mode = fieldValidationOf(route);
  const dryRun = isDryRun(route);
  const decoded = decodeObject(body, resource);
  const unknown = judgeUnknownFields(decoded, mode, resource);
  const { metadata: wanted, ...raw } = decoded.object as JsonObject & { readonly metadata?: Partial<Metadata> };
  if (wanted?.namespace !== undefined && wanted.namespace !== route.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  const metadata = { ...wanted, ...(resource.namespaced ? { namespace: route.namespace } : {}) };
  const created = admitAndStore(state, resource, { raw, metadata, dryRun, now });
  return { object: created.object, warnings: [...unknown, ...created.warnings] };
}
