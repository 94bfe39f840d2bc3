import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { FlowRunId } from '../../functions/core/flow-run.ts';
import type { DueQuery, DueRuns } from '../../functions/prefect/contract.ts';
import {
  cancelFlowRun,
  moveTaskRunStart,
  seedFlow,
  seedFlowRun,
  seedTenant,
  setFlowRunState,
  setTaskRunState,
} from '../../infra/local/prefect-api/seed.ts';
import { STACK } from '../support/builders.ts';
import { patient, startPrefectWorld, type PrefectWorld } from '../support/clients.ts';
import { at, T0 } from '../support/time.ts';

const aQuery = (wish: Partial<DueQuery> = {}): DueQuery => ({
  dueBefore: T0,
  retryBefore: at('-3s'),
  quietBefore: at('-2m'),
  lateBefore: null,
  withoutLabels: [],
  signal: patient(),
  ...wish,
});

/** As a server answers that lacks an operator of the filters: each of the first three operations is rejected. */
function rejectFilters(world: PrefectWorld, { message, code }: { message: string; code: string }): void {
  world.api.faults.add({
    matches: ({ body }) => body.includes('get_runs_in_queue'),
    fault: {
      kind: 'rewrite',
      rewrite: (answer) => {
        const items = JSON.parse(answer.body) as unknown[];
        const rejected = { errors: [{ message, extensions: { code } }] };
        return { ...answer, body: JSON.stringify([rejected, rejected, rejected, ...items.slice(3)]) };
      },
    },
  });
}

const namesOf = ({ scheduled, retries, claims }: DueRuns) => ({
  scheduled: scheduled.runs.map(({ name }) => name ?? ''),
  retries: retries.runs.map(({ name }) => name ?? ''),
  claims: claims.runs.map(({ name }) => name ?? ''),
});

interface Wish {
  readonly labels?: readonly string[];
  readonly start?: Date;
}

function seed({ api }: PrefectWorld, name: string, { labels = [], start = at('-1m') }: Wish = {}): FlowRunId {
  return seedFlowRun(api.state, { name, labels, startTime: start }, at('-1h')) as FlowRunId;
}

function submit({ api }: PrefectWorld, runId: string, { stack = STACK, when = at('-10m') } = {}): void {
  const context = { stack, claim: 'c', key: '1', until: at('-8m').toISOString() };
  setFlowRunState(
    api.state,
    { runId, state: { type: 'Submitted', message: 'Submitted for execution', context } },
    when,
  );
}

/** What the server does with the agent's header on Submitted. */
function noteAgent({ api }: PrefectWorld, runId: string, agentId: string | null): void {
  const row = api.state.tables.flow_run.get(runId);
  assert.ok(row !== null);
  Object.assign(row, { agent_id: agentId });
}

/** Sets the run Running and its only task Retrying, with a start time of its own. */
function leaveRetry({ api }: PrefectWorld, name: string, start: Date): FlowRunId {
  const flowId = seedFlow(api.state, { name: `flow of ${name}`, tasks: [{ slug: 'a' }] }, at('-1h'));
  const runId = seedFlowRun(api.state, { name, flowId }, at('-1h')) as FlowRunId;
  setFlowRunState(api.state, { runId, state: { type: 'Running', message: null } }, at('-30m'));
  const [task] = api.state.tables.task_run.by('flow_run_id', runId);
  assert.ok(task !== undefined);
  const state = { type: 'Retrying', message: null, start_time: start.toISOString(), run_count: 1 };
  setTaskRunState(api.state, { taskRunId: task.id, state }, at('-20m'));
  moveTaskRunStart(api.state, task.id, start);
  return runId;
}

describe('listDueRuns', () => {
  it('takes what is due: scheduled runs, task retries and quiet claims of this stack', async () => {
    await using world = await startPrefectWorld();
    seed(world, 'due', { start: at('-1m') });
    seed(world, 'due just now', { start: T0 });
    seed(world, 'not due', { start: at('+1s') });
    leaveRetry(world, 'retry', at('-4s'));
    leaveRetry(world, 'retry later', at('-2s'));
    submit(world, seed(world, 'quiet claim'));
    submit(world, seed(world, 'fresh claim'), { when: at('-1m') });
    submit(world, seed(world, 'foreign claim'), { stack: 'somebody-else' });

    const due = await world.connect().listDueRuns(aQuery());

    assert.deepEqual(namesOf(due), {
      scheduled: ['due', 'due just now'],
      retries: ['retry'],
      claims: ['quiet claim'],
    });
    assert.deepEqual([due.source, due.more], ['filter', false]);
    assert.equal(due.retries.runs[0]?.dueTaskRuns, 1);
  });

  const labelRule: Record<string, { run: string[]; agent: string[]; wantTaken: boolean }> = {
    'neither has labels': { run: [], agent: [], wantTaken: true },
    'an unlabelled run, a labelled agent': { run: [], agent: ['a'], wantTaken: false },
    'a labelled run, an unlabelled agent': { run: ['a'], agent: [], wantTaken: false },
    'the same label': { run: ['a'], agent: ['a'], wantTaken: true },
    'an agent with more': { run: ['a'], agent: ['a', 'b'], wantTaken: true },
    'a run with more': { run: ['a', 'b'], agent: ['a'], wantTaken: false },
    'another order': { run: ['a', 'b'], agent: ['b', 'a', 'c'], wantTaken: true },
    'another case': { run: ['a'], agent: ['A'], wantTaken: false },
  };
  for (const [name, { run, agent, wantTaken }] of Object.entries(labelRule)) {
    it(`agrees with the server's queue about ${name}`, async () => {
      await using world = await startPrefectWorld();
      seed(world, 'run', { labels: run });

      const due = await world.connect({ labels: agent }).listDueRuns(aQuery());

      assert.deepEqual(namesOf(due).scheduled, wantTaken ? ['run'] : []);
      const body = world.api.exchanges.at(-1)?.request.body ?? '';
      assert.match(body, /get_runs_in_queue/);
    });
  }

  it('is one request when warm, and at most two more when cold', async () => {
    await using world = await startPrefectWorld();
    const cold = world.connect();

    await cold.listDueRuns(aQuery());
    const afterCold = world.api.exchanges.length;
    const warm = world.connect({ memory: cold.memory });
    await warm.listDueRuns(aQuery());

    assert.equal(afterCold, 3);
    assert.equal(world.api.exchanges.length, 4);
    assert.equal(warm.traffic().requests, 1);
    assert.deepEqual(
      world.api.exchanges.at(-1)?.request.body.match(/"query":"(?:query|mutation)/g),
      ['query', 'query', 'query', 'mutation'].map((kind) => `"query":"${kind}`),
    );
  });

  it('keeps the agent visible under one registration', async () => {
    await using world = await startPrefectWorld();
    world.clock.set(at('-5m'));
    await world.connect({ labels: ['b', 'a'] }).listDueRuns(aQuery());
    world.clock.set(T0);
    await world.connect({ labels: ['a', 'b'] }).listDueRuns(aQuery());

    const agents = [...world.api.state.tables.agent.all()];

    assert.equal(agents.length, 1);
    assert.equal(agents[0]?.type, 'KubernetesAgent');
    assert.equal(agents[0]?.core_version, '1.4.1');
    assert.equal(agents[0]?.last_queried, T0.getTime() * 1000);
  });

  it('takes the oldest first and says when more is waiting', async () => {
    await using world = await startPrefectWorld();
    const flowId = seedFlow(world.api.state, {}, at('-1h'));
    for (let n = 0; n < 501; n += 1) {
      const startTime = new Date(at('-30m').getTime() - ((n * 7) % 501) * 1000);
      seedFlowRun(world.api.state, { flowId, startTime }, at('-1h'));
    }

    const due = await world.connect().listDueRuns(aQuery());

    const starts = due.scheduled.runs.map(({ scheduledStartTime }) => scheduledStartTime?.getTime() ?? 0);
    assert.equal(starts.length, 500);
    assert.deepEqual(
      starts,
      starts.toSorted((a, b) => a - b),
    );
    assert.equal(due.more, true);
  });

  it('leaves out the runs of another tenant', async () => {
    await using world = await startPrefectWorld();
    seed(world, 'of the first tenant');
    const tenantId = seedTenant(world.api.state, { name: 'other' }, at('-1h'));

    const due = await world.connect({ tenantId }).listDueRuns(aQuery());

    assert.deepEqual(namesOf(due).scheduled, []);
  });

  it('reports a run that cannot be read beside the others', async () => {
    await using world = await startPrefectWorld();
    seed(world, 'good', { start: at('-2m') });
    const bad = seed(world, 'bad', { start: at('-1m') });
    world.api.faults.add({
      matches: ({ body }) => body.includes('get_runs_in_queue'),
      fault: {
        kind: 'rewrite',
        rewrite: (answer) => ({
          ...answer,
          body: answer.body.replace('"name":"bad","version":1', '"name":"bad","version":"1"'),
        }),
      },
    });

    const due = await world.connect().listDueRuns(aQuery());

    assert.deepEqual(namesOf(due).scheduled, ['good']);
    assert.deepEqual(
      due.scheduled.unreadable.map(({ id }) => id),
      [bad],
    );
    assert.match(due.scheduled.unreadable[0]?.problem ?? '', /^version: /);
  });
});

describe('listDueRuns on a server without our operators', () => {
  const rejections: Record<string, { message: string; code: string }> = {
    'the variable does not fit': {
      message:
        'Variable "$where" got invalid value; Field "_contained_in" is not defined by type jsonb_comparison_exp.',
      code: 'INTERNAL_SERVER_ERROR',
    },
    'the document does not validate': { message: 'Cannot query field "states".', code: 'GRAPHQL_VALIDATION_FAILED' },
    'the query engine rejects it': { message: 'field "_contains" not found', code: 'validation-failed' },
  };
  for (const [name, { message, code }] of Object.entries(rejections)) {
    it(`falls back to the queue when ${name}`, async () => {
      await using world = await startPrefectWorld();
      const client = world.connect();
      seed(world, 'due');
      leaveRetry(world, 'retry', at('-4s'));
      await client.listDueRuns(aQuery());
      const quiet = seed(world, 'quiet claim');
      submit(world, quiet);
      noteAgent(world, quiet, client.memory.agentId);
      const namesake = seed(world, 'claim of a stack with the same agent name');
      submit(world, namesake, { stack: 'somebody-else' });
      noteAgent(world, namesake, client.memory.agentId);
      rejectFilters(world, { message, code });

      const due = await client.listDueRuns(aQuery());

      assert.deepEqual(namesOf(due), { scheduled: ['due'], retries: ['retry'], claims: ['quiet claim'] });
      assert.equal(due.source, 'queue');
      assert.deepEqual(due.inFront, []);
    });
  }

  const rejection = { message: 'field "_contained_in" not found', code: 'validation-failed' };

  it('finds ours behind more runs of others than the queue looks at, and says how many', async () => {
    await using world = await startPrefectWorld();
    for (let n = 0; n < 80; n += 1) seed(world, 'foreign', { labels: ['gpu'], start: at('-2m') });
    seed(world, 'ours', { labels: ['k8s'] });
    rejectFilters(world, rejection);

    const due = await world.connect({ labels: ['k8s'] }).listDueRuns(aQuery());

    assert.deepEqual(namesOf(due).scheduled, ['ours']);
    assert.equal(due.inFront.length, 80);
    assert.deepEqual(due.inFront[0], { labels: ['gpu'] });
  });

  it('finds ours behind more of our own than the queue names, but for those that are too late or of a full label', async () => {
    await using world = await startPrefectWorld();
    for (let n = 0; n < 26; n += 1) seed(world, 'late', { labels: ['k8s'], start: at('-20m') });
    for (let n = 0; n < 3; n += 1) seed(world, 'full', { labels: ['k8s', 'gpu'], start: at('-2m') });
    seed(world, 'ours', { labels: ['k8s'] });
    rejectFilters(world, rejection);
    const query = aQuery({ lateBefore: at('-10m'), withoutLabels: ['gpu'] });

    const due = await world.connect({ labels: ['k8s', 'gpu'] }).listDueRuns(query);

    // The queue's own 25 come along, so that somebody says why they are held.
    assert.deepEqual([...new Set(namesOf(due).scheduled)], ['late', 'ours']);
    assert.equal(namesOf(due).scheduled.length, 26);
  });

  it('names a run once that the queue and the table have', async () => {
    await using world = await startPrefectWorld();
    seed(world, 'ours');
    rejectFilters(world, rejection);

    assert.deepEqual(namesOf(await world.connect().listDueRuns(aQuery())).scheduled, ['ours']);
  });
});

describe('what may fill a page of due runs', () => {
  it('is not what is too late: that has a page of its own', async () => {
    await using world = await startPrefectWorld();
    const late = Array.from({ length: 501 }, () => seed(world, 'late', { start: at('-11m') }));
    seed(world, 'as late', { start: at('-10m') });
    seed(world, 'due');

    const due = await world.connect().listDueRuns(aQuery({ lateBefore: at('-10m') }));
    const without = await world.connect().listDueRuns(aQuery());

    const names = namesOf(due).scheduled;
    assert.deepEqual([names.length, names.slice(500), due.more], [502, ['as late', 'due'], false]);
    assert.deepEqual([namesOf(without).scheduled.includes('due'), without.more, late.length], [false, true, 501]);
  });

  it('is not what has a label whose cap is reached', async () => {
    await using world = await startPrefectWorld();
    for (let n = 0; n < 501; n += 1) seed(world, 'gpu', { labels: ['k8s', 'gpu'], start: at('-2m') });
    seed(world, 'due', { labels: ['k8s'] });
    const client = world.connect({ labels: ['k8s', 'gpu'] });

    const due = await client.listDueRuns(aQuery({ withoutLabels: ['gpu', 'etl'] }));

    assert.deepEqual(namesOf(due).scheduled, ['due']);
  });
});

describe('readRuns', () => {
  it('reads by id with the whole history; what does not exist is absent', async () => {
    await using world = await startPrefectWorld();
    const runId = seed(world, 'one');
    submit(world, runId);
    cancelFlowRun(world.api.state, runId, at('-1m'));
    const missing = '99999999-9999-4999-8999-999999999999' as FlowRunId;

    const { runs } = await world.connect().readRuns([runId, missing, runId], patient());

    assert.deepEqual(
      runs.map(({ id }) => id),
      [runId],
    );
    assert.deepEqual(
      runs[0]?.history.map(({ state }) => state),
      ['Scheduled', 'Submitted', 'Cancelled'],
    );
  });

  it('leaves out what only a Job needs, and what the run log holds, unless it is asked for', async () => {
    await using world = await startPrefectWorld();
    const { state } = world.api;
    const flowId = seedFlow(state, {}, at('-1h'));
    const runId = seedFlowRun(state, { flowId, runConfig: { type: 'UniversalRun' } }, at('-1h')) as FlowRunId;
    const client = world.connect();
    const info = { event: 'a mark' };
    const line = { runId, name: 'k8s-infra', level: 'WARNING', message: 'Evicted', info } as const;
    await client.write({ states: [], heartbeats: [], logs: [line], signal: patient() });

    const reads = await Promise.all([
      client.readRuns([runId], patient()),
      client.readRuns([runId], patient(), { spec: true }),
      client.readRuns([runId], patient(), { marks: true }),
    ]);

    assert.deepEqual(
      reads.map(({ runs: [run] }) => [run?.runConfig === null, run?.flow.storage === null, run?.eventMarks]),
      [
        [true, true, []],
        [false, false, []],
        [true, true, ['a mark']],
      ],
    );
  });

  it('asks nothing when there is nothing to ask', async () => {
    await using world = await startPrefectWorld();

    const { runs } = await world.connect().readRuns([], patient());

    assert.deepEqual([runs, world.api.exchanges.length], [[], 0]);
  });

  it('takes 500 ids a request', async () => {
    await using world = await startPrefectWorld();
    const flowId = seedFlow(world.api.state, {}, at('-1h'));
    const ids = Array.from({ length: 501 }, () => seedFlowRun(world.api.state, { flowId }, at('-1h')) as FlowRunId);

    const { runs } = await world.connect().readRuns(ids, patient());

    assert.deepEqual([runs.length, world.api.exchanges.length], [501, 2]);
    await world.connect().readRuns([...ids.slice(0, 500), ...ids.slice(0, 1)], patient());
    assert.equal(world.api.exchanges.length, 3);
  });
});

describe('listUnfinishedRuns', () => {
  it('finds the runs of this stack by agent name and by token, and no finished ones', async () => {
    await using world = await startPrefectWorld();
    const client = world.connect();
    await client.listDueRuns(aQuery());
    const byToken = seed(world, 'by token');
    submit(world, byToken);
    const byName = seed(world, 'by agent name');
    await client.write({
      states: [{ runId: byName, version: 1, state: { type: 'Submitted', context: { stack: STACK } } }],
      logs: [],
      heartbeats: [],
      signal: patient(),
    });
    setFlowRunState(world.api.state, { runId: byName, state: { type: 'Running' } }, at('+1m'));
    submit(world, seed(world, 'foreign'), { stack: 'somebody-else' });
    const done = seed(world, 'done');
    noteAgent(world, done, client.memory.agentId);
    submit(world, done);
    setFlowRunState(world.api.state, { runId: done, state: { type: 'Success' } }, at('-1m'));

    const { runs } = await world.connect().listUnfinishedRuns(patient());

    assert.deepEqual(new Set(runs.map(({ name }) => name)), new Set(['by agent name', 'by token']));
  });

  it('sees late runs of ours behind any number of others', async () => {
    await using world = await startPrefectWorld();
    for (let n = 0; n < 201; n += 1) seed(world, 'foreign', { labels: ['gpu'], start: at('-30m') });
    seed(world, 'ours', { labels: ['k8s'], start: at('-6m') });

    const { late, lateOfOurs } = await world.connect({ labels: ['k8s'] }).listUnfinishedRuns(patient());

    assert.equal(late.length, 200);
    assert.deepEqual(lateOfOurs, [{ labels: ['k8s'] }]);
  });

  it('reads page after page', async () => {
    await using world = await startPrefectWorld();
    const flowId = seedFlow(world.api.state, {}, at('-1h'));
    for (let n = 0; n < 1001; n += 1) submit(world, seedFlowRun(world.api.state, { flowId }, at('-1h')));

    const { runs } = await world.connect().listUnfinishedRuns(patient());

    assert.deepEqual([runs.length, new Set(runs.map(({ id }) => id)).size], [1001, 1001]);
    // One request for the tenant, three for the pages.
    assert.equal(world.api.exchanges.length, 4);
  });
});
