import assert from 'node:assert/strict';

import { listAt, objectAt, real, textAt, type ContractCase, type ContractCluster } from './kubernetes.cluster.ts';

/** What kubectl needs of a row to know what `po` and `all` mean and where a thing lives. */
const told = ['name', 'singularName', 'namespaced', 'kind', 'shortNames', 'categories'] as const;

async function rowsAt(cluster: ContractCluster, path: string, names: readonly string[]): Promise<unknown> {
  const { body } = await cluster.call(`GET ${path}`);
  const rows = new Map(listAt(body, 'resources').map((row) => [textAt(row, 'name'), row]));
  return names.map((name) => told.map((field) => rows.get(name)?.[field]));
}

/** What the API server says that there is, before a client asks for any of it. */
export const discoveryCases: Readonly<Record<string, ContractCase>> = {
  'the kinds of the core group go by their short names': {
    seen: real,
    run: async (cluster) => {
      assert.deepEqual(
        await rowsAt(cluster, '/api/v1', [
          'namespaces',
          'pods',
          'events',
          'resourcequotas',
          'serviceaccounts',
          'secrets',
        ]),
        [
          ['namespaces', 'namespace', false, 'Namespace', ['ns'], undefined],
          ['pods', 'pod', true, 'Pod', ['po'], ['all']],
          ['events', 'event', true, 'Event', ['ev'], undefined],
          ['resourcequotas', 'resourcequota', true, 'ResourceQuota', ['quota'], undefined],
          ['serviceaccounts', 'serviceaccount', true, 'ServiceAccount', ['sa'], undefined],
          ['secrets', 'secret', true, 'Secret', undefined, undefined],
        ],
      );
    },
  },
  'Jobs are among all': {
    seen: real,
    run: async (cluster) => {
      assert.deepEqual(await rowsAt(cluster, '/apis/batch/v1', ['jobs']), [
        ['jobs', 'job', true, 'Job', undefined, ['all']],
      ]);
    },
  },
  'kubectl need not look for unknown fields itself: every kind that is kept says that the server does': {
    seen: real,
    run: async (cluster) => {
      const kinds = { 'api/v1': ['Pod', 'Namespace'], 'apis/batch/v1': ['Job'] } as const;
      const documents = (await cluster.call('GET /openapi/v3')).body;
      for (const [group, wanted] of Object.entries(kinds)) {
        const place = textAt(documents, 'paths', group, 'serverRelativeURL');
        const paths = objectAt((await cluster.call(`GET ${place}`)).body, 'paths');
        const patches = Object.values(paths).map((path) => objectAt(path, 'patch'));
        const checked = patches.filter((patch) =>
          listAt(patch, 'parameters').some(({ name }) => name === 'fieldValidation'),
        );
        const found = checked.map((patch) => textAt(patch, 'x-kubernetes-group-version-kind', 'kind'));
        for (const kind of wanted) assert.ok(found.includes(kind), `${kind} is not among ${found.join(', ')}`);
      }
    },
  },
};
