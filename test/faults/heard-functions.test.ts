import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { ApiSession } from '../../functions/kubernetes/session.ts';
import { connectHttp } from '../../functions/prefect/http.ts';
import { seedFlow, seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { startWorld, type World } from '../../infra/local/world.ts';
import type { EksLogin } from '../support/real-cluster.ts';
import { realFunctions, type RealFunctionsOptions } from '../support/real-world.ts';

const sessionToken = 'canary-session-token-Ww63';
const jobEnvValue = 'canary-job-env+/=Hn54';

/** The world's only role, with a session token. */
function loginOf({ aws }: World): EksLogin {
  const [[accessKeyId, key] = ['', null]] = [...aws.state.keys];
  assert.ok(key !== null);
  aws.state.keys.set(accessKeyId, { ...key, sessionToken });
  const { secretAccessKey } = key;
  return { clusterId: 'local', region: aws.state.region, accessKeyId, secretAccessKey, sessionToken };
}

/** The functions of the suites on a local world, with a run that is due. */
function functionsOn(world: World, leaking: Partial<RealFunctionsOptions>) {
  const { prefect, kubernetes, clock, namespace } = world;
  const flowId = seedFlow(prefect.state, { name: 'etl' }, clock.now());
  seedFlowRun(prefect.state, { flowId, startTime: clock.now() }, clock.now());
  const { url: server, caPem } = kubernetes;
  const access = { server, caPem, adminToken: '', kubeconfig: '', etcd: null };
  return realFunctions({
    cluster: { ...access, eks: null, auditLog: null, kubectl: null, member: null },
    eks: loginOf(world),
    namespace,
    clock,
    loginClock: clock,
    prefectUrl: prefect.url,
    openHttp: (ca) => connectHttp({ ca }),
    env: { JOB_ENV: `PASSWORD=${jobEnvValue}` },
    ...leaking,
  });
}

const tracedSession = (session: ApiSession, more: string): ApiSession => ({
  ...session,
  send: async (request) => session.send({ ...request, headers: { ...request.headers, 'x-trace': more } }),
});

const leaks: Readonly<Record<string, { leaking: (world: World) => Partial<RealFunctionsOptions>; want: RegExp }>> = {
  'a session token to the API server': {
    leaking: () => ({ around: (session) => tracedSession(session, encodeURIComponent(sessionToken)) }),
    want: /AWS session token in other headers to kubernetes/u,
  },
  'a value of JOB_ENV to Prefect': {
    leaking: ({ prefect }) => ({ prefectUrl: `${prefect.url}?trace=${encodeURIComponent(btoa(`x${jobEnvValue}`))}` }),
    want: /JOB_ENV value in addresses to prefect/u,
  },
};

describe('the functions as the suites of real parts play them', () => {
  for (const [name, { leaking, want }] of Object.entries(leaks)) {
    it(`fail a tick that sends ${name}`, async () => {
      const play = async (): Promise<void> => {
        await using world = await startWorld({ open: true });
        await functionsOn(world, leaking(world)).dispatch();
      };
      await assert.rejects(play, want);
    });
  }

  it('let a tick pass whose secrets go where they have to', async () => {
    await using world = await startWorld({ open: true });
    const functions = functionsOn(world, {});
    const report = await functions.dispatch();
    assert.deepEqual([report.problem, report.counts.created], [null, 1]);
    assert.equal((await functions.reconcile()).problem, null);
  });
});
