import type { FlowRunId } from '../core/flow-run.ts';
import { claimTokenOf } from '../core/history.ts';
import type { JsonObject } from '../core/json.ts';
import type { Endpoint, Operation, OperationAnswer } from './call.ts';
import type { DueQuery, DueRuns, PrefectOptions, RunParts, RunsRead, UnfinishedRead } from './contract.ts';
import { flowRuns, runsInQueue, surroundings } from './documents.ts';
import { failedInside, isSchemaMismatch, unreadableAnswer } from './failures.ts';
import {
  quietClaims,
  quietSubmittedRuns,
  retryRuns,
  runsById,
  scheduledRuns,
  surroundingsSince,
  unfinishedRuns,
  type Audience,
} from './filters.ts';
import type { Membership } from './membership.ts';
import { parseRuns } from './parse.ts';

/** Runs of one operation, and ids of one request. */
const pageSize = 500;

/** A stack has at most MAX_IN_FLIGHT (100,000) runs that are not finished; a server that has more to say does not end. */
const mostPages = 200;

/** A task run counts as due this long after its start time (prefect 1.4.1, agent/agent.py). */
const retryBufferMs = 3_000;

/** Runs and agents of the last five minutes are what the detectors look at. */
const lateMs = 300_000;

const oldestFirst = [{ scheduled_start_time: 'asc' }, { id: 'asc' }];
const byId = [{ id: 'asc' }];
const nothing: RunsRead = { runs: [], unreadable: [] };

const readRunsWhere = (where: JsonObject, order: readonly JsonObject[], parts: RunParts): Operation => ({
  document: flowRuns,
  variables: { where, order, limit: pageSize, spec: parts.spec === true, marks: parts.marks === true },
});

/** One more than is taken: whether it comes says whether another poll would find anything. */
const readDueWhere = (where: JsonObject): Operation => ({
  document: flowRuns,
  variables: { where, order: oldestFirst, limit: pageSize + 1, spec: true, marks: false },
});

const joined = (reads: readonly RunsRead[]): RunsRead => ({
  runs: reads.flatMap(({ runs }) => runs),
  unreadable: reads.flatMap(({ unreadable }) => unreadable),
});

/** Best effort: a glance that cannot be read shows nobody. */
function aroundOf(answer: OperationAnswer | undefined): Pick<UnfinishedRead, 'agents' | 'late'> {
  const parsed = surroundings.data.safeParse(answer?.data);
  if (!parsed.success) return { agents: [], late: [] };
  return {
    agents: parsed.data.agent.map(({ name, labels }) => ({ name: name ?? null, labels: labels ?? [] })),
    late: parsed.data.flow_run.map(({ labels }) => ({ labels: labels ?? [] })),
  };
}

/** The reads of both ticks. */
export class RunReader {
  readonly #options: PrefectOptions;
  readonly #endpoint: Endpoint;
  readonly #membership: Membership;

  constructor(options: PrefectOptions, endpoint: Endpoint, membership: Membership) {
    this.#options = options;
    this.#endpoint = endpoint;
    this.#membership = membership;
  }

  async listDueRuns(query: DueQuery): Promise<DueRuns> {
    const audience = await this.#audience(query.signal);
    await this.#membership.enrol(query.signal);
    const filters = [scheduledRuns(audience, query), retryRuns(audience, query), quietClaims(audience, query)];
    const operations = [...filters.map(readDueWhere), queueRead(audience, query)];
    const answers = await this.#ask(operations, query.signal);
    const kinds = answers.slice(0, 3);
    if (kinds.some(({ problems }) => problems.some(isSchemaMismatch))) {
      return this.#dueRunsOfQueue(answers[3], audience, query);
    }
    const pages = kinds.map((answer) => this.#rowsOf(answer));
    const [scheduled = nothing, retries = nothing, claims = nothing] = pages.map((rows) =>
      parseRuns(rows.slice(0, pageSize), query.retryBefore),
    );
    return { scheduled, retries, claims, more: pages.some((rows) => rows.length > pageSize), source: 'filter' };
  }

  async readRuns(ids: readonly FlowRunId[], signal: AbortSignal, parts: RunParts = {}): Promise<RunsRead> {
    const unique = [...new Set(ids)];
    const reads: RunsRead[] = [];
    for (let start = 0; start < unique.length; start += pageSize) {
      const where = runsById(unique.slice(start, start + pageSize));
      const [answer] = await this.#ask([readRunsWhere(where, byId, parts)], signal);
      reads.push(this.#parsed(this.#rowsOf(answer)));
    }
    return joined(reads);
  }

  async listUnfinishedRuns(signal: AbortSignal): Promise<UnfinishedRead> {
    const audience = await this.#audience(signal);
    const since = new Date(this.#options.clock.now().getTime() - lateMs);
    const glance = { document: surroundings, variables: surroundingsSince(audience, since) };
    const first = readRunsWhere(unfinishedRuns(audience, null), byId, { marks: true });
    const [answer, around] = await this.#ask([first, glance], signal);
    const reads: RunsRead[] = [];
    let rows = this.#rowsOf(answer);
    reads.push(this.#parsed(rows));
    for (let last: string | null = null; rows.length >= pageSize;) {
      last = this.#nextAfter(rows, { last, pages: reads.length });
      const [next] = await this.#ask([readRunsWhere(unfinishedRuns(audience, last), byId, { marks: true })], signal);
      rows = this.#rowsOf(next);
      reads.push(this.#parsed(rows));
    }
    return { ...joined(reads), ...aroundOf(around) };
  }

  /**
   * For servers whose query engine lacks an operator of ours: what the queue names, at most 25 runs of the 75 oldest
   * (PrefectHQ/server api/runs.py), and our quiet claims by the agent's name.
   */
  async #dueRunsOfQueue(answer: OperationAnswer | undefined, audience: Audience, query: DueQuery): Promise<DueRuns> {
    const queued = runsInQueue.data.safeParse(answer?.data);
    if (!queued.success) throw this.#failure(answer);
    const ids = queued.data.get_runs_in_queue.flow_run_ids ?? [];
    const wheres = [runsById(ids), quietSubmittedRuns(audience, query)];
    const answers = await this.#ask(
      wheres.map((where) => readRunsWhere(where, oldestFirst, { spec: true })),
      query.signal,
    );
    const [due = nothing, submitted = nothing] = answers.map((one) => parseRuns(this.#rowsOf(one), query.retryBefore));
    const isClaim = (state: JsonObject): boolean => claimTokenOf(state)?.stack === audience.stackId;
    return {
      scheduled: { runs: due.runs.filter(({ state }) => state === 'Scheduled'), unreadable: due.unreadable },
      retries: { runs: due.runs.filter((run) => run.state === 'Running' && run.dueTaskRuns > 0), unreadable: [] },
      claims: {
        runs: submitted.runs.filter(({ serializedState }) => isClaim(serializedState)),
        unreadable: submitted.unreadable,
      },
      more: ids.length > 0,
      source: 'queue',
    };
  }

  async #audience(signal: AbortSignal): Promise<Audience> {
    const { agentName, labels, stackId } = this.#options;
    return { tenantId: await this.#membership.tenant(signal), agentName, labels, stackId };
  }

  #ask(operations: readonly Operation[], signal: AbortSignal): Promise<readonly OperationAnswer[]> {
    return this.#endpoint.call({ operations, signal, repeatable: true });
  }

  #parsed(rows: readonly unknown[]): RunsRead {
    return parseRuns(rows, new Date(this.#options.clock.now().getTime() - retryBufferMs));
  }

  #rowsOf(answer: OperationAnswer | undefined): readonly unknown[] {
    // Data beside an error may be a part of the truth only, and a missing run must mean that it does not exist.
    if (answer === undefined || answer.problems.length > 0) throw this.#failure(answer);
    const parsed = flowRuns.data.safeParse(answer.data);
    if (!parsed.success) throw this.#failure(answer);
    return parsed.data.flow_run;
  }

  /**
   * The id that the next page begins after. Pages come in the order of their ids: one that does not lead on would be asked
   * for until the deadline, and half of a list is not the list.
   */
  #nextAfter(rows: readonly unknown[], { last, pages }: { last: string | null; pages: number }): string {
    const next = lastIdOf(rows);
    const leadsOn = next !== null && (last === null || next > last) && pages < mostPages;
    if (!leadsOn) throw unreadableAnswer(this.#options.url);
    return next;
  }

  #failure(answer: OperationAnswer | undefined) {
    const { url } = this.#options;
    const problems = answer?.problems ?? [];
    return problems.length === 0 ? unreadableAnswer(url) : failedInside(problems, 'read the flow runs', url);
  }
}

const queueRead = ({ tenantId, labels }: Audience, { dueBefore }: DueQuery): Operation => ({
  document: runsInQueue,
  variables: { input: { tenant_id: tenantId, before: dueBefore.toISOString(), labels } },
});

function lastIdOf(rows: readonly unknown[]): string | null {
  const last = rows.at(-1);
  const id = typeof last === 'object' && last !== null && 'id' in last ? last.id : null;
  return typeof id === 'string' ? id : null;
}
