import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { dueRuns } from '../../infra/local/prefect-api/queue.ts';
import {
  moveTaskRunStart,
  seedFlow,
  seedFlowRun,
  seedTenant,
  setFlowRunState,
  setTaskRunState,
} from '../../infra/local/prefect-api/seed.ts';
import { createPrefectState, type PrefectState } from '../../infra/local/prefect-api/state.ts';
import { PrefectDouble } from '../support/prefect-api.ts';
import { at, T0 } from '../support/time.ts';

const later = (minutes: number): Date => new Date(T0.getTime() + minutes * 60_000);

function queueOf(state: PrefectState, labels: readonly string[] = [], before: Date = T0): string[] {
  const [tenant] = state.tables.tenant.all();
  const question = { tenantId: tenant?.id ?? '', before: before.getTime() * 1000, labels };
  return dueRuns({ state, now: T0 }, question);
}

describe('the label rule', () => {
  const cases = {
    'an unlabelled run for an unlabelled agent': { run: [], agent: [], wantTaken: true },
    'an unlabelled run for a labelled agent': { run: [], agent: ['a'], wantTaken: false },
    'a labelled run for an unlabelled agent': { run: ['a'], agent: [], wantTaken: false },
    'the same label': { run: ['a'], agent: ['a'], wantTaken: true },
    'an agent with more labels': { run: ['a'], agent: ['a', 'b'], wantTaken: true },
    'a run with more labels': { run: ['a', 'b'], agent: ['a'], wantTaken: false },
    'the same labels in another order and one more': { run: ['a', 'b'], agent: ['b', 'a', 'c'], wantTaken: true },
    'another case of the letter': { run: ['a'], agent: ['A'], wantTaken: false },
  };
  for (const [name, { run, agent, wantTaken }] of Object.entries(cases)) {
    it(`${wantTaken ? 'takes' : 'leaves'} ${name}`, () => {
      const state = createPrefectState({ seed: 'labels' });
      const runId = seedFlowRun(state, { labels: run }, T0);

      assert.deepEqual(queueOf(state, agent), wantTaken ? [runId] : []);
    });
  }
});

describe('the queue', () => {
  it('returns 25 runs of 26, the oldest first', () => {
    const state = createPrefectState({ seed: 'queue' });
    const runs = Array.from({ length: 26 }, (_, index) => seedFlowRun(state, { startTime: later(-index) }, T0));

    assert.deepEqual(queueOf(state), runs.toReversed().slice(0, 25));
  });

  for (const [foreign, wantFound] of [
    [74, true],
    [75, false],
  ] as const) {
    it(`${wantFound ? 'sees' : 'does not see'} a run behind ${foreign} older runs with foreign labels`, () => {
      const state = createPrefectState({ seed: 'queue' });
      for (let index = 0; index < foreign; index += 1) {
        seedFlowRun(state, { labels: ['foreign'], startTime: later(-1000 + index) }, T0);
      }
      const ours = seedFlowRun(state, { startTime: T0 }, T0);

      assert.deepEqual(queueOf(state), wantFound ? [ours] : []);
    });
  }

  it('returns a run due at the very instant and none a millisecond later', () => {
    const state = createPrefectState({ seed: 'queue' });
    const due = seedFlowRun(state, { startTime: T0 }, T0);
    seedFlowRun(state, { startTime: at('+1ms') }, T0);

    assert.deepEqual(queueOf(state), [due]);
  });

  it('returns every scheduled kind of state, also those that nobody dispatches', () => {
    const state = createPrefectState({ seed: 'queue' });
    const kinds = ['Scheduled', 'Paused', 'Resume', 'Retrying', 'Queued', 'Pending', 'Submitted', 'Failed'];
    const runs = kinds.map((type) => {
      const runId = seedFlowRun(state, {}, T0);
      setFlowRunState(state, { runId, state: { type, start_time: T0.toISOString() } }, T0);
      return runId;
    });

    assert.deepEqual(queueOf(state), runs.slice(0, 5));
  });

  it('never returns a paused run without a start time', () => {
    const state = createPrefectState({ seed: 'queue' });
    const runId = seedFlowRun(state, {}, T0);
    setFlowRunState(state, { runId, state: { type: 'Paused' } }, T0);

    assert.deepEqual(queueOf(state), []);
  });

  it('does not return the runs of another tenant', () => {
    const state = createPrefectState({ seed: 'queue' });
    seedTenant(state);
    const other = seedTenant(state, { name: 'other' });
    seedFlowRun(state, { flowId: seedFlow(state, { tenantId: other }) }, T0);

    assert.deepEqual(queueOf(state), []);
  });
});

describe('a running run', () => {
  function withTask(type: string): { state: PrefectState; runId: string; taskRunId: string } {
    const state = createPrefectState({ seed: 'retry' });
    seedFlow(state, { tasks: [{ slug: 'load', maxRetries: 1 }] });
    const runId = seedFlowRun(state, {}, T0);
    setFlowRunState(state, { runId, state: { type: 'Running' } }, T0);
    const taskRunId = state.tables.task_run.by('flow_run_id', runId)[0]?.id ?? '';
    setTaskRunState(state, { taskRunId, state: { type, start_time: at('+1m').toISOString() } }, T0);
    return { state, runId, taskRunId };
  }

  it('returns when a retry is due, not before', () => {
    const { state, runId, taskRunId } = withTask('Retrying');
    assert.deepEqual(queueOf(state), []);

    moveTaskRunStart(state, taskRunId, at('-1m'));

    assert.deepEqual(queueOf(state), [runId]);
  });

  it('does not return for a task that was only submitted', () => {
    const { state } = withTask('Submitted');

    assert.deepEqual(queueOf(state, [], at('+1h')), []);
  });

  it('comes after all scheduled ones, because it has no start time', () => {
    const { state, runId } = withTask('Retrying');
    const scheduled = seedFlowRun(state, { startTime: at('+30m') }, T0);

    assert.deepEqual(queueOf(state, [], at('+1h')), [scheduled, runId]);
  });
});

describe('asking the queue', () => {
  const ask = 'mutation($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }';

  it('takes nothing out of it', () => {
    const api = new PrefectDouble();
    const runId = seedFlowRun(api.state, {}, T0);
    const [tenant] = api.state.tables.tenant.all();
    const variables = { input: { tenant_id: tenant?.id } };

    const answers = [api.ask(ask, variables), api.ask(ask, variables)].map(({ data }) => data);

    const wantAnswer = { get_runs_in_queue: { flow_run_ids: [runId] } };
    assert.deepEqual(answers, [wantAnswer, wantAnswer]);
  });

  it('marks the agent of the header as having asked', () => {
    const api = new PrefectDouble();
    const tenant = seedTenant(api.state);
    const register = 'mutation($input: register_agent_input!) { register_agent(input: $input) { id } }';
    const { data } = api.ask(register, { input: { tenant_id: tenant, type: 'KubernetesAgent', name: 'ours' } });
    const { id } = data['register_agent'] as { id: string };

    const headers = { 'x-prefect-agent-id': id };
    api.ask(ask, { input: { tenant_id: tenant } }, { now: at('+5m'), headers });

    assert.equal(api.state.tables.agent.get(id)?.last_queried, at('+5m').getTime() * 1000);
  });

  it('fails inside when the labels are null', () => {
    const api = new PrefectDouble();
    const reply = api.ask(ask, { input: { tenant_id: seedTenant(api.state), labels: null } });

    const message = 'Unable to complete operation. An internal API error occurred.';
    assert.deepEqual(
      reply.errors.map((error) => error.message),
      [message],
    );
  });
});
