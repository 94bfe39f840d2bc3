import type { KubeObject } from './objects.ts';

/** One resource that the local API knows. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** `po` for pods. */
  readonly shortNames?: readonly string[];
  /** `all`: what `kubectl get all` shows. */
  readonly categories?: readonly string[];
  /** Subresource names that answer. */
  readonly subresources: readonly string[];
  readonly verbs: readonly string[];
  /** Field selectors that the real server supports for it, beside metadata.name and metadata.namespace. */
  readonly fields: Readonly<Record<string, (object: KubeObject) => string>>;
  /** What the real server says about any other field. */
  readonly unknownField: (field: string) => string;
}

const plainUnknownField = (field: string): string => `field label not supported: ${field}`;

/** Reads `a.b.c` out of an object as text, '' when it is not there: that is how field selectors see it. */
const at =
  (path: string) =>
  (object: KubeObject): string => {
    let value: unknown = object;
    for (const step of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[step];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };

const fieldsAt = (...paths: readonly string[]): Record<string, (object: KubeObject) => string> =>
  Object.fromEntries(paths.map((path) => [path, at(path)]));

const everyVerb = ['create', 'get', 'list', 'delete', 'patch'];

const core = (plural: string, kind: string, rest: Partial<Resource> = {}): Resource => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
  subresources: [],
  verbs: everyVerb,
  fields: {},
  unknownField: plainUnknownField,
  ...rest,
});

const rbac = (plural: string, kind: string, namespaced: boolean): Resource =>
  core(plural, kind, { group: 'rbac.authorization.k8s.io', namespaced });

export const namespaces = core('namespaces', 'Namespace', { namespaced: false, shortNames: ['ns'] });

export const pods = core('pods', 'Pod', {
  shortNames: ['po'],
  categories: ['all'],
  subresources: ['status', 'log', 'binding'],
  fields: fieldsAt('spec.nodeName', 'spec.restartPolicy', 'spec.serviceAccountName', 'status.phase', 'status.podIP'),
});

export const jobs = core('jobs', 'Job', {
  categories: ['all'],
  group: 'batch',
  subresources: ['status'],
  fields: { 'status.successful': (object) => at('status.succeeded')(object) || '0' },
  unknownField: (field) => `field label "${field}" not supported for Job`,
});

export const events = core('events', 'Event', {
  shortNames: ['ev'],
  fields: {
    ...fieldsAt('reason', 'type', 'reportingComponent'),
    ...fieldsAt('involvedObject.kind', 'involvedObject.namespace', 'involvedObject.name', 'involvedObject.uid'),
    ...fieldsAt('involvedObject.apiVersion', 'involvedObject.resourceVersion', 'involvedObject.fieldPath'),
    source: at('source.component'),
  },
});

export const resourceQuotas = core('resourcequotas', 'ResourceQuota', { shortNames: ['quota'] });
export const serviceAccounts = core('serviceaccounts', 'ServiceAccount', {
  shortNames: ['sa'],
  subresources: ['token'],
});
export const secrets = core('secrets', 'Secret', { fields: fieldsAt('type') });
export const roles = rbac('roles', 'Role', true);
export const roleBindings = rbac('rolebindings', 'RoleBinding', true);
export const clusterRoles = rbac('clusterroles', 'ClusterRole', false);
export const clusterRoleBindings = rbac('clusterrolebindings', 'ClusterRoleBinding', false);

/** Asked, answered, never stored. */
export const accessReviews = core('selfsubjectaccessreviews', 'SelfSubjectAccessReview', {
  group: 'authorization.k8s.io',
  namespaced: false,
  verbs: ['create'],
});

/** Who is asking, as the API server knows them; asked, answered, never stored. */
export const identityReviews = core('selfsubjectreviews', 'SelfSubjectReview', {
  group: 'authentication.k8s.io',
  namespaced: false,
  verbs: ['create'],
});

export const resources: readonly Resource[] = [
  namespaces,
  pods,
  jobs,
  events,
  resourceQuotas,
  serviceAccounts,
  secrets,
  roles,
  roleBindings,
  clusterRoles,
  clusterRoleBindings,
  accessReviews,
  identityReviews,
];

/** `batch/v1`, `v1`. */
export const apiVersionOf = ({ group, version }: { readonly group: string; readonly version: string }): string =>
  group === '' ? version : `${group}/${version}`;
