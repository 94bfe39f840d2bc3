import { describe, it } from 'node:test';

import { withRow } from '../../../infra/readme/real-rows.ts';
import { contract } from '../../contract/kubernetes.cases.ts';
import type { ContractCase, ContractCluster } from '../../contract/kubernetes.cluster.ts';
import { realCluster } from '../../support/real-cluster.ts';
import { compactEtcd } from '../../support/real-etcd.ts';
import { openNamespace } from '../../support/real-namespace.ts';

const cluster = realCluster();

async function prepare(one: ContractCase): Promise<ContractCluster> {
  const { etcd } = cluster;
  const compact = etcd === null ? null : async () => compactEtcd(etcd);
  return { ...(await openNamespace(cluster, 'contract', one.labels)), compact };
}

async function runOn(one: ContractCase): Promise<void> {
  const prepared = await prepare(one);
  try {
    await one.run(prepared);
  } finally {
    await prepared.call(`DELETE /api/v1/namespaces/${prepared.namespace}`);
  }
}

describe('a real control plane keeps the contract', { concurrency: 4 }, () => {
  for (const [group, cases] of Object.entries(contract)) {
    describe(group, { concurrency: 4 }, () => {
      for (const [name, one] of Object.entries(cases)) {
        // A given cluster does not let us at its store.
        if (one.compacts !== true || cluster.etcd !== null) it(withRow(name), async () => runOn(one));
      }
    });
  }
});
