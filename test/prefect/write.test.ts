import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { FlowRunId } from '../../functions/core/flow-run.ts';
import type { WriteBatch } from '../../functions/prefect/contract.ts';
import { Secret } from '../../functions/secret.ts';
import { constant } from '../../functions/source.ts';
import { jsonAnswer } from '../../infra/local/http.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { aRunId } from '../support/builders.ts';
import { patient, startPrefectWorld, type PrefectWorld } from '../support/clients.ts';
import { at, T0 } from '../support/time.ts';

const tenantId = '99999999-9999-4999-8999-999999999999';
const nothing: WriteBatch = { states: [], logs: [], heartbeats: [], signal: patient() };
const submitted = { type: 'Submitted', message: 'Submitted for execution' };

const seed = ({ api }: PrefectWorld): FlowRunId => seedFlowRun(api.state, {}, at('-1h')) as FlowRunId;
const stateOf = ({ api }: PrefectWorld, id: string) => api.state.tables.flow_run.get(id)?.state;

describe('write', () => {
  it('answers for each state by itself, in the order given', async () => {
    await using world = await startPrefectWorld();
    const [first, second] = [seed(world), seed(world)];
    const states = [first, aRunId(9), second].map((runId) => ({ runId, version: 1, state: submitted }));

    const answers = await world.connect({ tenantId }).write({ ...nothing, states });

    assert.deepEqual(
      answers.states.map(({ kind }) => kind),
      ['applied', 'refused', 'applied'],
    );
    assert.deepEqual([stateOf(world, first), stateOf(world, second)], ['Submitted', 'Submitted']);
    assert.equal(world.api.exchanges.length, 1);
  });

  it('is refused in the words of the server while the lock is held', async () => {
    await using world = await startPrefectWorld();
    const states = [{ runId: seed(world), version: 1, state: submitted }];
    const client = world.connect({ tenantId });
    await client.write({ ...nothing, states });

    const answers = await client.write({ ...nothing, states });

    assert.deepEqual(answers.states, [
      { kind: 'refused', message: 'State update failed: this run has already been submitted.' },
    ]);
  });

  it('says nothing of a token that a server repeats, in whatever spelling', async () => {
    await using world = await startPrefectWorld();
    const token = 'hunter2+hunter2"~';
    const echoes = [`who is ${token}?`, `Basic ${btoa(token)}`, encodeURIComponent(token)];
    const answers = echoes.map((message) => ({
      data: { set_flow_run_states: { states: [{ status: 'FAILED', message }] } },
    }));
    world.api.faults.add({ matches: () => true, fault: { kind: 'answer', answer: jsonAnswer(200, answers) } });
    const states = echoes.map(() => ({ runId: seed(world), version: 1, state: submitted }));

    const client = world.connect({ tenantId, token: constant(new Secret(token)) });
    const { states: told } = await client.write({ ...nothing, states });

    assert.deepEqual(
      told,
      ['who is [secret]?', 'Basic [secret]', '[secret]'].map((message) => ({ kind: 'refused', message })),
    );
  });

  const lost: Record<string, Parameters<PrefectWorld['api']['faults']['add']>[0]> = {
    'the answer is lost after it was done': { matches: () => true, fault: { kind: 'drop-after' } },
    'the gateway answers 502': { matches: () => true, fault: { kind: 'answer', answer: jsonAnswer(502, {}) } },
    'the answer is one short': {
      matches: () => true,
      fault: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, body: '[]' }) },
    },
    'the connection dies before': { matches: () => true, fault: { kind: 'drop-before' } },
  };
  for (const [name, rule] of Object.entries(lost)) {
    it(`is unknown, not repeated and not thrown when ${name}`, async () => {
      await using world = await startPrefectWorld();
      const runId = seed(world);
      const client = world.connect({ tenantId });
      await client.readRuns([runId], patient());
      world.api.faults.add(rule);

      const states = [{ runId, version: 1, state: submitted }];
      const logs = [{ runId, level: 'INFO', name: 'agent', message: 'hello' } as const];
      const answers = await client.write({ ...nothing, states, logs, heartbeats: [runId, runId] });

      assert.deepEqual(
        answers.states.map(({ kind }) => kind),
        ['unknown'],
      );
      assert.deepEqual([answers.lostLogs, answers.lostHeartbeats], [1, 2]);
      assert.equal(world.api.exchanges.length, 2);
    });
  }

  it('stores logs and heartbeats, and loses only the logs of a run that is gone', async () => {
    await using world = await startPrefectWorld();
    const runId = seed(world);
    const log = { level: 'ERROR', name: 'k8s-infra', message: 'a\0b', timestamp: at('-5s'), info: { n: 1 } } as const;
    const logs = [
      { ...log, runId },
      { ...log, runId: aRunId(9) },
      { ...log, runId, message: 'c' },
    ];

    const answers = await world.connect({ tenantId }).write({ ...nothing, logs, heartbeats: [runId] });

    assert.deepEqual([answers.lostLogs, answers.lostHeartbeats, answers.unlogged], [1, 0, new Set([aRunId(9)])]);
    const stored = world.api.state.tables.log.by('flow_run_id', runId);
    assert.deepEqual(
      stored.map(({ message, level, name, timestamp }) => ({ message, level, name, timestamp })),
      ['a\uFFFDb', 'c'].map((message) => ({
        message,
        level: 'ERROR',
        name: 'k8s-infra',
        timestamp: at('-5s').getTime() * 1000,
      })),
    );
    assert.equal(world.api.state.tables.flow_run.get(runId)?.heartbeat, T0.getTime() * 1000);
  });

  it('keeps logs of many megabytes below the limit of the gateway', async () => {
    await using world = await startPrefectWorld();
    const runId = seed(world);
    const message = '\u0001'.repeat(200_000);
    const logs = Array.from({ length: 8 }, () => ({ runId, level: 'INFO', name: 'k8s-infra', message }) as const);

    const answers = await world.connect({ tenantId }).write({ ...nothing, logs });

    assert.equal(answers.lostLogs, 0);
    assert.ok(world.api.exchanges.length > 1);
  });

  it('makes no request of an empty batch', async () => {
    await using world = await startPrefectWorld();

    await world.connect({ tenantId }).write(nothing);

    assert.equal(world.api.exchanges.length, 0);
  });
});
