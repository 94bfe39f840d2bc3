import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';

import { BoundaryError, type ErrorCode } from '../../functions/errors.ts';
import type { KubernetesOptions } from '../../functions/kubernetes/contract.ts';
import type { ApiSession } from '../../functions/kubernetes/session.ts';
import { watchedSession } from '../../functions/kubernetes/watched-session.ts';
import { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import { makeServingCertificate } from '../../infra/local/kubernetes-api/certificates.ts';
import { addUser } from '../../infra/local/kubernetes-api/cluster.ts';
import { patient } from '../support/clients.ts';
import { startClusterWorld, type ClusterWorld } from '../support/cluster-world.ts';

/** A session without sockets whose every request ends with this error. */
const failing = (code: string): ApiSession => ({
  send: () => Promise.reject(Object.assign(new Error('not to be quoted'), { code })),
  connections: () => 0,
  close: () => undefined,
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A signal that gives up as soon as the request has arrived, as a deadline does on a server that stalls. */
function givingUp({ api }: ClusterWorld): AbortSignal {
  const controller = new AbortController();
  api.faults.add({
    matches: () => {
      controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
      return true;
    },
    fault: { kind: 'drop-before' },
  });
  return controller.signal;
}

interface Case {
  readonly wantCode: ErrorCode;
  readonly wantMessage: RegExp;
  /** What one has to do. */
  readonly wantAdvice: RegExp;
  readonly harm: (
    world: ClusterWorld,
  ) => (Partial<KubernetesOptions> & { signal?: AbortSignal }) | Promise<Partial<KubernetesOptions>>;
}

const cases: Readonly<Record<string, Case>> = {
  '401': {
    wantCode: 'CLUSTER_FORBIDDEN',
    wantMessage: /does not accept our login \(401\)/,
    wantAdvice: /access entry .* for this function's role/,
    harm: () => ({ token: constant(new Secret('nobody')) }),
  },
  '403': {
    wantCode: 'CLUSTER_FORBIDDEN',
    wantMessage: /does not allow us to list the Jobs \(403\)/,
    wantAdvice: /npm run --silent manifests/,
    harm: ({ api }) => ({ token: constant(new Secret(addUser(api.state, { user: 'guest', groups: ['guests'] }))) }),
  },
  'a name that does not resolve': {
    wantCode: 'CLUSTER_UNREACHABLE',
    wantMessage: /does not resolve.*ENOTFOUND/,
    wantAdvice: /VPC of the cluster with DNS support/,
    harm: () => ({ session: failing('ENOTFOUND') }),
  },
  'the CA of another cluster': {
    wantCode: 'CLUSTER_UNREACHABLE',
    wantMessage: /no trusted TLS connection/,
    wantAdvice: /set EKS_ENDPOINT and EKS_CA again, or leave both out/,
    harm: async ({ api }) => ({ address: { endpoint: api.url, ca: (await makeServingCertificate()).caPem } }),
  },
  'a server that stalls': {
    wantCode: 'CLUSTER_UNREACHABLE',
    wantMessage: /no answer in the time that was left/,
    wantAdvice: /security group of the cluster/,
    harm: (world) => ({ signal: givingUp(world) }),
  },
  'a closed port': {
    wantCode: 'CLUSTER_UNREACHABLE',
    wantMessage: /nothing listens there/,
    wantAdvice: /check host and port/,
    harm: async ({ api }) => ({ address: { endpoint: `https://127.0.0.1:${await closedPort()}`, ca: api.caPem } }),
  },
};

/** What the gateway says of a list in such a world. */
async function messageOf(harm: Case['harm']): Promise<BoundaryError> {
  await using world = await startClusterWorld();
  const { signal = patient(), ...options } = (await harm(world)) as Awaited<ReturnType<Case['harm']>> & {
    signal?: AbortSignal;
  };
  const error: unknown = await world
    .connect(options)
    .listJobs('', signal)
    .catch((caught: unknown) => caught);
  assert.ok(error instanceof BoundaryError);
  return error;
}

describe('an API server that cannot be worked with', () => {
  for (const [name, { wantCode, wantMessage, wantAdvice, harm }] of Object.entries(cases)) {
    it(`says of ${name} what it is and what to do`, async () => {
      const { code, message } = await messageOf(harm);

      assert.equal(code, wantCode);
      assert.match(message, wantMessage);
      assert.match(message, wantAdvice);
      assert.doesNotMatch(message, /not to be quoted/u);
    });
  }

  it('says of each something else', async () => {
    const messages = await Promise.all(Object.values(cases).map(async ({ harm }) => (await messageOf(harm)).message));

    const words = messages.map((message) => message.replaceAll(/https:\/\/\S+/gu, ''));
    assert.equal(new Set(words).size, Object.keys(cases).length);
  });
});

describe('watchedSession', () => {
  const failures = { ENOTFOUND: 1, ECONNREFUSED: 1, ETIMEDOUT: 1, CERT_HAS_EXPIRED: 1, ECONNRESET: 0, EUNKNOWN: 0 };
  for (const [code, want] of Object.entries(failures)) {
    it(`tells ${want === 0 ? 'nobody' : 'its owner'} of ${code}, and fails all the same`, async () => {
      let told = 0;
      const session = watchedSession(failing(code), () => {
        told += 1;
      });

      const request = { method: 'GET', path: '/', headers: {}, signal: patient() } as const;
      await assert.rejects(session.send(request), { code });

      assert.equal(told, want);
    });
  }
});
