import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as documents from '../../functions/prefect/documents.ts';
import { dataOf, type Document } from '../../functions/prefect/documents.ts';

const id = '11111111-2222-4333-8444-555555555555';

interface Case {
  readonly data: unknown;
  readonly want: unknown;
}

const reading =
  <T>(document: Document<T>) =>
  (data: unknown) =>
    dataOf(document, { data, problems: [] });

const readings = {
  flowRuns: reading(documents.flowRuns),
  surroundings: reading(documents.surroundings),
  lateRuns: reading(documents.lateRuns),
  runsInQueue: reading(documents.runsInQueue),
  registerAgent: reading(documents.registerAgent),
  tenants: reading(documents.tenants),
  authInfo: reading(documents.authInfo),
  setStates: reading(documents.setStates),
  writeLogs: reading(documents.writeLogs),
  heartbeat: reading(documents.heartbeat),
} as const;
type Name = keyof typeof readings;

const readable: Readonly<Record<Name, readonly Case[]>> = {
  flowRuns: [{ data: { flow_run: [{ a: 1 }, null] }, want: [{ a: 1 }, null] }],
  surroundings: [
    {
      data: {
        agent: [
          { name: 'a', labels: ['x'] },
          { name: null, labels: null },
        ],
        flow_run: [{ labels: ['b'] }],
      },
      want: {
        agents: [
          { name: 'a', labels: ['x'] },
          { name: null, labels: [] },
        ],
        late: [{ labels: ['b'] }],
      },
    },
  ],
  lateRuns: [{ data: { flow_run: [{ labels: ['a'] }, { labels: null }] }, want: [{ labels: ['a'] }, { labels: [] }] }],
  runsInQueue: [
    { data: { get_runs_in_queue: { flow_run_ids: [id] } }, want: [id] },
    { data: { get_runs_in_queue: { flow_run_ids: null } }, want: [] },
  ],
  registerAgent: [{ data: { register_agent: { id } }, want: id }],
  tenants: [
    { data: { tenant: [{ id }] }, want: [id] },
    { data: { tenant: [] }, want: [] },
  ],
  authInfo: [
    { data: { auth_info: { tenant_id: id } }, want: { tenantId: id } },
    { data: { auth_info: { tenant_id: null } }, want: { tenantId: null } },
  ],
  setStates: [
    {
      data: { set_flow_run_states: { states: [{ status: 'SUCCESS', message: 'ok' }, { status: null }] } },
      want: [
        { status: 'SUCCESS', message: 'ok' },
        { status: null, message: null },
      ],
    },
  ],
  writeLogs: [{ data: { write_run_logs: { success: true } }, want: true }],
  heartbeat: [{ data: { update_flow_run_heartbeat: { success: true } }, want: true }],
};

const unreadable: Readonly<Record<Name, readonly unknown[]>> = {
  flowRuns: [{}, { flow_run: null }, { flow_run: {} }],
  surroundings: [
    { agent: [] },
    { flow_run: [] },
    { agent: [null], flow_run: [] },
    { agent: [{ name: 7 }], flow_run: [] },
  ],
  lateRuns: [{}, { flow_run: [null] }, { flow_run: [{ labels: 'a' }] }, { flow_run: [{ labels: [7] }] }],
  runsInQueue: [
    {},
    { get_runs_in_queue: null },
    { get_runs_in_queue: {} },
    { get_runs_in_queue: { flow_run_ids: [7] } },
  ],
  registerAgent: [{}, { register_agent: null }, { register_agent: { id: null } }, { register_agent: { id: 'a' } }],
  tenants: [{}, { tenant: null }, { tenant: [{}] }, { tenant: [{ id: 'a' }] }],
  authInfo: [{}, { auth_info: null }, { auth_info: {} }, { auth_info: { tenant_id: 'a' } }],
  setStates: [
    {},
    { set_flow_run_states: null },
    { set_flow_run_states: { states: null } },
    { set_flow_run_states: { states: [{}] } },
    { set_flow_run_states: { states: [{ status: 7 }] } },
    { set_flow_run_states: { states: [{ status: 'SUCCESS', message: 7 }] } },
  ],
  writeLogs: [{}, { write_run_logs: null }, { write_run_logs: {} }, { write_run_logs: { success: false } }],
  heartbeat: [{}, { update_flow_run_heartbeat: { success: 'true' } }, { update_flow_run_heartbeat: { success: null } }],
};

describe('the data of a document', () => {
  for (const [name, read] of Object.entries(readings) as [Name, (data: unknown) => unknown][]) {
    it(`is read: ${name}`, () => {
      for (const { data, want } of readable[name]) assert.deepEqual(read(data), want);
    });

    it(`is none when it is not what was asked for: ${name}`, () => {
      for (const data of [undefined, null, 7, [], ...unreadable[name]])
        assert.equal(read(data), null, JSON.stringify(data));
    });
  }

  it('is none without an answer', () => {
    assert.equal(dataOf(documents.tenants, undefined), null);
  });
});
