import { agentGroup, permissions, type Permission } from '../functions/kubernetes/permissions.ts';

export { agentGroup };

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Named {
  readonly name: string;
  readonly namespace: string;
}

// Types, not interfaces: what applies a manifest takes it as an object of any fields.
export type Role = {
  readonly apiVersion: string;
  readonly kind: 'Role';
  readonly metadata: Named;
  readonly rules: readonly PolicyRule[];
};

export type RoleBinding = {
  readonly apiVersion: string;
  readonly kind: 'RoleBinding';
  readonly metadata: Named;
  readonly subjects: readonly { readonly kind: 'Group'; readonly name: string; readonly apiGroup: string }[];
  readonly roleRef: { readonly kind: 'Role'; readonly name: string; readonly apiGroup: string };
};

const rbac = 'rbac.authorization.k8s.io';

/** One rule per resource, its verbs merged over both functions, in the order of the table. */
export function rulesOf(table: readonly Permission[]): readonly PolicyRule[] {
  const byResource = Map.groupBy(table, ({ apiGroup, resource }) => `${apiGroup}/${resource}`);
  return [...byResource.values()].flatMap((rows) => {
    const [first] = rows;
    if (first === undefined) return [];
    const verbs = [...new Set(rows.map(({ verb }) => verb))];
    return [{ apiGroups: [first.apiGroup], resources: [first.resource], verbs }];
  });
}

/**
 * What an administrator applies to the namespace of the Jobs: a Role with exactly the rights that the functions use,
 * bound to their group. No ServiceAccount: the functions live outside the cluster and log in with their AWS roles.
 */
export function rbacOf(namespace: string): readonly [Role, RoleBinding] {
  const metadata = { name: agentGroup, namespace };
  return [
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules: rulesOf(permissions) },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      subjects: [{ kind: 'Group', name: agentGroup, apiGroup: rbac }],
      roleRef: { kind: 'Role', name: agentGroup, apiGroup: rbac },
    },
  ];
}
