import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { JobPolicy } from '../../functions/core/job-spec.ts';
import type { Json, JsonObject } from '../../functions/core/json.ts';
import { aJobInput, aKubernetesRun, envOf } from '../support/job-inputs.ts';

describe('the API key', () => {
  const cases: Readonly<Record<string, { podToken: JobPolicy['podToken']; wantKey: Json; wantTenant: string }>> = {
    'comes from a Secret under both names': {
      podToken: { kind: 'secretKeyRef', name: 'prefect', key: 'token' },
      wantKey: { secretKeyRef: { name: 'prefect', key: 'token' } },
      wantTenant: 'tenant-1',
    },
    'is plain when the operator says so': {
      podToken: { kind: 'plain', value: 'KEY' },
      wantKey: 'KEY',
      wantTenant: 'tenant-1',
    },
    'is empty, and the tenant with it, where the API asks for none': {
      podToken: { kind: 'none' },
      wantKey: '',
      wantTenant: '',
    },
  };
  for (const [name, { podToken, wantKey, wantTenant }] of Object.entries(cases)) {
    it(name, () => {
      const env = envOf(aJobInput({ policy: { podToken, tenantId: 'tenant-1' } }));

      assert.deepEqual(env['PREFECT__CLOUD__API_KEY'], wantKey);
      assert.deepEqual(env['PREFECT__CLOUD__AUTH_TOKEN'], wantKey);
      assert.equal(env['PREFECT__CLOUD__TENANT_ID'], wantTenant);
    });
  }

  it('cannot be replaced by the run config', () => {
    const runConfig = aKubernetesRun({ env: { PREFECT__CLOUD__API_KEY: 'mine' } });

    assert.equal(envOf(aJobInput({ runConfig }))['PREFECT__CLOUD__API_KEY'], '');
  });

  it('comes with an empty tenant when none is known', () => {
    const env = envOf(aJobInput({ policy: { podToken: { kind: 'plain', value: 'KEY' } } }));

    assert.equal(env['PREFECT__CLOUD__TENANT_ID'], '');
  });
});

describe('the switch for run logs', () => {
  const name = 'PREFECT__CLOUD__SEND_FLOW_RUN_LOGS';
  const cases: Readonly<Record<string, { sendFlowRunLogs: boolean; env: JsonObject; want: string }>> = {
    'is the agent’s': { sendFlowRunLogs: true, env: {}, want: 'true' },
    'can be turned off by a flow': { sendFlowRunLogs: true, env: { [name]: 'false' }, want: 'false' },
    'cannot be turned on by a flow': { sendFlowRunLogs: false, env: { [name]: 'true' }, want: 'false' },
  };
  for (const [title, { sendFlowRunLogs, env, want }] of Object.entries(cases)) {
    it(title, () => {
      const variables = envOf(aJobInput({ runConfig: aKubernetesRun({ env }), policy: { sendFlowRunLogs } }));

      assert.equal(variables[name], want);
      assert.equal(variables['PREFECT__LOGGING__LOG_TO_CLOUD'], String(sendFlowRunLogs));
    });
  }
});
