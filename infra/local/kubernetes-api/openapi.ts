import { apiVersionOf, resources, type Resource } from './resources.ts';

const root = '/openapi/v3';

const pathOf = ({ group }: Resource): string => (group === '' ? 'api' : 'apis');
const documentOf = (resource: Resource): string => `${pathOf(resource)}/${apiVersionOf(resource)}`;

const fieldValidation = { name: 'fieldValidation', in: 'query', schema: { type: 'string', uniqueItems: true } };

/** The operation by which kubectl learns that the server itself looks for unknown fields. */
function operation(resource: Resource): readonly [string, unknown] {
  const { group, version, kind, plural, namespaced } = resource;
  const place = namespaced ? 'namespaces/{namespace}/' : '';
  const patch = {
    'x-kubernetes-action': 'patch',
    'x-kubernetes-group-version-kind': { group, kind, version },
    parameters: [fieldValidation],
  };
  return [`/${documentOf(resource)}/${place}${plural}/{name}`, { patch }];
}

/**
 * Of the OpenAPI documents of an API server that much which `kubectl create` and `apply` ask before they send anything:
 * whether fields are validated by the server (k8s.io/cli-runtime 0.35, resource/query_param_verifier_v3). No schemas.
 * Null: there is no such document.
 */
export function openApi(pathname: string): unknown {
  const kept = resources.filter(({ verbs }) => verbs.includes('patch'));
  if (pathname === root) {
    const documents = [...new Set(kept.map(documentOf))];
    return { paths: Object.fromEntries(documents.map((name) => [name, { serverRelativeURL: `${root}/${name}` }])) };
  }
  const members = kept.filter((resource) => pathname === `${root}/${documentOf(resource)}`);
  if (members.length === 0) return null;
  const info = { title: 'Kubernetes', version: 'v1.35.4' };
  return { openapi: '3.0.0', info, paths: Object.fromEntries(members.map(operation)), components: { schemas: {} } };
}
