import type { FlowRun, FlowRunId } from '../../functions/core/flow-run.ts';
import { submittedState } from '../../functions/core/states.ts';
import { connectPrefect } from '../../functions/prefect/client.ts';
import type { PrefectClient } from '../../functions/prefect/contract.ts';
import { constant } from '../../functions/source.ts';
import { nextPace, startingPace, type Pace } from '../../functions/ticks/pace.ts';
import { claimLimitMs } from '../../functions/ticks/ports.ts';
import type { LocalRequest } from '../../infra/local/http.ts';
import { aClock, patient, type TestClock } from '../support/clients.ts';
import { postTo } from '../support/local-post.ts';
import { rounded, type GoalGroup, type Measurement } from './goal.ts';
import { answerGraphql, labRuns } from './lab/graphql.ts';

/** What a Prefect API takes for a request, and for each operation in it. */
interface Cost {
  readonly requestMs: number;
  readonly operationMs: number;
}

/**
 * Measured on the real gateway and service of Prefect Server: 25 Submitted mutations one after the other took 3.7 to 4.2 s,
 * one array of them 1.6 to 1.8 s. With the middle of both, 25 × (request + operation) = 3,950 ms and
 * request + 25 × operation = 1,700 ms.
 */
const gateway: Cost = costFrom({ separateMs: 3_950, togetherMs: 1_700, operations: 25 });

function costFrom(seen: { separateMs: number; togetherMs: number; operations: number }): Cost {
  const oneMs = seen.separateMs / seen.operations;
  const operationMs = (seen.togetherMs - oneMs) / (seen.operations - 1);
  return { requestMs: oneMs - operationMs, operationMs };
}

const times = ({ requestMs, operationMs }: Cost, factor: number): Cost => ({
  requestMs: requestMs * factor,
  operationMs: operationMs * factor,
});

/** Servers from a quick one to one that answers no batch of 25 in time; `least`: of the best fixed size. */
const servers: readonly { readonly name: string; readonly cost: Cost; readonly least: number }[] = [
  { name: 'ten times as quick as the gateway', cost: times(gateway, 0.1), least: 0.8 },
  { name: 'as the gateway', cost: gateway, least: 0.9 },
  { name: 'three times as slow', cost: times(gateway, 3), least: 0.8 },
  // A batch of 25 is lost there, and the time until that is known: a third of the tick.
  { name: 'twelve times as slow', cost: times(gateway, 12), least: 0.5 },
];

const sizes = [5, 10, 25, 50, 100, 200];

/** Time for claims in one tick of dispatch, and more runs than it needs. */
const tickMs = 38_000;
const due = 1_000;

/** A Prefect API in a time of its own, so that every figure is the same on every machine. */
function connect(cost: Cost, clock: TestClock): PrefectClient {
  const runs = labRuns(due);
  const answer = async (request: LocalRequest) => {
    const asked = JSON.parse(request.body) as unknown;
    const ms = cost.requestMs + cost.operationMs * (Array.isArray(asked) ? asked.length : 1);
    clock.set(new Date(clock.now().getTime() + Math.min(ms, claimLimitMs)));
    if (ms > claimLimitMs) throw new DOMException('The operation was aborted due to timeout', 'TimeoutError');
    return answerGraphql(runs, request);
  };
  return connectPrefect({
    url: 'http://prefect.test/graphql',
    backend: 'server',
    token: constant(null),
    tenantId: 'tenant',
    memory: { tenantId: 'tenant', agentId: 'agent' },
    agentName: 'bench',
    labels: [],
    stackId: 'bench',
    clock,
    post: postTo(answer),
  });
}

/** Claims as a wave does: one write, and one read of these and the next. Resolves to how many were answered. */
async function claim(prefect: PrefectClient, runs: readonly FlowRun[], until: Date): Promise<number> {
  const states = runs.map((run) => ({
    runId: run.id,
    version: run.version,
    state: submittedState(run, { stack: 'bench', claim: run.id, key: '1', until }),
  }));
  const answers = await prefect.write({ states, logs: [], heartbeats: [], signal: patient() });
  await prefect.readRuns(
    runs.map(({ id }) => id),
    patient(),
  );
  return answers.states.filter(({ kind }) => kind !== 'unknown').length;
}

/** What a way of batching reached in the time of one tick. */
interface Reached {
  readonly claims: number;
  readonly perSecond: number;
  readonly longestMs: number;
}

/** How large the next batch is; the functions decide by how long the last one took. */
type Pacing = (pace: Pace, last: { readonly milliseconds: number; readonly readable: boolean }) => Pace;

async function claimFor(cost: Cost, first: Pace, pacing: Pacing): Promise<Reached> {
  const clock = aClock();
  const prefect = connect(cost, clock);
  const begun = clock.now().getTime();
  const elapsed = (): number => clock.now().getTime() - begun;
  const ids = [...labRuns(due).keys()] as FlowRunId[];
  // What the poll has read already.
  const { runs } = await connect({ requestMs: 0, operationMs: 0 }, aClock()).readRuns(ids, patient());
  let [pace, next, claims, longestMs] = [first, 0, 0, 0];
  while (elapsed() < tickMs && next < runs.length) {
    const before = elapsed();
    const batch = runs.slice(next, next + pace.size);
    const answered = await claim(prefect, batch, clock.now());
    // The reading is not the claim's, but of the same server: it takes one operation.
    const milliseconds = elapsed() - before - cost.requestMs - cost.operationMs;
    pace = pacing(pace, { milliseconds, readable: answered > 0 });
    [next, claims, longestMs] = [next + batch.length, claims + answered, Math.max(longestMs, milliseconds)];
  }
  return { claims, perSecond: (claims * 1_000) / elapsed(), longestMs };
}

async function measure({ name, cost, least }: (typeof servers)[number]): Promise<Measurement> {
  const ours = await claimFor(cost, startingPace, nextPace);
  const fixed: Reached[] = [];
  for (const size of sizes) fixed.push(await claimFor(cost, { size }, (pace) => pace));
  const best = Math.max(...fixed.map(({ perSecond }) => perSecond));
  const others = sizes.map((size, index) => `${size}: ${rounded(fixed[index]?.perSecond ?? 0)}`).join(', ');
  return {
    goal: `claims a second / the best fixed size of a batch, server ${name}`,
    figure: rounded(ours.perSecond / best),
    unit: 'ratio',
    limit: least,
    atLeast: true,
    because: `${rounded(ours.perSecond)} a second; fixed ${others}`,
  };
}

/** Why a tick does not begin with the largest batch, which claims most in the end. */
async function firstBatch(): Promise<readonly Measurement[]> {
  const stay: Pacing = (pace) => pace;
  const [small, large] = [await claimFor(gateway, startingPace, stay), await claimFor(gateway, { size: 200 }, stay)];
  const ours = await claimFor(gateway, startingPace, nextPace);
  const seconds = (ms: number): number => rounded(ms / 1_000);
  return [
    {
      goal: 'claim batch before the first Job, server as the gateway',
      figure: seconds(small.longestMs),
      unit: 's',
      limit: 2,
      because: `${startingPace.size} claims; 200 take ${seconds(large.longestMs)} s of the ${claimLimitMs / 1_000} s that a request may take`,
    },
    {
      goal: 'longest claim batch of a tick, server as the gateway',
      figure: seconds(ours.longestMs),
      unit: 's',
      limit: 5,
      because: `a third of what a request may take; ${ours.claims} claims`,
    },
  ];
}

/** Where the sizes of functions/ticks/pace.ts come from. */
export const claimBatches: GoalGroup = {
  name: 'claim-batches',
  about: `claims for ${tickMs / 1_000} s in batches of ${sizes[0]} to ${sizes.at(-1)}, at the costs of a real gateway, in virtual time`,
  kind: 'count',
  measure: async () => {
    const goals: Measurement[] = [];
    for (const server of servers) goals.push(await measure(server));
    return [...goals, ...(await firstBatch())];
  },
};
