import type { PolicyRule, Role, RoleBinding } from './objects.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles, type Resource } from './resources.ts';
import type { ClusterState, Identity } from './state.ts';
import { qualified, StatusError } from './status.ts';

/** What somebody wants to do, as RBAC sees it. */
export interface Attributes {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `pods/log`. */
  readonly resource: string;
  /** '' = cluster scope. */
  readonly namespace: string;
  readonly name: string;
}

/** Null: nobody allows it. Else why it is allowed, in the server's words ('' for a member of system:masters). */
export function allowedBy(state: ClusterState, who: Identity, wanted: Attributes): string | null {
  const reason = grantedBy(state, who, wanted);
  if (reason === null) return null;
  const right = `${wanted.group}/${wanted.resource} ${wanted.verb}`;
  const used = state.usedRights.get(who.user) ?? new Set<string>();
  state.usedRights.set(who.user, used.add(right));
  return reason;
}

/** As `allowedBy`, for a question that uses no right. */
export function grantedBy(state: ClusterState, who: Identity, wanted: Attributes): string | null {
  if (who.groups.includes('system:masters')) return '';
  return (
    boundRole(state, who, { wanted, bindings: clusterRoleBindings, namespace: '' }) ??
    namespacedGrant(state, who, wanted)
  );
}

function namespacedGrant(state: ClusterState, who: Identity, wanted: Attributes): string | null {
  if (wanted.namespace === '') return null;
  return boundRole(state, who, { wanted, bindings: roleBindings, namespace: wanted.namespace });
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

interface Search {
  readonly wanted: Attributes;
  readonly bindings: Resource;
  readonly namespace: string;
}

function boundRole(state: ClusterState, who: Identity, { wanted, bindings, namespace }: Search): string | null {
  for (const binding of state.list(bindings, namespace) as RoleBinding[]) {
    const subject = binding.subjects?.find((one) => isSubject(one, who));
    const isGranted = roleOf(state, binding)?.rules.some((rule) => permits(rule, wanted)) ?? false;
    if (subject !== undefined && isGranted) return reasonOf(binding, subject);
  }
  return null;
}

const placed = (name: string, namespace: string | undefined): string =>
  namespace === undefined ? `"${name}"` : `"${name}/${namespace}"`;

function reasonOf({ kind, metadata, roleRef }: RoleBinding, subject: Subject): string {
  const binding = `${kind} ${placed(metadata.name, metadata.namespace)}`;
  return `RBAC: allowed by ${binding} of ${roleRef.kind} "${roleRef.name}" to ${subject.kind} ${placed(subject.name, subject.namespace)}`;
}

function roleOf(state: ClusterState, { roleRef, metadata }: RoleBinding): Role | null {
  const resource = roleRef.kind === 'Role' ? roles : clusterRoles;
  return state.read(resource, metadata.namespace ?? '', roleRef.name) as Role | null;
}

function isSubject(subject: Subject, who: Identity): boolean {
  if (subject.kind === 'Group') return who.groups.includes(subject.name);
  if (subject.kind === 'User') return who.user === subject.name;
  return who.user === `system:serviceaccount:${subject.namespace ?? ''}:${subject.name}`;
}

const lists = (values: readonly string[] | undefined, wanted: string): boolean =>
  values !== undefined && (values.includes('*') || values.includes(wanted));

function permits(rule: PolicyRule, wanted: Attributes): boolean {
  return (
    lists(rule.verbs, wanted.verb) &&
    lists(rule.apiGroups, wanted.group) &&
    lists(rule.resources, wanted.resource) &&
    // A rule with names never allows create or list: these carry none.
    (rule.resourceNames === undefined || rule.resourceNames.length === 0 || rule.resourceNames.includes(wanted.name))
  );
}

/** 403 as RBAC writes it. */
export function forbidden(who: Identity, { verb, group, resource, namespace, name }: Attributes): StatusError {
  const plural = resource.split('/', 1)[0] ?? resource;
  const object = `${qualified({ group, plural })}${name === '' ? '' : ` "${name}"`}`;
  const scope = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return new StatusError({
    code: 403,
    reason: 'Forbidden',
    message: `${object} is forbidden: User "${who.user}" cannot ${verb} resource "${resource}" in API group "${group}" ${scope}`,
    details: { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: plural },
  });
}

/** 403 for a path that is no resource. */
export const forbiddenPath = (who: Identity, verb: string, pathname: string): StatusError =>
  new StatusError({
    code: 403,
    reason: 'Forbidden',
    message: `forbidden: User "${who.user}" cannot ${verb} path "${pathname}"`,
    details: {},
  });
