import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connectHttp } from '../../functions/prefect/http.ts';
import type { PrefectOptions } from '../../functions/prefect/contract.ts';
import { examinePrefect, type PrefectExam } from '../../functions/prefect/examine.ts';
import { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import type { Fault } from '../../infra/local/faults.ts';
import { jsonAnswer } from '../../infra/local/http.ts';
import { startPrefectApi, type PrefectApi, type PrefectApiOptions } from '../../infra/local/prefect-api/server.ts';
import { seedTenant } from '../../infra/local/prefect-api/seed.ts';
import { createPrefectState } from '../../infra/local/prefect-api/state.ts';
import { STACK } from '../support/builders.ts';
import { aClock, patient } from '../support/clients.ts';
import { T0 } from '../support/time.ts';

interface World extends AsyncDisposable {
  readonly api: PrefectApi;
  readonly tenant: string;
  exam(wish?: Partial<PrefectOptions>): PrefectExam;
}

async function startWorld(options: PrefectApiOptions = {}): Promise<World> {
  const state = createPrefectState({ seed: 'examine' });
  const tenant = seedTenant(state, {}, T0);
  const api = await startPrefectApi({ ...options, state, now: () => T0 });
  const transport = connectHttp({ ca: null });
  const base = {
    url: api.url,
    backend: 'server',
    token: constant(null),
    tenantId: null,
    memory: { tenantId: null, agentId: null },
    agentName: 'kubernetes-serverless-test',
    labels: ['gpu'],
    stackId: STACK,
    clock: aClock(),
    post: transport.post,
  } as const;
  return {
    api,
    tenant,
    exam: (wish = {}) => examinePrefect({ ...base, ...wish }),
    [Symbol.asyncDispose]: async () => {
      transport.close();
      await api.close();
    },
  };
}

const answers = (status: number, body: unknown): Fault => ({ kind: 'answer', answer: jsonAnswer(status, body) });

describe('examinePrefect', () => {
  it('reaches an API, also one that wants to know us first', async () => {
    await using open = await startWorld();
    await using guarded = await startWorld({ token: 'secret' });

    await open.exam().reach(patient());
    await guarded.exam().reach(patient());

    assert.deepEqual([open.api.exchanges[0]?.status, guarded.api.exchanges[0]?.status], [200, 401]);
  });

  const unreached: Readonly<Record<string, { fault: Fault; want: string }>> = {
    'a proxy without its server': { fault: answers(502, {}), want: 'PREFECT_UNREACHABLE' },
    'a redirect': { fault: answers(301, {}), want: 'PREFECT_REFUSED' },
    'a page': {
      fault: { kind: 'answer', answer: { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' } },
      want: 'PREFECT_UNREADABLE',
    },
    'a dead connection': { fault: { kind: 'drop-before' }, want: 'PREFECT_UNREACHABLE' },
  };
  for (const [name, { fault, want }] of Object.entries(unreached)) {
    it(`does not take ${name} for an API`, async () => {
      await using world = await startWorld();
      world.api.faults.add({ matches: () => true, fault, times: 2 });

      await assert.rejects(world.exam().reach(patient()), { code: want });
    });
  }

  it('lists tenants with the right token, and not with another', async () => {
    await using world = await startWorld({ token: 'right' });

    const tenants = await world.exam({ token: constant(new Secret('right')) }).listTenants(patient());

    assert.deepEqual(tenants, [world.tenant]);
    const wrong = world.exam({ token: constant(new Secret('wrong')) });
    await assert.rejects(wrong.listTenants(patient()), {
      code: 'PREFECT_REFUSED',
      message: /rejected the runner token/u,
    });
    await assert.rejects(world.exam().listTenants(patient()), { code: 'PREFECT_REFUSED', message: /wants a token/u });
  });

  it('takes the tenant of a key from a Cloud-compatible API', async () => {
    await using world = await startWorld();
    const exam = world.exam({ backend: 'cloud' });
    for (const [skip, tenant] of [world.tenant, null].entries()) {
      const fault = answers(200, [{ data: { auth_info: { tenant_id: tenant } } }]);
      world.api.faults.add({ matches: () => true, fault, skip });
    }

    assert.deepEqual(await exam.listTenants(patient()), [world.tenant]);
    assert.deepEqual(await exam.listTenants(patient()), []);
  });

  it('has its filters accepted, all four in one request', async () => {
    await using world = await startWorld();

    const verdicts = await world.exam().tryFilters(world.tenant, patient());

    assert.deepEqual(verdicts, { dispatch: 'accepted', reconcile: 'accepted' });
    assert.equal(world.api.exchanges.length, 1);
  });

  it('tells a schema that lacks an operator from a failure', async () => {
    await using world = await startWorld();
    const mismatch = { errors: [{ message: 'no', extensions: { code: 'validation-failed' } }] };
    const rows = { data: { flow_run: [] } };
    world.api.faults.add({ matches: () => true, fault: answers(200, [rows, rows, mismatch, rows]) });
    const failure = { errors: [{ message: 'permission denied', extensions: { code: 'permission-error' } }] };
    const skip = 1;
    world.api.faults.add({ matches: () => true, fault: answers(200, [rows, rows, rows, failure]), skip });

    const verdicts = await world.exam().tryFilters(world.tenant, patient());

    assert.deepEqual(verdicts, { dispatch: 'mismatch', reconcile: 'accepted' });
    await assert.rejects(world.exam().tryFilters(world.tenant, patient()), {
      code: 'PREFECT_REFUSED',
      message: /permission-error/u,
    });
  });
});
