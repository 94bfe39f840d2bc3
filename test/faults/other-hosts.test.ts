import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { openSession, type ApiSession } from '../../functions/kubernetes/session.ts';
import { connectHttp } from '../../functions/prefect/http.ts';
import { systemWire, type Wire } from '../../functions/templates/guarded-get.ts';
import type { World } from '../../infra/local/world.ts';
import {
  everyNameIs,
  playLed,
  startAccount,
  startCleartext,
  startPlain,
  startSecure,
  startSignedWorld,
  type Lead,
  type OtherHost,
  type StartHost,
} from '../support/other-hosts.ts';

interface Scene {
  readonly start: StartHost;
  readonly lead: (host: OtherHost, world: World) => Lead;
  /** Which requests come to it; none: it is not even asked. */
  readonly wantAsked: boolean;
  /** The same, with a fault in the functions, or in what surrounds them, that tells it more than it may know. */
  readonly leak: (host: OtherHost, world: World) => Lead;
  readonly wantFound: RegExp;
}

const tokenOf = ({ aws }: World): string => String([...aws.state.secrets.values()][0]);

const withHeaders = (wire: Wire, headers: Readonly<Record<string, string>>): Wire => ({
  ...wire,
  send: async (request) => wire.send({ ...request, headers: { ...request.headers, ...headers } }),
});

/** The account says that its cluster is there. */
function describeCluster({ aws: { state } }: World, endpoint: string): void {
  for (const [name, cluster] of state.clusters) state.clusters.set(name, { ...cluster, endpoint });
}

const jobTemplatePath = 'https://templates.example/flows/job.yaml';

const allowed: Lead = { env: { TEMPLATE_SOURCES: 'https://templates.example/flows' }, jobTemplatePath };

const readsObject = { JOB_TEMPLATE: 's3://templates.example/job.yaml' };

/** An application id of the SDK goes into the header User-Agent. */
const toldAll = (world: World): Readonly<Record<string, string>> => ({ AWS_SDK_UA_APP_ID: tokenOf(world) });

const goesTo = ({ url, ca }: OtherHost): Lead => ({
  outside: { openSession: (address): ApiSession => openSession({ ...address, endpoint: url, ca }) },
});

const scenes: Readonly<Record<string, Scene>> = {
  'the host of an author’s template': {
    start: startSecure,
    lead: (host) => ({ ...allowed, outside: { wire: everyNameIs(host) } }),
    wantAsked: true,
    leak: (host, world) => ({
      ...allowed,
      outside: { wire: withHeaders(everyNameIs(host), { authorization: `Bearer ${tokenOf(world)}` }) },
    }),
    wantFound: /runner token in authorization to elsewhere/u,
  },
  'the host of an author’s template that is not allowed': {
    start: startSecure,
    lead: (host) => ({ jobTemplatePath, outside: { wire: everyNameIs(host) } }),
    wantAsked: false,
    leak: (host, { env }) => ({
      ...allowed,
      outside: { wire: withHeaders(everyNameIs(host), { 'x-amz-security-token': env['AWS_SESSION_TOKEN'] ?? '' }) },
    }),
    wantFound: /AWS session token in other headers to elsewhere/u,
  },
  'an endpoint for S3': {
    start: startPlain('aws'),
    lead: ({ url }) => ({ env: { ...readsObject, AWS_ENDPOINT_URL_S3: url } }),
    wantAsked: true,
    leak: ({ url }, world) => ({
      env: { ...readsObject, AWS_ENDPOINT_URL_S3: url },
      outside: { wire: withHeaders(systemWire, { 'x-trace': tokenOf(world) }) },
    }),
    wantFound: /runner token in other headers to aws/u,
  },
  'a host in the name of the region': {
    start: startPlain('elsewhere'),
    lead: (host) => ({
      env: { ...readsObject, AWS_REGION: 'elsewhere.example/#' },
      outside: { wire: everyNameIs(host) },
    }),
    wantAsked: false,
    leak: (host) => ({ env: readsObject, outside: { wire: everyNameIs(host) } }),
    wantFound: /AWS key id in authorization to elsewhere/u,
  },
  ...Object.fromEntries(
    ['STS', 'EKS', 'SECRETS_MANAGER'].map((service): [string, Scene] => {
      const leadTo = (url: string): Readonly<Record<string, string>> => ({ [`AWS_ENDPOINT_URL_${service}`]: url });
      return [
        `an endpoint for ${service}`,
        {
          start: startAccount,
          lead: ({ url }) => ({ env: leadTo(url) }),
          wantAsked: true,
          leak: ({ url }, world) => ({ env: { ...leadTo(url), ...toldAll(world) } }),
          wantFound: /runner token in other headers to aws/u,
        },
      ];
    }),
  ),
  'a cluster’s address with another authority than the cluster’s': {
    start: startSecure,
    lead: ({ url }, world) => {
      describeCluster(world, url);
      return {};
    },
    wantAsked: false,
    leak: (host, world) => {
      describeCluster(world, host.url);
      return goesTo(host);
    },
    wantFound: /AWS key id in authorization to elsewhere/u,
  },
  'a cluster’s address without TLS': {
    start: startCleartext,
    lead: ({ url }, world) => {
      describeCluster(world, url);
      return {};
    },
    wantAsked: false,
    leak: (host, world) => {
      describeCluster(world, 'https://127.0.0.1');
      return goesTo(host);
    },
    wantFound: /AWS key id in authorization to elsewhere/u,
  },
  'the address of the Prefect API that pods see': {
    start: startPlain('elsewhere'),
    lead: ({ url }) => ({ env: { PREFECT_API_IN_CLUSTER: url } }),
    wantAsked: false,
    leak: ({ url }) => ({
      env: { PREFECT_API_IN_CLUSTER: url },
      outside: {
        openHttp: (ca) => {
          const transport = connectHttp({ ca });
          return { ...transport, post: async (request) => transport.post({ ...request, url }) };
        },
      },
    }),
    wantFound: /runner token in authorization to elsewhere/u,
  },
};

async function play({ start }: Scene, leading: Scene['lead']): Promise<number> {
  await using world = await startSignedWorld();
  await using host = await start(world);
  await playLed(world, leading(host, world));
  return host.exchanges.length;
}

describe('a host to which a setting, an author or AWS leads the functions', () => {
  for (const [name, scene] of Object.entries(scenes)) {
    it(`learns no secret that is not for it: ${name}`, async () => {
      assert.equal((await play(scene, scene.lead)) > 0, scene.wantAsked);
    });

    it(`is found when it learns one: ${name}`, async () => {
      await assert.rejects(play(scene, scene.leak), scene.wantFound);
    });
  }
});
