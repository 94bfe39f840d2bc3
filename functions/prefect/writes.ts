import { dataOf, setStates, writeLogs, heartbeat } from './documents.ts';
import type { FlowRunId } from '../core/flow-run.ts';
import type { JsonObject } from '../core/json.ts';
import { plainText } from '../core/plain-text.ts';
import { withoutCredentials } from '../redaction.ts';
import type { OperationAnswer } from './batch-answer.ts';
import type { Operation } from './call.ts';
import type { LogInfo, RunLog, StateWrite, WriteAnswer, WriteBatch } from './contract.ts';
import { isOutage } from './failures.ts';

/** One record stays within 1,000,000 characters (prefect 1.4.1, utilities/logging.py), with room for its other fields. */
const maxMessageBytes = 990_000;

/** Logs of one operation; one run with more gets several. */
const maxLogsBytes = 1_500_000;

/** The gateway takes 5 MiB (PrefectHQ/server, services/apollo); its proxies often less, and one log may be 1 MB. */
const maxBodyBytes = 4_000_000;

const cutMark = ' … [cut]';

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/**
 * Text of others on its way into a state or a run log, where every user of Prefect reads it: without credentials. Postgres
 * stores neither NUL nor half a surrogate pair, and would reject the whole call for one of them.
 */
function storable(text: string): string {
  return withoutCredentials(text).toWellFormed().replaceAll('\0', '\uFFFD');
}

/** The message as it may be sent: storable, and cut at the end when it is too long. */
export function logMessage(text: string): string {
  const whole = storable(text);
  if (jsonBytes(whole) <= maxMessageBytes) return whole;
  let kept = whole.slice(0, maxMessageBytes);
  // Escapes and other alphabets take up to six bytes a character, so the first guess may need another.
  while (jsonBytes(kept) > maxMessageBytes - 32) {
    kept = kept.slice(0, Math.floor(kept.length * Math.min(0.95, (maxMessageBytes - 32) / jsonBytes(kept))));
  }
  return storable(kept) + cutMark;
}

/** What an operation writes, so that its answer finds its place again. */
export type Written =
  | { readonly kind: 'state'; readonly index: number }
  | { readonly kind: 'logs'; readonly runId: FlowRunId; readonly count: number }
  | { readonly kind: 'heartbeat' };

export interface WriteOperation extends Operation {
  readonly written: Written;
}

function stateOperation({ runId, version, state }: StateWrite, index: number): WriteOperation {
  const { message } = state;
  const safe = typeof message === 'string' ? { ...state, message: storable(message) } : state;
  const input = { states: [{ flow_run_id: runId, version, state: safe }] };
  return { document: setStates, variables: { input }, written: { kind: 'state', index } };
}

/** The same of the words in the data beside a message. Not cut: they are single fields of the cluster, and marks of ours. */
const storableInfo = (info: LogInfo): JsonObject =>
  Object.fromEntries(
    Object.entries(info).map(([name, value]) => [name, typeof value === 'string' ? storable(plainText(value)) : value]),
  );

const logEntry = (log: RunLog): JsonObject => ({
  flow_run_id: log.runId,
  name: log.name,
  level: log.level,
  message: logMessage(plainText(log.message)),
  ...(log.timestamp === undefined ? {} : { timestamp: log.timestamp.toISOString() }),
  ...(log.info === undefined ? {} : { info: storableInfo(log.info) }),
});

/** Consecutive items in groups that stay within `limit` bytes; a single larger one is a group of its own. */
function packed<T>(items: readonly T[], limit: number, bytesOf: (item: T) => number): T[][] {
  const groups: T[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const bytes = bytesOf(item) + 1;
    if (size + bytes > limit) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)?.push(item);
    size += bytes;
  }
  return groups;
}

function logOperations(logs: readonly RunLog[]): WriteOperation[] {
  const byRun = Map.groupBy(logs, ({ runId }) => runId);
  return [...byRun].flatMap(([runId, ofRun]) =>
    packed(ofRun.map(logEntry), maxLogsBytes, jsonBytes).map((entries) => ({
      document: writeLogs,
      variables: { input: { logs: entries } },
      written: { kind: 'logs', runId, count: entries.length } as const,
    })),
  );
}

const heartbeatOperation = (runId: FlowRunId): WriteOperation => ({
  document: heartbeat,
  variables: { input: { flow_run_id: runId } },
  written: { kind: 'heartbeat' },
});

/**
 * The operations of a batch, packed into as few HTTP requests as their size allows; usually one. States come first: if
 * a batch must be cut, the states of all runs go out before any log.
 */
export function writeRequests({ states, logs, heartbeats }: WriteBatch): WriteOperation[][] {
  const operations = [...states.map(stateOperation), ...heartbeats.map(heartbeatOperation), ...logOperations(logs)];
  return packed(
    operations,
    maxBodyBytes,
    ({ document, variables }) => document.text.length + jsonBytes(variables) + 32,
  );
}

/**
 * What became of one state write. An error text of the service is a refusal; a text that only says that something did
 * not answer leaves it open, and so does an answer without either.
 */
export function stateAnswer(answer: OperationAnswer): WriteAnswer {
  const [problem] = answer.problems;
  if (problem !== undefined) return { kind: isOutage(problem) ? 'unknown' : 'refused', message: problem.message };
  const [state] = dataOf(setStates, answer) ?? [];
  if (state === undefined) return { kind: 'unknown', message: 'The answer names no state.' };
  if (state.status === 'SUCCESS') return { kind: 'applied' };
  // Only a hosted API queues a run; then the state asked for does not stand.
  return { kind: 'refused', message: state.message ?? `The server answered ${state.status ?? 'without a status'}.` };
}

/** True when the answer is what the operation's document asks for: a success. */
export function isDone({ document }: Operation, answer: OperationAnswer): boolean {
  return answer.problems.length === 0 && dataOf(document, answer) !== null;
}
