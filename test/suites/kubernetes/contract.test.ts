import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { contract } from '../../contract/kubernetes.cases.ts';
import type { ContractCase, ContractCluster } from '../../contract/kubernetes.cluster.ts';
import { callApi } from '../../kube/api-call.ts';
import { realCluster, type RealCluster } from '../../support/real-cluster.ts';

const longestWaitMs = 30_000;
const cluster = realCluster();

/** After that many milliseconds of silence nobody writes any more, so that the revision stands. */
async function compactEtcd(etcd: string): Promise<void> {
  const post = async (path: string, body: object): Promise<unknown> =>
    (await fetch(`${etcd}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) })).json();
  const range = (await post('range', { key: 'AA==', count_only: true })) as { header: { revision: string } };
  await post('compaction', { revision: range.header.revision, physical: true });
}

async function until<Value>(what: string, read: () => Promise<Value | null>): Promise<Value> {
  for (const deadline = performance.now() + longestWaitMs; performance.now() < deadline; await delay(50)) {
    const value = await read();
    if (value !== null) return value;
  }
  throw new Error(`${what}: not within ${longestWaitMs / 1000} s`);
}

let namespaces = 0;

/** A namespace of its own for each case. Nobody waits for its end: deleting one takes ten seconds. */
async function prepare({ etcd, ...access }: RealCluster, { labels = {} }: ContractCase): Promise<ContractCluster> {
  namespaces += 1;
  const namespace = `contract-${process.pid}-${namespaces}-${Date.now().toString(36)}`;
  const call: ContractCluster['call'] = async (line, options) => callApi(access, line, options);
  const metadata = { name: namespace, labels };
  await call('POST /api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata } });
  const account = `GET /api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await until('the default service account', async () => ((await call(account)).status === 200 ? true : null));
  return {
    namespace,
    call,
    until,
    pass: async (seconds) => delay(seconds * 1000),
    now: () => new Date(),
    compact: etcd === null ? null : async () => compactEtcd(etcd),
  };
}

async function runOn(one: ContractCase): Promise<void> {
  const prepared = await prepare(cluster, one);
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
        if (one.compacts !== true || cluster.etcd !== null) it(name, async () => runOn(one));
      }
    });
  }
});
