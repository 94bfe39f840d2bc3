import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Context } from 'aws-lambda';

import { composeDispatch } from '../functions/compose-dispatch.ts';
import { machineOutside } from '../functions/composition.ts';
import { entry } from '../functions/entry.ts';
import { takeAwsEnvironment } from '../infra/local/functions.ts';
import { makeServingCertificate } from '../infra/local/kubernetes-api/certificates.ts';
import { listJobs } from '../infra/local/kubernetes-api/state.ts';
import { readFlowRun } from '../infra/local/prefect-api/inspect.ts';
import type { World } from '../infra/local/world.ts';
import { startWorld } from './support/scanned-world.ts';
import { seedDueRun } from './support/laptop-world.ts';

type Env = Readonly<Record<string, string>>;

/** What is missing or wrong, as variables over those of the world; it may also change the world. */
type Harm = (world: World) => Env | Promise<Env>;

const secretOf = ({ env }: World): string => env['RUNNER_TOKEN_SECRET_ARN'] ?? '';
const changed =
  (change: (world: World) => unknown) =>
  (world: World): Env => {
    change(world);
    return {};
  };

/** Each with the code that the invocation ends with. */
const half: Readonly<Record<string, { readonly code: string; readonly harm: Harm }>> = {
  'no Prefect API': { code: 'CONFIG_INVALID', harm: () => ({ PREFECT_API: '' }) },
  'no cluster': { code: 'CONFIG_INVALID', harm: () => ({ EKS_CLUSTER_NAME: '' }) },
  'no word about the token of the pods': { code: 'CONFIG_INVALID', harm: () => ({ POD_TOKEN_SECRET: '' }) },
  'an endpoint without its CA': { code: 'CONFIG_INVALID', harm: () => ({ EKS_ENDPOINT: 'https://eks.example' }) },
  'one wrong number': { code: 'CONFIG_INVALID', harm: () => ({ MAX_IN_FLIGHT: 'many' }) },
  'a template that is none': { code: 'CONFIG_INVALID', harm: () => ({ JOB_TEMPLATE: 'spec: [' }) },
  'an empty secret': {
    code: 'SECRET_UNAVAILABLE',
    harm: changed((world) => world.aws.state.secrets.set(secretOf(world), null)),
  },
  'a secret that lacks the key': {
    code: 'SECRET_UNAVAILABLE',
    harm: changed((world) => world.aws.state.secrets.set(secretOf(world), '{"api-key":"local-runner-token"}')),
  },
  'a secret that the role may not read': {
    code: 'SECRET_UNAVAILABLE',
    harm: changed(({ aws }) => aws.state.denied.add('secretsmanager:GetSecretValue')),
  },
  'a token that Prefect does not know': {
    code: 'PREFECT_REFUSED',
    harm: changed((world) => world.aws.state.secrets.set(secretOf(world), 'another')),
  },
  'a tenant that is not there': {
    code: 'PREFECT_REFUSED',
    harm: () => ({ PREFECT_TENANT_ID: '11111111-2222-4333-8444-555555555555' }),
  },
  'a role that may not describe the cluster': {
    code: 'CLUSTER_FORBIDDEN',
    harm: changed(({ aws }) => aws.state.denied.add('eks:DescribeCluster')),
  },
  'the CA of another cluster': {
    code: 'CLUSTER_UNREACHABLE',
    harm: async ({ kubernetes }) => ({
      EKS_ENDPOINT: kubernetes.url,
      EKS_CA: Buffer.from((await makeServingCertificate()).caPem).toString('base64'),
    }),
  },
  'no access entry': {
    code: 'CLUSTER_FORBIDDEN',
    harm: changed(({ kubernetes: { state } }) => {
      state.authenticate = () => null;
    }),
  },
  'an access entry without the group': {
    code: 'CLUSTER_FORBIDDEN',
    harm: changed(({ kubernetes: { state } }) => {
      state.authenticate = () => ({ user: 'role', groups: ['viewers'] });
    }),
  },
  'a namespace without the manifests': { code: 'CLUSTER_FORBIDDEN', harm: () => ({ NAMESPACE: 'elsewhere' }) },
};

/** One invocation of dispatch, from the handler on. */
async function invoke(world: World, over: Env): Promise<{ readonly code: string | undefined }> {
  const env = { ...world.env, ...over };
  takeAwsEnvironment(env);
  const outside = { ...machineOutside(env), clock: world.clock };
  const handler = entry(composeDispatch, () => outside);
  const context = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 50_000 } as Context;
  return handler({}, context).then(
    () => ({ code: undefined }),
    (error: { code?: string }) => ({ code: error.code }),
  );
}

const claims = ({ prefect }: World): number =>
  prefect.exchanges.filter(({ request }) => request.body.includes('set_flow_run_states')).length;

describe('a half-configured stack', () => {
  for (const [name, { code, harm }] of Object.entries(half)) {
    it(`claims nothing with ${name}, and the invocation ends with ${code}`, async () => {
      await using world = await startWorld();
      const id = seedDueRun(world);

      const ended = await invoke(world, await harm(world));

      assert.equal(ended.code, code);
      assert.equal(readFlowRun(world.prefect.state, id)?.state, 'Scheduled');
      assert.deepEqual([claims(world), listJobs(world.kubernetes.state)], [0, []]);
    });
  }

  it('claims as soon as nothing is missing', async () => {
    await using world = await startWorld();
    const id = seedDueRun(world);

    const ended = await invoke(world, {});

    assert.equal(ended.code, undefined);
    assert.equal(readFlowRun(world.prefect.state, id)?.state, 'Submitted');
    assert.deepEqual([claims(world), listJobs(world.kubernetes.state).length], [1, 1]);
  });
});
