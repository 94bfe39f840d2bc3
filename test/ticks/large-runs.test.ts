import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { AnswerTooLargeError } from '../../functions/prefect/http.ts';
import { seedFlowRun } from '../../infra/local/prefect-api/seed.ts';
import { SimulatedWorld } from '../support/simulated-world.ts';
import { at } from '../support/time.ts';

const due = 70;

/** A tick over due runs of which more than `most` in one answer are more than can be held, and what each poll asked for. */
async function tick(most: number) {
  const world = new SimulatedWorld();
  for (let n = 0; n < due; n += 1) seedFlowRun(world.prefect, { startTime: at('-1m') }, at('-2m'));
  const asked: number[] = [];
  world.onPrefect = (request, forward) => {
    const [, limit] = /"limit":(\d+),"spec":true/u.exec(request.body) ?? [];
    if (limit === undefined) return forward();
    asked.push(Number(limit));
    if (Number(limit) > most) throw new AnswerTooLargeError('more than 33554432 bytes');
    return forward();
  };
  const report = await world.container().dispatch();
  return { report, asked };
}

describe('due runs whose run configs are more than one answer may hold', () => {
  it('are read in smaller pages, until all have their Jobs', async () => {
    const { report, asked } = await tick(32);

    assert.deepEqual([report.counts.created, report.problem], [due, null]);
    // 31 and one more of each kind; 31, 31 and 8 of them.
    assert.deepEqual(asked, [501, 126, 32, 501, 126, 32, 501, 126, 32]);
  });

  it('are left alone where even one is too much, and the tick says so', async () => {
    const { report, asked } = await tick(1);

    assert.deepEqual([report.counts.created, report.problem?.code], [0, 'PREFECT_UNREADABLE']);
    assert.deepEqual(asked, [501, 126, 32, 8, 2]);
  });
});
