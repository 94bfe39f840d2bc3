import assert from 'node:assert/strict';
import path from 'node:path';
import { before, describe, it } from 'node:test';

import { callApi } from '../../kube/api-call.ts';
import { claimedBy, runInShell, typed } from '../../support/documented-commands.ts';
import { judgeEachTest, runnerTokenCanary } from '../../support/judged-tests.ts';
import { realCluster } from '../../support/real-cluster.ts';

const cluster = realCluster();
judgeEachTest(cluster);

/** As External Secrets brings it, but for its schema. */
const externalSecrets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'externalsecrets.external-secrets.io' },
  spec: {
    group: 'external-secrets.io',
    scope: 'Namespaced',
    names: { plural: 'externalsecrets', kind: 'ExternalSecret' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

/** What kubectl says of each, by a word of the command. */
const expectations: Readonly<Record<string, RegExp>> = {
  '--external-secret': /^externalsecret\.external-secrets\.io\/prefect created\n$/u,
  'delete jobs': /^No resources found\n$/u,
  // Once in the README, and again for an upgrade.
  manifests: /^role\.rbac\S+ (?:created|unchanged)\nrolebinding\.rbac\S+ (?:created|unchanged)\n$/u,
};

describe('the documented commands that change a cluster', () => {
  const { kubectl } = cluster;
  // A cluster of somebody else's has its own namespace of this name.
  if (kubectl === null) return;

  before(async () => {
    const metadata = { name: 'flows' };
    await callApi(cluster, 'POST /api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata } });
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const { status, text } = await callApi(cluster, `POST ${definitions}`, { body: externalSecrets });
    assert.equal(status, 201, text);
  });

  const env = {
    ...process.env,
    PATH: `${path.dirname(kubectl)}:${process.env['PATH']}`,
    KUBECONFIG: cluster.kubeconfig,
    POD_TOKEN_SECRET: 'prefect/api-key',
    RUNNER_TOKEN: runnerTokenCanary,
    RUNNER_TOKEN_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:runner-token-AbCdEf',
  };

  for (const command of claimedBy(import.meta.filename)) {
    it(command, async () => {
      const [, want] = Object.entries(expectations).find(([word]) => command.includes(word)) ?? [];
      assert.ok(want !== undefined, 'nothing is expected of it');

      const { status, stdout, stderr } = await runInShell(typed(command, {}), { env });

      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, want);
    });
  }
});
