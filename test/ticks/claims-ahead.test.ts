import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import type { TickReport } from '../../functions/core/tick-report.ts';
import { runIdLabel } from '../../functions/core/job-identity.ts';
import { jsonAnswer, type LocalResponse } from '../../infra/local/http.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { isClaim, isCreate, isReadById, minute } from '../support/protocol-world.ts';
import { ConnectionLost, SimulatedWorld } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

/** Waves of 25, 50, 100, 200 and 125. */
const due = 500;

/** What a create meets, by its number from 1 on; undefined: the API server takes it. */
type Meets = (create: number, world: SimulatedWorld) => LocalResponse | undefined;

const refusal = (status: number, message: string, headers: Record<string, string> = {}): LocalResponse =>
  jsonAnswer(status, { kind: 'Status', status: 'Failure', code: status, message, reason: 'Refused' }, headers);

/** Runs that are Submitted and have no Job. */
function jobless(world: SimulatedWorld): number {
  const withJob = new Set(world.jobs().map(({ metadata }) => metadata.labels?.[runIdLabel]));
  return [...world.prefect.tables.flow_run.all()].filter(({ id, state }) => state === 'Submitted' && !withJob.has(id))
    .length;
}

interface Seen {
  readonly report: TickReport;
  /** For each claim, the runs that were claimed before and had no Job yet. */
  readonly ahead: readonly number[];
}

/** A tick in which a create takes longer than a claim and the read after it; `onRead` may lose the n-th such read. */
async function tick(meets: Meets, loses: (read: number) => boolean = () => false): Promise<Seen> {
  const world = new SimulatedWorld();
  for (let n = 0; n < due; n += 1) seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m'));
  const ahead: number[] = [];
  let creates = 0;
  let reads = 0;
  world.onPrefect = (request, forward) => {
    if (isClaim(request)) ahead.push(jobless(world));
    else if (ahead.length > 0 && isReadById(request) && loses((reads += 1))) throw new ConnectionLost();
    return forward();
  };
  world.onKubernetes = async (request, forward) => {
    if (!isCreate(request)) return forward();
    const answer = meets((creates += 1), world);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    return answer ?? forward();
  };
  const report = await world.container({ MAX_IN_FLIGHT: '1000' }).dispatch(15 * minute);
  return { report, ahead };
}

const takesAll: Meets = () => undefined;

/** Meets this at the n-th create, and nothing at the others. */
const once =
  (n: number, meet: (world: SimulatedWorld) => LocalResponse | undefined): Meets =>
  (create, world) =>
    create === n ? meet(world) : undefined;

const after =
  (ms: number) =>
  ({ clock }: SimulatedWorld): undefined => {
    clock.advance(ms);
  };

/** A create of the second wave. */
const second = 60;

describe('claims while the wave before is created', () => {
  it('begin with the third wave: how the first is taken must be known', async () => {
    const { report, ahead } = await tick(takesAll);

    assert.deepEqual(ahead, [0, 0, 50, 100, 200]);
    assert.deepEqual([report.counts.created, report.facts['waves']], [due, 5]);
  });

  const slow: Readonly<Record<string, { meets: Meets; expected: readonly number[] }>> = {
    'refuses one': { meets: once(second, () => refusal(422, 'spec: Invalid value')), expected: [0, 0, 50, 0, 200] },
    'asks for a pause': {
      meets: once(second, () => refusal(429, 'too many requests', { 'retry-after': '1' })),
      expected: [0, 0, 50, 0, 200],
    },
    // The third was read back before these two seconds, and created after them.
    'takes longer than 2 s': {
      meets: once(second, after(2_001)),
      expected: [0, 0, 50, 0, 0],
    },
  };
  for (const [name, { meets, expected }] of Object.entries(slow)) {
    it(`wait for all Jobs after a wave of which the API server ${name}`, async () => {
      const { report, ahead } = await tick(meets);

      assert.deepEqual(ahead, expected);
      assert.equal(report.counts.created + report.counts.applied, due);
    });
  }

  it('do not wait after a wave that took 2 s', async () => {
    const { ahead } = await tick(once(second, after(2_000)));

    assert.deepEqual(ahead, [0, 0, 50, 100, 200]);
  });

  it('cost one wave where the first create is refused by quota, and two later', async () => {
    const full = refusal(403, 'exceeded quota: jobs');
    const atOnce = await tick(() => full);
    const later = await tick((create) => (create > second ? full : undefined));

    assert.deepEqual([atOnce.report.facts['claimed'], atOnce.ahead], [25, [0]]);
    assert.deepEqual([later.report.facts['claimed'], later.ahead], [175, [0, 0, 50]]);
    assert.deepEqual([later.report.counts.created, later.report.problem], [second, null]);
  });

  it('end when nothing of a whole wave is answered, and the tick says that the API server is away', async () => {
    const { report, ahead } = await tick((create) => {
      if (create > 75) throw new ConnectionLost();
      return undefined;
    });

    assert.deepEqual([report.problem?.code, report.counts.created], ['CLUSTER_UNREACHABLE', 75]);
    assert.deepEqual([ahead.length, report.facts['claimed']], [3, 175]);
  });

  it('lose nothing of the wave that is created when the read after them fails', async () => {
    const third = 3;
    const { report, ahead } = await tick(takesAll, (read) => read === third);

    assert.deepEqual([report.counts.created, report.counts.unknown], [due - 100, 100]);
    assert.equal(ahead.length, 5);
  });
});
