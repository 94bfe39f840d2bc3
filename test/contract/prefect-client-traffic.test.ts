import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, it } from 'node:test';

import { prefectHandle } from '../../infra/local/prefect-api/edge.ts';
import { readFlowRun, type FlowRunView } from '../../infra/local/prefect-api/inspect.ts';
import { seedFlow, seedFlowRun, seedTenant } from '../../infra/local/prefect-api/seed.ts';
import { createPrefectState, type PrefectState } from '../../infra/local/prefect-api/state.ts';

interface Traffic {
  readonly scenario: string;
  readonly at: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const lines = readFileSync(new URL('../fixtures/prefect/client-traffic.jsonl', import.meta.url), 'utf8').trim();
const traffic = lines.split('\n').map((line) => JSON.parse(line) as Traffic);

/** What the recorded client found, by the ids it was given. */
const recorded = {
  tenant: '0f0f0f0f-1111-4222-8333-444455556666',
  agent: 'c8f57223-dc95-4480-a2b3-a0256af4a307',
  firstRun: '025572f2-4622-4ce0-8b44-18dad39aa0d3',
  secondRun: '82998c9f-a8c4-496e-bc38-cb74c830505c',
  executedRun: '8f14e45f-ceea-467f-ab1c-0d5d5a3e9b11',
  cloudRun: '9f14e45f-ceea-467f-ab1c-0d5d5a3e9b12',
  tasks: ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'],
} as const;

interface Reply {
  readonly errors?: unknown;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A local API on which the recorded requests are repeated, each id replaced by the one this world gave out. */
class Replay {
  readonly state: PrefectState = createPrefectState({ seed: 'traffic' });
  readonly #ids = new Map<string, string>();
  readonly #handle = prefectHandle(this.state);
  /** Id of the task run that the process asked for last. */
  #taskRun = '';

  know(recordedId: string, id: string): void {
    this.#ids.set(recordedId, id);
  }

  #translate(text: string): string {
    let translated = text;
    for (const [from, to] of this.#ids) translated = translated.replaceAll(from, to);
    return translated;
  }

  /** A state is set on the task run that was asked for just before. */
  #learnTaskRun(body: string): void {
    const [, id] = /\\"task_run_id\\": \\"([0-9a-f-]+)\\"/.exec(body) ?? [];
    if (id !== undefined && !this.#ids.has(id)) this.know(id, this.#taskRun);
  }

  ask({ at, path, headers, body }: Traffic): Reply {
    this.#learnTaskRun(body);
    const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), this.#translate(value)]);
    const request = { method: 'POST', path, headers: Object.fromEntries(lowerCase), body: this.#translate(body) };
    const answer = this.#handle(request, new Date(at));
    const reply = JSON.parse(answer.body) as Reply;
    assert.equal(answer.status, 200, answer.body);
    assert.equal(reply.errors, undefined, answer.body);
    const taskRun = reply.data['get_or_create_task_run_info'];
    if (taskRun !== undefined) this.#taskRun = (taskRun as { id: string }).id;
    return reply;
  }
}

const of = (scenario: string): Traffic[] => traffic.filter((request) => request.scenario === scenario);

describe('the requests of a real Prefect 1.4.1 agent with two runs', () => {
  const requests = of('agent-2-runs');
  const started = new Date('2026-11-23T21:24:56.000Z');
  let replay = new Replay();

  beforeEach(() => {
    replay = new Replay();
    replay.know(recorded.tenant, seedTenant(replay.state));
    const first = seedFlowRun(replay.state, { labels: ['k8s'], startTime: started }, started);
    const second = seedFlowRun(replay.state, { labels: ['k8s'], startTime: started }, started);
    replay.know(recorded.firstRun, first);
    replay.know(recorded.secondRun, second);
  });

  const play = (): Reply[] =>
    requests.map((request) => {
      const reply = replay.ask(request);
      const registered = reply.data['register_agent'];
      if (registered !== undefined) replay.know(recorded.agent, (registered as { id: string }).id);
      return reply;
    });

  it('are all answered without an error', () => {
    assert.equal(play().length, 34);
  });

  it('find both runs in the first queue and none in the later ones', () => {
    const queues = play()
      .map(({ data }) => data['get_runs_in_queue'])
      .filter((queue) => queue !== undefined);

    const sizes = queues.map((queue) => (queue as { flow_run_ids: string[] }).flow_run_ids.length);
    assert.equal(sizes[0], 2);
    assert.deepEqual(new Set(sizes.slice(1)), new Set([0]));
  });

  it('leave one run Failed by the sweep and the other Submitted by this agent', () => {
    play();

    const [first, second] = [...replay.state.tables.flow_run.all()].map(({ id }) => readFlowRun(replay.state, id));
    assert.deepEqual(
      first?.states.map(({ state }) => state),
      ['Scheduled', 'Submitted', 'Failed'],
    );
    assert.equal(second?.state, 'Submitted');
    assert.equal(second.agent, 'rec-agent');
    assert.ok(first.logs.some(({ message }) => message?.includes('FailedScheduling')));
  });
});

describe('the requests of a real flow process', () => {
  const cases = {
    'without a key': { scenario: 'execute-flow-run', run: recorded.executedRun },
    'with a key': { scenario: 'execute-cloud-key', run: recorded.cloudRun },
  };

  function play(scenario: string, recordedRun: string): FlowRunView | null {
    const replay = new Replay();
    const { state } = replay;
    replay.know(recorded.tenant, seedTenant(state));
    const flowId = seedFlow(state, { name: 'tiny', tasks: [{ slug: 'say-1' }, { slug: 'say-2' }] });
    const tasks = state.tables.task.by('flow_id', flowId);
    for (const [index, task] of recorded.tasks.entries()) replay.know(task, tasks[index]?.id ?? '');
    const runId = seedFlowRun(state, { flowId }, new Date('2026-11-23T21:24:00.000Z'));
    replay.know(recordedRun, runId);
    for (const request of of(scenario)) replay.ask(request);
    return readFlowRun(state, runId);
  }

  for (const [name, { scenario, run: recordedRun }] of Object.entries(cases)) {
    it(`${name} carry a run of two tasks to Success, with heartbeat and logs`, () => {
      const run = play(scenario, recordedRun);

      assert.deepEqual(
        run?.states.map(({ state }) => state),
        ['Scheduled', 'Running', 'Success'],
      );
      assert.deepEqual(
        run.taskRuns.map(({ state }) => state),
        ['Success', 'Success'],
      );
      assert.equal(run.message, 'All reference tasks succeeded.');
      assert.ok(run.heartbeat !== null && run.heartbeat > new Date('2026-11-23T21:25:00.000Z'));
      assert.ok(run.logs.some(({ message }) => message === "Beginning Flow run for 'tiny'"));
    });
  }
});
