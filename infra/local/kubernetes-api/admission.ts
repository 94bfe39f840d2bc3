import type { Job, KubeObject, Pod, PodSpec, ResourceQuota } from './objects.ts';
import { podSecurityViolation } from './pod-security.ts';
import { quantityText, quantityValue } from './quantity.ts';
import { namespaces, serviceAccounts, jobs as jobsResource, pods as podsResource, type Resource } from './resources.ts';
import { listQuotas, type ClusterState } from './state.ts';
import { notFound, refusedByAdmission } from './status.ts';

/** 404 or 403 unless the namespace is there and not on its way out. */
export function admitToNamespace(
  state: ClusterState,
  resource: Resource,
  metadata: { namespace: string; name: string },
): void {
  const { namespace, name } = metadata;
  const found = state.read(namespaces, '', namespace);
  if (found === null) throw notFound(namespaces, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  throw refusedByAdmission(resource, name, {
    why: `unable to create new content in namespace ${namespace} because it is being terminated`,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}

/** How much of a quota's resource an object counts for. */
type Usage = (object: KubeObject) => number;

const isUnfinished = (pod: Pod): boolean => !['Succeeded', 'Failed'].includes(pod.status.phase);

function summed(spec: PodSpec, side: 'requests' | 'limits', resource: string): number {
  return spec.containers.reduce(
    (sum, container) => sum + quantityValue(container.resources?.[side]?.[resource] ?? 0),
    0,
  );
}

function podUsage(quotaResource: string): Usage | null {
  if (quotaResource === 'pods') return (object) => (isUnfinished(object as Pod) ? 1 : 0);
  if (quotaResource === 'count/pods') return () => 1;
  const [, side, resource] = /^(?:(requests|limits)\.)?(cpu|memory)$/u.exec(quotaResource) ?? [];
  if (resource === undefined) return null;
  const read = side === 'limits' ? 'limits' : 'requests';
  return (object) => (isUnfinished(object as Pod) ? summed((object as Pod).spec, read, resource) : 0);
}

/** Null: this quota resource does not concern the resource. */
function usageOf(resource: Resource, quotaResource: string): Usage | null {
  if (resource === podsResource) return podUsage(quotaResource);
  return resource === jobsResource && quotaResource === 'count/jobs.batch' ? () => 1 : null;
}

/** What a quota says is used now. */
export function quotaUsed(state: ClusterState, namespace: string, quotaResource: string): number {
  for (const resource of [jobsResource, podsResource]) {
    const usage = usageOf(resource, quotaResource);
    if (usage !== null) return state.list(resource, namespace).reduce((sum, object) => sum + usage(object), 0);
  }
  return 0;
}

const isComputeResource = (quotaResource: string): boolean => /(?:^|\.)(?:cpu|memory)$/u.test(quotaResource);

/** One resource of a quota that an object would use. */
interface QuotaRow {
  readonly quotaResource: string;
  readonly hard: string | number;
  readonly requested: number;
  readonly used: number;
}

function quotaRows(
  state: ClusterState,
  quota: ResourceQuota,
  { resource, object }: { resource: Resource; object: KubeObject },
): QuotaRow[] {
  return Object.entries(quota.spec.hard).flatMap(([quotaResource, hard]) => {
    const requested = usageOf(resource, quotaResource)?.(object);
    if (requested === undefined) return [];
    const used = quotaUsed(state, object.metadata.namespace ?? '', quotaResource);
    return [{ quotaResource, hard, requested, used }];
  });
}

/** 403 `exceeded quota` or `failed quota`; the check comes before the store's, so it hides AlreadyExists. */
export function admitQuotas(state: ClusterState, resource: Resource, object: KubeObject): void {
  const { name, namespace = '' } = object.metadata;
  if (resource !== jobsResource && resource !== podsResource) return;
  for (const quota of listQuotas(state, namespace)) {
    const rows = quotaRows(state, quota, { resource, object });
    const missing = rows.filter(({ quotaResource, requested }) => isComputeResource(quotaResource) && requested === 0);
    const over = rows.filter(({ hard, used, requested }) => used + requested > quantityValue(hard));
    if (missing.length > 0)
      throw refusedByAdmission(resource, name, { why: unspecified(quota, missing, object as Pod) });
    if (over.length > 0) throw refusedByAdmission(resource, name, { why: overQuota(quota, over) });
  }
}

function unspecified(quota: ResourceQuota, missing: readonly QuotaRow[], { spec }: Pod): string {
  const containers = spec.containers.map(({ name }) => name).join(',');
  const told = missing.map(({ quotaResource }) => `${quotaResource} for: ${containers}`).join('; ');
  return `failed quota: ${quota.metadata.name}: must specify ${told}`;
}

function overQuota(quota: ResourceQuota, over: readonly QuotaRow[]): string {
  const list = (read: (row: QuotaRow) => string | number): string =>
    over.map((row) => `${row.quotaResource}=${read(row)}`).join(',');
  const { name } = quota.metadata;
  return `exceeded quota: ${name}, requested: ${list((row) => quantityText(row.requested, row.quotaResource))}, used: ${list((row) => quantityText(row.used, row.quotaResource))}, limited: ${list((row) => row.hard)}`;
}

/** 403 when the pod's service account is not there. The name is not drawn yet at that point, so the base is told. */
export function admitServiceAccount(state: ClusterState, pod: Pod): void {
  const { namespace = '', generateName, name } = pod.metadata;
  const account = pod.spec.serviceAccountName ?? 'default';
  if (state.read(serviceAccounts, namespace, account) !== null) return;
  throw refusedByAdmission(podsResource, generateName ?? name, {
    why: `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`,
  });
}

const levelOf = (state: ClusterState, namespace: string, mode: 'enforce' | 'warn'): string | undefined =>
  state.read(namespaces, '', namespace)?.metadata.labels?.[`pod-security.kubernetes.io/${mode}`];

/** 403 when the namespace enforces a level that the pod violates. */
export function admitPodSecurity(state: ClusterState, pod: Pod): void {
  const { namespace = '', name } = pod.metadata;
  const violation = podSecurityViolation(pod.spec, levelOf(state, namespace, 'enforce'));
  if (violation !== null) throw refusedByAdmission(podsResource, name, { why: `violates PodSecurity ${violation}` });
}

/** Warnings for a Job whose pods would violate the level that the namespace warns about (or enforces). */
export function podSecurityWarnings(state: ClusterState, { metadata, spec }: Job): string[] {
  const namespace = metadata.namespace ?? '';
  const level = levelOf(state, namespace, 'warn');
  const violation = podSecurityViolation(spec.template.spec, level);
  return violation === null ? [] : [`would violate PodSecurity ${violation}`];
}
