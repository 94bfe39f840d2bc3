import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import type { JsonRecord } from '../../infra/local/prefect-api/jsonb.ts';
import { seedFlow, seedFlowRun, seedProject, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import { PrefectDouble } from '../support/prefect-api.ts';
import { at, T0 } from '../support/time.ts';

const serialized = {
  name: 'etl',
  parameters: [],
  storage: null,
  run_config: null,
  schedule: null,
  __version__: '1.4.1',
};

function created(api: PrefectDouble, mutation: string, input: JsonRecord): string {
  const query = `mutation($input: ${mutation}_input!) { ${mutation}(input: $input) { id } }`;
  const { data, errors } = api.ask(query, { input });
  assert.deepEqual(errors, []);
  return (data[mutation] as { id: string }).id;
}

const refusalOf = (api: PrefectDouble, mutation: string, input: JsonRecord): string | undefined =>
  api.ask(`mutation($input: ${mutation}_input!) { ${mutation}(input: $input) { id } }`, { input }).errors[0]?.message;

describe('registering a flow', () => {
  const register = (api: PrefectDouble, extra: JsonRecord = {}) =>
    created(api, 'create_flow', {
      project_id: seedProject(api.state, { name: 'demo' }),
      serialized_flow: serialized,
      ...extra,
    });

  it('again makes a new version of the same group and archives the old one', () => {
    const api = new PrefectDouble();
    const [first, second] = [register(api), register(api)].map((id) => api.state.tables.flow.get(id));

    assert.deepEqual([first?.version, second?.version], [1, 2]);
    assert.deepEqual([first?.archived, second?.archived], [true, false]);
    assert.equal(first?.flow_group_id, second?.flow_group_id);
  });

  it('again with the same key changes nothing', () => {
    const api = new PrefectDouble();
    const first = register(api, { idempotency_key: 'k1' });

    assert.equal(register(api, { idempotency_key: 'k1' }), first);
    assert.notEqual(register(api, { idempotency_key: 'k2' }), first);
  });

  it('deletes the scheduled runs of the old version that nobody asked for, and cancels the others', () => {
    const api = new PrefectDouble();
    const flowId = register(api);
    const byScheduler = seedFlowRun(api.state, { flowId, autoScheduled: true }, T0);
    const byHand = seedFlowRun(api.state, { flowId }, T0);
    const running = seedFlowRun(api.state, { flowId }, T0);
    setFlowRunState(api.state, { runId: running, state: { type: 'Running' } }, T0);

    register(api);

    const states = [byScheduler, byHand, running].map((id) => readFlowRun(api.state, id)?.state);
    assert.deepEqual(states, [undefined, 'Cancelled', 'Running']);
  });

  it('may come compressed, with tasks and edges afterwards', () => {
    const api = new PrefectDouble();
    const project = seedProject(api.state, { name: 'demo' });
    const compressed = gzipSync(JSON.stringify(serialized)).toString('base64');
    const flowId = created(api, 'create_flow_from_compressed_string', {
      project_id: project,
      serialized_flow: compressed,
    });
    const tasks = [
      { slug: 'a-1', name: 'a', max_retries: 2, retry_delay: 660, trigger: { fn: 'all_successful' } },
      { slug: 'b-1', name: 'b' },
    ];
    const edges = [{ upstream_task: { slug: 'a-1' }, downstream_task: { slug: 'b-1' }, key: 'x' }];
    const send = (what: string, items: JsonRecord[]) =>
      api.ask(`mutation($input: register_${what}_input!) { register_${what}(input: $input) { success } }`, {
        input: { flow_id: flowId, [`serialized_${what}`]: items },
      });
    send('tasks', tasks);
    send('tasks', tasks);
    send('edges', edges);

    const { data } = api.ask(
      `{ flow_by_pk(id: "${flowId}") { tasks(order_by: { slug: asc }) { slug max_retries retry_delay trigger }
        edges { upstream_task { slug } downstream_task { slug } } } }`,
    );

    assert.deepEqual(data, {
      flow_by_pk: {
        tasks: [
          { slug: 'a-1', max_retries: 2, retry_delay: '00:11:00', trigger: 'all_successful' },
          { slug: 'b-1', max_retries: 0, retry_delay: '00:00:00', trigger: null },
        ],
        edges: [{ upstream_task: { slug: 'a-1' }, downstream_task: { slug: 'b-1' } }],
      },
    });
  });

  it('needs a project', () => {
    const project_id = '00000000-0000-4000-8000-000000000000';

    assert.equal(
      refusalOf(new PrefectDouble(), 'create_flow', { project_id, serialized_flow: serialized }),
      'Invalid project.',
    );
  });
});

describe('creating a flow run', () => {
  const labelled = (...labels: string[]) => ({ type: 'KubernetesRun', labels });
  const cases = {
    'the call itself': { call: { labels: ['z', 'a'], run_config: labelled('b') }, flow: {}, want: ['a', 'z'] },
    'an empty list of the call': { call: { labels: [] }, flow: { runConfig: labelled('f') }, want: [] },
    'the run config of the call': {
      call: { run_config: labelled('b') },
      flow: { flowGroupLabels: ['g'] },
      want: ['b'],
    },
    'the flow group': { call: {}, flow: { flowGroupLabels: ['g'], runConfig: labelled('f') }, want: ['g'] },
    'the run config of the flow': { call: {}, flow: { runConfig: labelled('f') }, want: ['f'] },
    'the environment of an old flow': { call: {}, flow: { environment: labelled('e') }, want: ['e'] },
    nobody: { call: {}, flow: {}, want: [] },
  };
  for (const [name, { call, flow, want }] of Object.entries(cases)) {
    it(`takes its labels from ${name}`, () => {
      const api = new PrefectDouble();
      const runId = created(api, 'create_flow_run', { flow_id: seedFlow(api.state, flow), ...call });

      assert.deepEqual(readFlowRun(api.state, runId)?.labels, want);
    });
  }

  it('schedules it now, or when it is told, at version 1', () => {
    const api = new PrefectDouble();
    const flow_id = seedFlow(api.state);
    const now = created(api, 'create_flow_run', { flow_id });
    const then = created(api, 'create_flow_run', { flow_id, scheduled_start_time: at('+1h').toISOString() });

    const runs = [now, then].map((id) => readFlowRun(api.state, id));
    assert.deepEqual(
      runs.map((run) => run?.scheduledStartTime),
      [T0, at('+1h')],
    );
    assert.deepEqual(
      runs.map((run) => run?.version),
      [1, 1],
    );
    assert.equal(runs[1]?.serializedState['start_time'], '2026-03-01T03:00:00+00:00');
  });

  it('gives each task a Pending run of version 1', () => {
    const api = new PrefectDouble();
    const flow_id = seedFlow(api.state, { tasks: [{ slug: 'a' }, { slug: 'b' }] });
    const runId = created(api, 'create_flow_run', { flow_id });

    const taskRuns = api.state.tables.task_run.by('flow_run_id', runId);
    assert.deepEqual(
      taskRuns.map(({ state, version, map_index: index }) => ({ state, version, index })),
      [
        { state: 'Pending', version: 1, index: -1 },
        { state: 'Pending', version: 1, index: -1 },
      ],
    );
  });

  it('twice with one key gives one run', () => {
    const api = new PrefectDouble();
    const input = { flow_id: seedFlow(api.state), idempotency_key: 'once' };

    assert.equal(created(api, 'create_flow_run', input), created(api, 'create_flow_run', input));
  });

  it('finds the newest version of a group', () => {
    const api = new PrefectDouble();
    seedFlow(api.state);
    const newest = api.state.tables.flow.get(seedFlow(api.state));
    const runId = created(api, 'create_flow_run', { version_group_id: newest?.version_group_id ?? null });

    assert.equal(api.state.tables.flow_run.get(runId)?.flow_id, newest?.id);
  });

  it('is refused for an archived flow, and without a required parameter', () => {
    const api = new PrefectDouble();
    const archived = seedFlow(api.state);
    seedFlow(api.state);
    const demanding = seedFlow(api.state, { name: 'demanding', parameters: [{ name: 'day', required: true }] });

    assert.equal(refusalOf(api, 'create_flow_run', { flow_id: archived }), `Flow ${archived} is archived.`);
    assert.equal(
      refusalOf(api, 'create_flow_run', { flow_id: demanding }),
      "Required parameters were not supplied: {'day'}",
    );
    assert.equal(refusalOf(api, 'create_flow_run', { flow_id: demanding, parameters: { day: 1 } }), undefined);
  });
});

describe('asking for a task run', () => {
  it('makes a mapped one that did not exist, and says version 0 that once', () => {
    const api = new PrefectDouble();
    const flowId = seedFlow(api.state, { tasks: [{ slug: 'a' }] });
    const runId = seedFlowRun(api.state, { flowId }, T0);
    const [task] = api.state.tables.task.by('flow_id', flowId);
    const query =
      'mutation($input: get_or_create_task_run_info_input!) { get_or_create_task_run_info(input: $input) { id version state } }';
    const ask = () =>
      api.ask(query, { input: { flow_run_id: runId, task_id: task?.id, map_index: 3 } }).data[
        'get_or_create_task_run_info'
      ];

    const [first, again] = [ask(), ask()] as { id: string; version: number; state: string }[];

    assert.deepEqual([first?.version, first?.state], [0, 'Pending']);
    assert.deepEqual(again, { id: first?.id, version: 1, state: 'Pending' });
  });

  it('of a task that does not exist is refused', () => {
    const api = new PrefectDouble();
    const runId = seedFlowRun(api.state, {}, T0);
    const input = { flow_run_id: runId, task_id: runId };

    assert.equal(refusalOf(api, 'get_or_create_task_run', input), 'Invalid task ID');
  });
});

describe('the smaller mutations', () => {
  const succeeds = (api: PrefectDouble, mutation: string, input: JsonRecord) => {
    const query = `mutation($input: ${mutation}_input!) { ${mutation}(input: $input) { success } }`;
    return api.ask(query, { input }).data[mutation];
  };

  it('rename, relabel and delete a run with all its rows', () => {
    const api = new PrefectDouble();
    const runId = seedFlowRun(api.state, { flowId: seedFlow(api.state, { tasks: [{ slug: 'a' }] }) }, T0);
    succeeds(api, 'set_flow_run_name', { flow_run_id: runId, name: 'new name' });
    succeeds(api, 'set_flow_run_labels', { flow_run_id: runId, labels: ['b', 'a'] });
    assert.deepEqual(readFlowRun(api.state, runId)?.labels, ['a', 'b']);
    assert.equal(readFlowRun(api.state, runId)?.name, 'new name');

    assert.deepEqual(succeeds(api, 'delete_flow_run', { flow_run_id: runId }), { success: true });
    assert.deepEqual(succeeds(api, 'delete_flow_run', { flow_run_id: runId }), { success: false });

    const left = [api.state.tables.flow_run_state, api.state.tables.task_run, api.state.tables.task_run_state];
    assert.deepEqual(
      left.map((table) => [...table.all()].length),
      [0, 0, 0],
    );
  });

  it('keep agent configurations', () => {
    const api = new PrefectDouble();
    seedFlow(api.state);
    const [tenant] = api.state.tables.tenant.all();
    const id = created(api, 'create_agent_config', { tenant_id: tenant?.id ?? null, name: 'c', settings: { a: 1 } });
    succeeds(api, 'update_agent_config', { agent_config_id: id, settings: { a: 2 } });

    const { data } = api.ask(`{ agent_config(where: { id: { _eq: "${id}" } }) { name settings } }`);
    assert.deepEqual(data, { agent_config: [{ name: 'c', settings: { a: 2 } }] });
    assert.deepEqual(succeeds(api, 'delete_agent_config', { agent_config_id: id }), { success: true });
  });

  it('switch schedules on and off', () => {
    const api = new PrefectDouble();
    const flowId = seedFlow(api.state);
    succeeds(api, 'set_schedule_active', { flow_id: flowId });
    assert.equal(api.state.tables.flow.get(flowId)?.is_schedule_active, true);

    succeeds(api, 'set_schedule_inactive', { flow_id: flowId });
    assert.equal(api.state.tables.flow.get(flowId)?.is_schedule_active, false);
  });
});
