import type { FlowRun, FlowRunId } from '../core/flow-run.ts';
import { serves } from '../core/detectors.ts';
import { claimTokenOf } from '../core/history.ts';
import type { JsonObject } from '../core/json.ts';
import { BoundaryError } from '../errors.ts';
import type { OperationAnswer } from './batch-answer.ts';
import type { Endpoint, Operation } from './call.ts';
import type { DueQuery, DueRuns, PrefectOptions, RunParts, RunsRead, UnfinishedRead } from './contract.ts';
import { dataOf, flowRuns, lateRuns, runsInQueue, surroundings } from './documents.ts';
import { failedInside, isSchemaMismatch, unreadableAnswer } from './failures.ts';
import {
  agentsSince,
  lateSince,
  quietClaims,
  quietSubmittedRuns,
  retryRuns,
  runsById,
  scheduledRuns,
  tooLateRuns,
  unfinishedRuns,
  type Audience,
} from './filters.ts';
import { AnswerTooLargeError } from './http.ts';
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

const readDueWhere = (where: JsonObject, limit: number): Operation => ({
  document: flowRuns,
  variables: { where, order: oldestFirst, limit, spec: true, marks: false },
});

/** Run configs are their authors': with enough of them a page is larger than can be held, and a smaller one may not be. */
const isTooLarge = (error: unknown): boolean =>
  error instanceof BoundaryError && error.cause instanceof AnswerTooLargeError;

/** Of the runs that a page had when it was too large. */
const pageLeft = 0.25;

const joined = (reads: readonly RunsRead[]): RunsRead => ({
  runs: reads.flatMap(({ runs }) => runs),
  unreadable: reads.flatMap(({ unreadable }) => unreadable),
});

type Around = Pick<UnfinishedRead, 'agents' | 'late' | 'lateOfOurs'>;

/** Best effort: a glance that cannot be read shows nobody. */
function aroundOf(answer: OperationAnswer | undefined, ours: OperationAnswer | undefined): Around {
  const { agents, late } = dataOf(surroundings, answer) ?? { agents: [], late: [] };
  return { agents, late, lateOfOurs: dataOf(lateRuns, ours) ?? [] };
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
    const late = query.lateBefore === null ? [] : [tooLateRuns(audience, query.lateBefore)];
    // One more than is taken: whether it comes says whether another poll would find anything.
    const operationsOf = (limit: number): readonly Operation[] => [
      ...filters.map((where) => readDueWhere(where, limit + 1)),
      queueRead(audience, query),
      ...late.map((where) => readDueWhere(where, limit)),
    ];
    const { answers, limit } = await this.#askInPages(operationsOf, query.signal);
    const [first, second, third, queue, ...tooLate] = answers;
    const kinds = [first, second, third];
    if (kinds.some((answer) => answer?.problems.some(isSchemaMismatch))) {
      return this.#dueRunsOfQueue(queue, audience, query);
    }
    const pages = kinds.map((answer) => this.#rowsOf(answer));
    const [scheduled = nothing, retries = nothing, claims = nothing] = pages.map((rows) =>
      parseRuns(rows.slice(0, limit), query.retryBefore),
    );
    const beyond = tooLate.map((answer) => parseRuns(this.#rowsOf(answer), query.retryBefore));
    const more = pages.some((rows) => rows.length > limit);
    return { scheduled: joined([...beyond, scheduled]), retries, claims, more, source: 'filter', inFront: [] };
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
    const late = lateSince({ ...audience, labels: null }, since);
    const glance = { document: surroundings, variables: { agents: agentsSince(audience, since), late } };
    // By itself: a server that lacks the operator for labels refuses the operation that has it as a whole.
    const ours = { document: lateRuns, variables: { late: lateSince(audience, since) } };
    const first = readRunsWhere(unfinishedRuns(audience, null), byId, { marks: true });
    const [answer, around, aroundOurs] = await this.#ask([first, glance, ours], signal);
    const reads: RunsRead[] = [];
    let rows = this.#rowsOf(answer);
    reads.push(this.#parsed(rows));
    for (let last: string | null = null; rows.length >= pageSize;) {
      last = this.#nextAfter(rows, { last, pages: reads.length });
      const [next] = await this.#ask([readRunsWhere(unfinishedRuns(audience, last), byId, { marks: true })], signal);
      rows = this.#rowsOf(next);
      reads.push(this.#parsed(rows));
    }
    return { ...joined(reads), ...aroundOf(around, aroundOurs) };
  }

  /**
   * For servers whose query engine lacks an operator of ours: what the queue names, at most 25 runs of the 75 oldest
   * (PrefectHQ/server api/runs.py); what is due by the table, of which labels are compared here, so that neither runs of
   * others nor those that we hold hide ours; and our quiet claims by the agent's name.
   */
  async #dueRunsOfQueue(answer: OperationAnswer | undefined, audience: Audience, query: DueQuery): Promise<DueRuns> {
    const queued = dataOf(runsInQueue, answer);
    if (queued === null) throw this.#failure(answer);
    const anybody = { ...audience, labels: null };
    const wheres = [
      runsById(queued),
      quietSubmittedRuns(audience, query),
      scheduledRuns(anybody, query),
      retryRuns(anybody, query),
    ];
    const answers = await this.#ask(
      wheres.map((where) => readRunsWhere(where, oldestFirst, { spec: true })),
      query.signal,
    );
    const [named = nothing, submitted = nothing, ...table] = answers.map((one) =>
      parseRuns(this.#rowsOf(one), query.retryBefore),
    );
    const isOurs = (run: FlowRun): boolean => serves(this.#options.labels, run.labels);
    const isOpen = ({ labels }: FlowRun): boolean => !labels.some((label) => query.withoutLabels.includes(label));
    const isClaim = (state: JsonObject): boolean => claimTokenOf(state)?.stack === audience.stackId;
    const seen = joined(table).runs;
    const due = byIdOnce([...named.runs, ...seen.filter(isOurs)]).filter(isOpen);
    return {
      scheduled: { runs: due.filter(({ state }) => state === 'Scheduled'), unreadable: named.unreadable },
      retries: { runs: due.filter((run) => run.state === 'Running' && run.dueTaskRuns > 0), unreadable: [] },
      claims: {
        runs: submitted.runs.filter(({ serializedState }) => isClaim(serializedState)),
        unreadable: submitted.unreadable,
      },
      more: due.length > 0,
      source: 'queue',
      inFront: seen.filter((run) => !isOurs(run)).map(({ labels }) => ({ labels })),
    };
  }

  async #audience(signal: AbortSignal): Promise<Audience & { readonly labels: readonly string[] }> {
    const { agentName, labels, stackId } = this.#options;
    return { tenantId: await this.#membership.tenant(signal), agentName, labels, stackId };
  }

  #ask(operations: readonly Operation[], signal: AbortSignal): Promise<readonly OperationAnswer[]> {
    return this.#endpoint.call({ operations, signal, repeatable: true });
  }

  /** As many runs of each kind as can be held, down to one. */
  async #askInPages(
    operationsOf: (limit: number) => readonly Operation[],
    signal: AbortSignal,
    limit = pageSize,
  ): Promise<{ readonly answers: readonly OperationAnswer[]; readonly limit: number }> {
    try {
      return { answers: await this.#ask(operationsOf(limit), signal), limit };
    } catch (error) {
      const smaller = Math.floor(limit * pageLeft);
      if (smaller < 1 || !isTooLarge(error)) throw error;
      return this.#askInPages(operationsOf, signal, smaller);
    }
  }

  #parsed(rows: readonly unknown[]): RunsRead {
    return parseRuns(rows, new Date(this.#options.clock.now().getTime() - retryBufferMs));
  }

  #rowsOf(answer: OperationAnswer | undefined): readonly unknown[] {
    // Data beside an error may be a part of the truth only, and a missing run must mean that it does not exist.
    if (answer === undefined || answer.problems.length > 0) throw this.#failure(answer);
    const rows = dataOf(flowRuns, answer);
    if (rows === null) throw this.#failure(answer);
    return rows;
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

const byIdOnce = (runs: readonly FlowRun[]): readonly FlowRun[] => [
  ...new Map(runs.map((run) => [run.id, run])).values(),
];

const queueRead = ({ tenantId, labels }: Audience, { dueBefore }: DueQuery): Operation => ({
  document: runsInQueue,
  variables: { input: { tenant_id: tenantId, before: dueBefore.toISOString(), labels } },
});

function lastIdOf(rows: readonly unknown[]): string | null {
  const last = rows.at(-1);
  const id = typeof last === 'object' && last !== null && 'id' in last ? last.id : null;
  return typeof id === 'string' ? id : null;
}
