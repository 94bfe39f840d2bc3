import type { JsonObject } from '../core/json.ts';
import type { OperationAnswer } from './batch-answer.ts';
import { Endpoint, type Operation } from './call.ts';
import type { PrefectOptions } from './contract.ts';
import { authInfo, dataOf, flowRuns, tenants, type Document } from './documents.ts';
import {
  failedInside,
  isSchemaMismatch,
  refusalOf,
  translateFailure,
  unreadableAnswer,
  type GraphqlProblem,
} from './failures.ts';
import { quietClaims, retryRuns, scheduledRuns, unfinishedRuns } from './filters.ts';

/** What a server says to the filters of a function: `mismatch` where its schema lacks an operator of them. */
export type FilterVerdict = 'accepted' | 'mismatch';

/** Questions that an examination puts to a Prefect API, one after the other. None of them changes anything. */
export interface PrefectExam {
  /** Resolves when a GraphQL endpoint, or whoever guards it, answers. Throws BoundaryError otherwise. */
  reach(signal: AbortSignal): Promise<void>;
  /** Tenants that the credential may use; empty: none. Throws BoundaryError, also for a rejected token. */
  listTenants(signal: AbortSignal): Promise<readonly string[]>;
  /** Puts the filters of both ticks to the server. Throws BoundaryError for an answer that is about something else. */
  tryFilters(tenantId: string, signal: AbortSignal): Promise<{ dispatch: FilterVerdict; reconcile: FilterVerdict }>;
}

/** Statuses that only somebody who is there can send. */
const guarded: ReadonlySet<number> = new Set([401, 403]);

async function reach({ url, post }: PrefectOptions, signal: AbortSignal): Promise<void> {
  try {
    const body = JSON.stringify({ query: 'query { __typename }' });
    const answer = await post({ url, headers: { 'content-type': 'application/json' }, body, signal });
    const refusal = guarded.has(answer.status) ? null : refusalOf(answer, url);
    if (refusal !== null) throw refusal;
  } catch (error) {
    throw translateFailure(error, url);
  }
}

const one = (where: JsonObject): Operation => ({
  document: flowRuns,
  variables: { where, order: [{ id: 'asc' }], limit: 1, spec: false, marks: false },
});

const problemsIn = (answers: readonly OperationAnswer[]): readonly GraphqlProblem[] =>
  answers.flatMap(({ problems }) => problems);

/** Opens nothing: the first question does. */
export function examinePrefect(options: PrefectOptions): PrefectExam {
  const { url, clock, backend } = options;
  const endpoint = new Endpoint({ ...options, headers: () => ({}) });
  const ask = (operations: readonly Operation[], signal: AbortSignal) =>
    endpoint.call({ operations, signal, repeatable: true });
  const read = async <T>(document: Document<T>, signal: AbortSignal): Promise<T> => {
    const [answer] = await ask([{ document, variables: {} }], signal);
    const data = dataOf(document, answer);
    if (data !== null) return data;
    const problems = answer?.problems ?? [];
    throw problems.length === 0 ? unreadableAnswer(url) : failedInside(problems, 'name its tenants', url);
  };
  const verdictOn = (answers: readonly OperationAnswer[]): FilterVerdict => {
    const problems = problemsIn(answers);
    if (problems.length === 0) return 'accepted';
    if (problems.some(isSchemaMismatch)) return 'mismatch';
    throw failedInside(problems, 'read the flow runs', url);
  };
  return {
    reach: (signal) => reach(options, signal),
    listTenants: async (signal) => {
      if (backend === 'server') return read(tenants, signal);
      const { tenantId } = await read(authInfo, signal);
      return tenantId === null ? [] : [tenantId];
    },
    tryFilters: async (tenantId, signal) => {
      const { agentName, labels, stackId } = options;
      const audience = { tenantId, agentName, labels, stackId };
      const now = clock.now();
      const instants = { dueBefore: now, retryBefore: now, quietBefore: now, lateBefore: now };
      const query = { ...instants, withoutLabels: [], signal };
      const wheres = [scheduledRuns, retryRuns, quietClaims].map((filter) => filter(audience, query));
      const answers = await ask([...wheres, unfinishedRuns(audience, null)].map(one), signal);
      return { dispatch: verdictOn(answers.slice(0, 3)), reconcile: verdictOn(answers.slice(3)) };
    },
  };
}
