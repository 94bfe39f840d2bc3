import { idOf } from './cluster.ts';
import { jsonAnswer, type LocalRequest, type LocalResponse } from '../../../infra/local/http.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A flow run of the lab: what both agents read of it, ready to be sent. */
interface LabRun {
  readonly id: string;
  version: number;
  state: string;
  serialized_state: Fields;
  readonly states: Fields[];
}

/** Runs by id, in the order in which they are due. */
export type LabRuns = Map<string, LabRun & Fields>;

const created = '2026-03-01T02:00:00.000000+00:00';

const image = 'registry.example.com/flows:1.0';
const runConfig = { type: 'KubernetesRun', __version__: '1.4.1', image, env: { STAGE: 'prod' }, labels: [] };
const storage = { type: 'Module', __version__: '1.4.1', module: 'flows.bench', flows: {}, secrets: [] };
const flow = {
  id: idOf(2, 1),
  name: 'bench',
  version: 1,
  core_version: '1.4.1',
  environment: null,
  storage,
  run_config: runConfig,
  flow_group: { settings: {} },
};

function stateRow(run: { id: string; version: number; state: string; serialized_state: Fields }): Fields {
  const { version, state, serialized_state } = run;
  return {
    id: `${run.id.slice(0, 24)}${String(version).padStart(12, '0')}`,
    version,
    state,
    created,
    serialized_state,
  };
}

function aRun(n: number, state: string): LabRun & Fields {
  const serialized_state = { type: state, start_time: created, context: {}, message: '', __version__: '1.4.1' };
  const run = { id: idOf(1, n), version: 1, state, serialized_state };
  const around = { labels: [], heartbeat: null, times_resurrected: 0, parameters: {}, task_runs: [], logs: [] };
  const fields = { name: `run-${n}`, scheduled_start_time: created, run_config: runConfig, flow };
  return { ...run, ...around, ...fields, states: [stateRow(run)] };
}

/** So many due flow runs. */
export function labRuns(count: number, state = 'Scheduled', first = 0): LabRuns {
  return new Map(Array.from({ length: count }, (_, n) => [idOf(1, first + n), aRun(first + n, state)]));
}

interface StateInput {
  readonly flow_run_id: string;
  readonly state: Fields;
}

function setStates(runs: LabRuns, states: readonly StateInput[]): Fields {
  for (const { flow_run_id: id, state } of states) {
    const run = runs.get(id);
    if (run === undefined) continue;
    Object.assign(run, { version: run.version + 1, state: state['type'], serialized_state: state });
    run.states.push(stateRow(run));
  }
  return {
    set_flow_run_states: { states: states.map(({ flow_run_id: id }) => ({ id, status: 'SUCCESS', message: null })) },
  };
}

const { storage: _storage, ...leanFlow } = flow;

/** As far as it was asked for. */
function selected(run: LabRun & Fields, text: string, variables: Fields): Fields {
  if (variables['spec'] !== false && text.includes('run_config')) return run;
  const { run_config: _config, ...lean } = run;
  return { ...lean, flow: leanFlow };
}

/** How the agents' reads differ: by id, in the text or as a variable; due; or what is not finished. */
function readRuns(runs: LabRuns, text: string, variables: Fields): Fields {
  return { flow_run: rowsOf(runs, text, variables).map((run) => selected(run, text, variables)) };
}

function rowsOf(runs: LabRuns, text: string, variables: Fields): readonly (LabRun & Fields)[] {
  const where = JSON.stringify(variables['where'] ?? null);
  const ids = [...`${text} ${where}`.matchAll(/00000001-0000-4000-8000-\d{12}/gu)].map(([id]) => id);
  const limit = typeof variables['limit'] === 'number' ? variables['limit'] : 500;
  if (where.includes('"_gt"')) return [...runs.values()].filter(({ id }) => id > (ids[0] ?? '')).slice(0, limit);
  if (ids.length > 0) return ids.flatMap((id) => runs.get(id) ?? []);
  const wanted = where.includes('"Cancelling"') ? 'Submitted' : where.includes('"_eq":"Scheduled"') ? 'Scheduled' : '';
  return [...runs.values()].filter(({ state }) => state === wanted).slice(0, limit);
}

const queueLimit = 25;

/** What the server answers to each document the two agents send, by a word of its text. */
const answers: readonly {
  readonly word: string;
  readonly answer: (runs: LabRuns, text: string, variables: Fields) => Fields;
}[] = [
  { word: 'register_agent', answer: () => ({ register_agent: { id: idOf(3, 1) } }) },
  {
    word: 'get_runs_in_queue',
    answer: (runs) => {
      const due = [...runs.values()].filter(({ state }) => state === 'Scheduled').slice(0, queueLimit);
      return { get_runs_in_queue: { flow_run_ids: due.map(({ id }) => id) } };
    },
  },
  {
    word: 'set_flow_run_states',
    answer: (runs, _text, { input }) => setStates(runs, (input as { states: readonly StateInput[] }).states),
  },
  { word: 'write_run_logs', answer: () => ({ write_run_logs: { success: true } }) },
  { word: 'update_flow_run_heartbeat', answer: () => ({ update_flow_run_heartbeat: { success: true } }) },
  { word: 'tenant {', answer: () => ({ tenant: [{ id: idOf(4, 1), slug: 'default' }] }) },
  { word: 'hello', answer: () => ({ hello: '👋' }) },
  { word: 'agent(', answer: () => ({ agent: [], flow_run: [] }) },
  { word: 'flow_run(', answer: readRuns },
];

interface Operation {
  readonly query: string;
  readonly variables?: unknown;
}

/** The peer sends its variables as a text. */
const variablesOf = ({ variables }: Operation): Fields =>
  ((typeof variables === 'string' ? JSON.parse(variables) : variables) ?? {}) as Fields;

function answerTo(runs: LabRuns, operation: Operation): Fields {
  const found = answers.find(({ word }) => operation.query.includes(word));
  if (found === undefined) throw new Error(`The lab has no answer to: ${operation.query}`);
  return { data: found.answer(runs, operation.query, variablesOf(operation)) };
}

/** A Prefect API that costs next to nothing: no schema, no rules, the answers both agents expect. */
export function answerGraphql(runs: LabRuns, { body }: LocalRequest): LocalResponse {
  const asked = JSON.parse(body) as Operation | readonly Operation[];
  return jsonAnswer(
    200,
    Array.isArray(asked) ? asked.map((one) => answerTo(runs, one)) : answerTo(runs, asked as Operation),
  );
}
