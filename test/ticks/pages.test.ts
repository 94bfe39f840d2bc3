import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import type { TickReport } from '../../functions/core/tick-report.ts';
import { jsonAnswer, type LocalRequest, type LocalResponse } from '../../infra/local/http.ts';
import { seedFlowRun, setFlowRunState } from '../../infra/local/prefect-api/seed.ts';
import { isClaim, isCreate, isReadById, minute } from '../support/protocol-world.ts';
import { ConnectionLost, SimulatedWorld } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

/** A page and a half. */
const due = 750;

const refusal = jsonAnswer(422, {
  kind: 'Status',
  status: 'Failure',
  code: 422,
  reason: 'Invalid',
  message: 'spec: wrong',
});

const isPoll = ({ body }: LocalRequest): boolean => body.includes('"limit":501,"spec":true');
const isList = ({ method, path }: LocalRequest): boolean => method === 'GET' && /\/jobs\?/u.test(path);

interface Seen {
  readonly world: SimulatedWorld;
  readonly report: TickReport;
  readonly lists: number;
  /** For each poll, the creates that had been sent and not answered. */
  readonly creating: readonly number[];
  /** For each read by id, of how many runs. */
  readonly readById: readonly number[];
}

interface Scene {
  readonly runs?: number;
  /** Before the tick, with the ids of the runs that are due, the first of them first. */
  readonly given?: (world: SimulatedWorld, runIds: readonly string[]) => void;
  /** Before the n-th poll, from 1 on. */
  readonly onPoll?: (poll: number, world: SimulatedWorld) => void;
  /** Before the n-th claim, from 1 on. */
  readonly onClaim?: (claim: number, world: SimulatedWorld) => void;
  /** What the n-th create meets, from 1 on; undefined: the API server takes it. */
  readonly onCreate?: (create: number) => LocalResponse | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** A tick over more than one page, in which a create takes longer than a poll. */
async function tick({ runs = due, given, onPoll, onClaim, onCreate, env = {} }: Scene = {}): Promise<Seen> {
  const world = new SimulatedWorld();
  // Those that were due first are read first.
  const runIds = Array.from({ length: runs }, (_, n) =>
    seedFlowRun(world.prefect, { startTime: new Date(at('-1h').getTime() + n) }, at('-2h')),
  );
  given?.(world, runIds);
  const creating: number[] = [];
  const readById: number[] = [];
  let lists = 0;
  let claims = 0;
  let creates = 0;
  let unanswered = 0;
  world.onPrefect = (request, forward) => {
    if (isPoll(request)) {
      creating.push(unanswered);
      onPoll?.(creating.length, world);
    }
    if (isClaim(request)) onClaim?.((claims += 1), world);
    if (isReadById(request)) readById.push(new Set(request.body.match(/[\da-f]{8}-[\da-f-]{27}/gu)).size);
    return forward();
  };
  world.onKubernetes = async (request, forward) => {
    if (isList(request)) lists += 1;
    if (!isCreate(request)) return forward();
    const answer = onCreate?.((creates += 1));
    unanswered += 1;
    for (let turns = 0; turns < 20; turns += 1) await turn();
    unanswered -= 1;
    return answer ?? forward();
  };
  const report = await world.container({ MAX_IN_FLIGHT: '1000', ...env }).dispatch(15 * minute);
  return { world, report, lists, creating, readById };
}

const lazarus = { type: 'Scheduled', message: 'Rescheduled by a Lazarus process. This is attempt 1.' };

/** As a run is that was claimed, lost, and scheduled again. */
function resurrected(world: SimulatedWorld, runId: string | undefined): void {
  assert.ok(runId !== undefined);
  setFlowRunState(world.prefect, { runId, state: { type: 'Submitted' } }, at('-50m'));
  setFlowRunState(world.prefect, { runId, state: lazarus }, at('-40m'));
}

describe('a second page of due runs', () => {
  it('is read while the last wave of the first is created', async () => {
    const { report, creating } = await tick();

    assert.equal(report.counts.created, due);
    const [first, second] = creating;
    assert.deepEqual([creating.length, first], [2, 0]);
    assert.ok(second !== undefined && second > 0);
  });

  it('rests on the list of the first: no Job was made for a run that nobody has taken up', async () => {
    const { report, lists } = await tick();

    assert.deepEqual([report.counts.created, lists], [due, 1]);
  });

  it('rests on a list of its own where a run of it was taken up before', async () => {
    const { report, lists } = await tick({ given: (world, runIds) => resurrected(world, runIds.at(-1)) });

    // No more than 500 Jobs are there by then, so each list is one request.
    assert.deepEqual([report.counts.created, lists], [due, 2]);
  });

  it('rests on the list of the first where only a run of the first was taken up before', async () => {
    const { lists } = await tick({ given: (world, runIds) => resurrected(world, runIds[0]) });

    assert.equal(lists, 1);
  });

  const ages: Readonly<Record<string, { readonly ms: number; readonly lists: number }>> = {
    'is 10 s old': { ms: 10_000, lists: 1 },
    'is older': { ms: 10_001, lists: 2 },
  };
  for (const [name, { ms, lists }] of Object.entries(ages)) {
    it(`asks for ${lists} lists in all where the first ${name}: a Job that ended keeps its place no longer`, async () => {
      const seen = await tick({
        onPoll: (poll, { clock }) => {
          if (poll === 2) clock.advance(ms);
        },
      });

      assert.deepEqual([seen.report.counts.created, seen.lists], [due, lists]);
    });
  }

  it('counts the Jobs of the first, which the list does not show: MAX_IN_FLIGHT', async () => {
    const { world, report } = await tick({ env: { MAX_IN_FLIGHT: '600' } });

    assert.deepEqual([report.counts.created, world.jobs().length], [600, 600]);
    assert.equal(report.byRule['at-capacity'], due - 600);
  });

  it('counts them also while they are created: MAX_PER_TICK', async () => {
    const { world, report } = await tick({ env: { MAX_PER_TICK: '600' } });

    assert.deepEqual([report.counts.created, world.jobs().length], [600, 600]);
  });

  it('gives the places of those that were refused to others', async () => {
    const { world, report } = await tick({
      env: { MAX_IN_FLIGHT: '700' },
      onCreate: (create) => (create <= 100 ? refusal : undefined),
    });

    assert.deepEqual([report.counts.created, world.jobs().length], [650, 650]);
  });

  it('takes nothing from the first when it cannot be read: every claim has its Job before the tick ends', async () => {
    const { world, report } = await tick({
      onPoll: (poll) => {
        if (poll === 2) throw new ConnectionLost();
      },
    });

    assert.deepEqual([report.problem?.code, report.counts.created], ['PREFECT_UNREACHABLE', 500]);
    assert.equal(world.jobs().length, 500);
  });
});

describe('the read that verifies a wave', () => {
  it('asks for its runs alone while the poll is young: the next wave is claimed on the poll', async () => {
    const { readById } = await tick({ runs: 100 });

    assert.deepEqual(readById, [25, 50, 25]);
  });

  it('asks for those of the next wave as well where the poll will be too old for them', async () => {
    const { readById } = await tick({
      runs: 100,
      onClaim: (claim, { clock }) => clock.advance(claim === 1 ? 1_000 : 0),
    });

    assert.deepEqual(readById, [75, 75, 25]);
  });

  it('does not ask for them a millisecond earlier', async () => {
    const { readById } = await tick({ runs: 100, onClaim: (claim, { clock }) => clock.advance(claim === 1 ? 999 : 0) });

    assert.deepEqual(readById, [25, 50, 25]);
  });
});
