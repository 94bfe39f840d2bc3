import { decodeKnown } from './decode.ts';
import {
  isJsonObject,
  kubeTime,
  textIn,
  type Json,
  type JsonObject,
  type KubeObject,
  type Metadata,
  type Pod,
} from './objects.ts';
import { jobs, namespaces, pods, type Resource } from './resources.ts';
import type { ClusterState } from './state.ts';
import { badRequest, conflict, invalid } from './status.ts';

/** DeleteOptions, from body or query; a body wins. */
export interface DeleteOptions {
  readonly propagationPolicy?: string;
  readonly gracePeriodSeconds?: number;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun: boolean;
}

const policies = new Set(['Foreground', 'Background', 'Orphan']);

function bodyOptions(body: string): JsonObject {
  if (body === '') return {};
  let parsed: Json;
  try {
    parsed = JSON.parse(body) as Json;
  } catch {
    throw badRequest("couldn't get version/kind; json parse error: unexpected end of JSON input");
  }
  if (!isJsonObject(parsed)) throw badRequest("couldn't get version/kind; json parse error");
  return decodeKnown(parsed, 'V1DeleteOptions', 'DeleteOptions').object;
}

function policyOf(given: JsonObject, query: URLSearchParams): string {
  const policy = textIn(given, 'propagationPolicy') || (query.get('propagationPolicy') ?? '');
  if (policy !== '' && !policies.has(policy)) throw unsupportedPolicy(policy);
  return policy;
}

/** Reads the options of a DELETE; throws StatusError 400 or 422. */
export function deleteOptions(body: string, query: URLSearchParams): DeleteOptions {
  const given = bodyOptions(body);
  const policy = policyOf(given, query);
  const grace = given['gracePeriodSeconds'] ?? query.get('gracePeriodSeconds');
  const preconditions = given['preconditions'];
  return {
    ...(policy === '' ? {} : { propagationPolicy: policy }),
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(isJsonObject(preconditions) ? { preconditions } : {}),
    dryRun: isDryRun(given, query),
  };
}

const isDryRun = (given: JsonObject, query: URLSearchParams): boolean =>
  query.get('dryRun') === 'All' || JSON.stringify(given['dryRun']) === '["All"]';

const unsupportedPolicy = (policy: string) =>
  invalid({ kind: 'DeleteOptions', group: 'meta.k8s.io' }, '', [
    {
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: "${policy}": supported values: "Foreground", "Background", "Orphan", "nil"`,
      field: 'propagationPolicy',
    },
  ]);

function checkPreconditions(resource: Resource, { metadata }: KubeObject, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(
      resource,
      metadata.name,
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      resource,
      metadata.name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
  }
}

/** Finalizers that the propagation policy asks for. Jobs orphan their pods unless told otherwise. */
function policyFinalizer(resource: Resource, { propagationPolicy }: DeleteOptions): string | null {
  const policy = propagationPolicy ?? (resource === jobs ? 'Orphan' : 'Background');
  if (policy === 'Foreground') return 'foregroundDeletion';
  return policy === 'Orphan' ? 'orphan' : null;
}

/** Seconds that a kubelet has to end the pod; none when no kubelet knows of it yet or it has ended. */
function graceOf(resource: Resource, object: KubeObject, options: DeleteOptions): number {
  if (resource !== pods) return 0;
  const { spec, status } = object as Pod;
  if (spec.nodeName === undefined || ['Succeeded', 'Failed'].includes(status.phase)) return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
}

function markDeleted(
  object: KubeObject,
  { finalizers, grace, now }: { finalizers: string[]; grace: number; now: Date },
): KubeObject {
  const { metadata } = object;
  const deletion: Partial<Metadata> = {
    deletionTimestamp: kubeTime(new Date(now.getTime() + grace * 1000)),
    deletionGracePeriodSeconds: grace,
    ...(metadata.generation === undefined ? {} : { generation: metadata.generation + 1 }),
  };
  const { finalizers: _old, ...rest } = metadata;
  return { ...object, metadata: { ...rest, ...deletion, ...(finalizers.length === 0 ? {} : { finalizers }) } };
}

interface Stored {
  readonly resource: Resource;
  readonly object: KubeObject;
}

/** What keeps an object after its deletion was asked for. */
interface Hold {
  readonly finalizers: string[];
  readonly grace: number;
}

function holdOf({ resource, object }: Stored, options: DeleteOptions): Hold {
  const finalizer = policyFinalizer(resource, options);
  const finalizers = new Set(object.metadata.finalizers);
  if (finalizer !== null) finalizers.add(finalizer);
  return { finalizers: [...finalizers], grace: graceOf(resource, object, options) };
}

/**
 * Deletes an object, or marks it while finalizers or a kubelet hold it.
 *
 * @returns the object as it stands, and whether it is gone. Throws StatusError 409 when a precondition does not hold.
 */
export function deleteStored(
  state: ClusterState,
  { resource, object }: Stored,
  { options, now }: { options: DeleteOptions; now: Date },
): { readonly object: KubeObject; readonly gone: boolean } {
  checkPreconditions(resource, object, options);
  const hold = holdOf({ resource, object }, options);
  // A namespace stays until somebody has emptied it, and here nobody does.
  const gone = hold.finalizers.length === 0 && hold.grace === 0 && resource !== namespaces;
  if (options.dryRun) return { object, gone };
  if (gone) {
    state.remove(resource, object);
    return { object, gone };
  }
  const isFirst = object.metadata.deletionTimestamp === undefined;
  if (!isFirst && options.gracePeriodSeconds !== 0) return { object, gone };
  const marked = markDeleted(object, { ...hold, now });
  const shown = resource === namespaces ? { ...marked, status: { phase: 'Terminating' } } : marked;
  return { object: state.write(resource, shown), gone };
}

/** Takes a finalizer off; the object goes when it was the last and a deletion waits for nothing else. */
export function removeFinalizer(
  state: ClusterState,
  { resource, object }: { resource: Resource; object: KubeObject },
  finalizer: string,
): void {
  const finalizers = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  const { finalizers: _old, ...rest } = object.metadata;
  const stripped = { ...object, metadata: { ...rest, ...(finalizers.length === 0 ? {} : { finalizers }) } };
  const isDue = rest.deletionTimestamp !== undefined && (rest.deletionGracePeriodSeconds ?? 0) === 0;
  if (isDue && finalizers.length === 0) state.remove(resource, object);
  else state.write(resource, stripped);
}
