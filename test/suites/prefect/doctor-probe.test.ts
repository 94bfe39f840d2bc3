import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';

import { probeJob } from '../../../functions/doctor/probe-job.ts';
import { startPrefectApi, type PrefectApi } from '../../../infra/local/prefect-api/server.ts';
import { seedTenant } from '../../../infra/local/prefect-api/seed.ts';
import { createPrefectState } from '../../../infra/local/prefect-api/state.ts';
import { heard } from '../../support/heard.ts';
import { startMachine, type Machine } from './machine.ts';

/** What the pod of the doctor runs. */
function commandOf(backend: 'server' | 'cloud'): readonly string[] {
  const flow = { name: 'flow', image: 'prefecthq/prefect:1.4.1', args: ['prefect', 'execute', 'flow-run'] };
  const job = { spec: { template: { spec: { containers: [flow] } } } };
  const [container] = probeJob(job, { id: 'probe', backend }).spec?.template.spec?.containers ?? [];
  return container?.command ?? [];
}

const rightKey = 'canary-api-key.Rr28';

describe('the probe of the doctor, under the Python of Prefect 1.4.1', () => {
  let machine: Machine;
  let api: PrefectApi;
  before(async () => {
    machine = await startMachine();
    const state = createPrefectState({ seed: 'probe' });
    seedTenant(state, {}, new Date());
    api = await startPrefectApi({ state, token: rightKey });
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    await api.close();
  });

  afterEach(() => {
    heard.confide('runner token', rightKey);
    for (const { request } of api.exchanges.splice(0)) heard.hearRequest('prefect', request);
    heard.judge();
  });

  const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' };
  const cases: Readonly<
    Record<string, { key?: string; address?: string; backend?: 'cloud'; page?: boolean; want: [number, RegExp] }>
  > = {
    'reaches the API with the right key': { key: rightKey, want: [0, /^doctor: ok\n$/] },
    'is told that the key is wrong': { key: 'wrong', want: [1, /^doctor: status 401\n$/] },
    'is told that there is none': { want: [1, /^doctor: status 401\n$/] },
    'finds a web page': { key: rightKey, page: true, want: [1, /^doctor: not-json\n$/] },
    'finds nobody': {
      key: rightKey,
      address: 'http://127.0.0.1:1',
      want: [1, /^doctor: unreachable: .*Connection refused\n$/],
    },
    'asks a Cloud-compatible API for the tenant of the key': {
      key: rightKey,
      backend: 'cloud',
      // A server has no such field: what counts is that it was asked.
      want: [1, /^doctor: status 400\n$/],
    },
  };
  for (const [name, { key = '', address, backend = 'server', page: isPage = false, want }] of Object.entries(cases)) {
    it(name, async () => {
      if (isPage) api.faults.add({ matches: () => true, fault: { kind: 'answer', answer: page } });
      const env = { PREFECT__CLOUD__API: address ?? api.url, PREFECT__CLOUD__API_KEY: key };

      const { status, stdout, stderr } = await machine.run(commandOf(backend), env);

      assert.equal(status, want[0], `${stdout}${stderr}`);
      assert.match(stdout, want[1]);
    });
  }

  it('would be heard if its key went anywhere but into its header', async () => {
    const { url } = api;
    const env = { PREFECT__CLOUD__API: `${url}?key=${rightKey}`, PREFECT__CLOUD__API_KEY: rightKey };

    await machine.run(commandOf('server'), env);

    heard.confide('runner token', rightKey);
    for (const { request } of api.exchanges.splice(0)) heard.hearRequest('prefect', request);
    assert.throws(() => heard.judge(), /runner token in addresses to prefect/u);
  });
});
