import type { OperationAnswer } from './batch-answer.ts';
import type { Endpoint } from './call.ts';
import type { WriteAnswer, WriteAnswers, WriteBatch } from './contract.ts';
import { isDone, stateAnswer, writeRequests, type WriteOperation } from './writes.ts';

type Answered = { readonly operation: WriteOperation; readonly answer: OperationAnswer };

/** One request; without a readable answer the fate of each of its operations is unknown, which is said as an outage. */
async function sendOne(
  operations: readonly WriteOperation[],
  signal: AbortSignal,
  endpoint: Endpoint,
): Promise<readonly Answered[]> {
  const answers = await endpoint.call({ operations, signal, repeatable: false }).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : 'The request failed.';
    return operations.map((): OperationAnswer => ({ data: null, problems: [{ message, code: lostAnswer }] }));
  });
  return operations.flatMap((operation, index) => {
    const answer = answers[index];
    return answer === undefined ? [] : [{ operation, answer }];
  });
}

/** Code of the problem that stands for an answer that never came. */
const lostAnswer = 'LOST_ANSWER';

function fateOf({ answer }: Answered): WriteAnswer {
  const [problem] = answer.problems;
  return problem?.code === lostAnswer ? { kind: 'unknown', message: problem.message } : stateAnswer(answer);
}

/** What was not accepted among logs and heartbeats: a state has an answer of its own. */
function lossesOf(answered: readonly Answered[]): Omit<WriteAnswers, 'states'> {
  const lost = answered
    .filter(({ operation, answer }) => !isDone(operation, answer))
    .map(({ operation }) => operation.written);
  const logs = lost.filter((written) => written.kind === 'logs');
  return {
    lostLogs: logs.reduce((sum, { count }) => sum + count, 0),
    unlogged: new Set(logs.map(({ runId }) => runId)),
    lostHeartbeats: lost.filter((written) => written.kind === 'heartbeat').length,
  };
}

/** Sends a batch, almost always as one request, and never throws: what has no readable answer is unknown. */
export async function sendWrites(batch: WriteBatch, endpoint: Endpoint): Promise<WriteAnswers> {
  const answered: Answered[] = [];
  for (const request of writeRequests(batch)) answered.push(...(await sendOne(request, batch.signal, endpoint)));
  const states = answered.filter(({ operation }) => operation.written.kind === 'state').map(fateOf);
  return { states, ...lossesOf(answered) };
}
