import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Witnessed } from '../faults/witness.ts';
import { T0 } from '../support/time.ts';
import { aRun, aScenario } from './scenario-example.ts';
import { simulate } from './simulate.ts';

const minute = 60_000;
const hour = 60 * minute;
/** MAX_IN_FLIGHT as it is when nobody sets it; a run of these worlds is over before the next tick. */
const inFlight = 500;

/** `npm run test:faults` plays all of them, `npm test` a part. */
const isWhole = process.env['FAULTS'] === 'all';

const sinceStart = (instant: Date | undefined): number => (instant ?? T0).getTime() - T0.getTime();
const statesOf = ({ runs }: Witnessed) => [...new Set(runs.map(({ state }) => state))];

describe('many runs at once', () => {
  const count = isWhole ? 10_000 : 600;

  it(`drains ${count} due runs among ${count} Jobs of others, ${inFlight} a tick, each tick in its time`, async () => {
    const runs = Array.from({ length: count }, () => aRun());
    const { witnessed, violations } = await simulate(aScenario({ hours: 1, runs, settings: { crowd: count } }));

    assert.deepEqual(violations, []);
    assert.deepEqual(statesOf(witnessed), ['Success']);
    assert.ok(witnessed.invocations.every(({ endedAt, killed }) => endedAt !== null && !killed));
    const last = Math.max(
      ...witnessed.jobs.filter(({ key }) => key !== null).map(({ createdAt }) => sinceStart(createdAt)),
    );
    const ticks = Math.floor(last / minute) + 1;
    assert.ok(ticks <= count / inFlight + 2, `${ticks} ticks`);
  });
});

describe('Prefect is away for an hour', () => {
  const count = isWhole ? 1_000 : 600;

  it(`has ${count} late runs at work or reported within five minutes of its return`, async () => {
    const runs = Array.from({ length: count }, (_, place) => aRun({ dueAtMs: Math.floor((place / count) * hour) }));
    const acts = [{ row: 15, kind: 'prefect-down', atMs: 0, forMs: hour } as const];
    const { witnessed, violations } = await simulate(aScenario({ hours: 1.5, runs, acts }));

    assert.deepEqual(violations, []);
    assert.deepEqual(statesOf(witnessed), ['Success']);
    const begun = witnessed.runs.map(({ history }) =>
      history.find(({ state }) => state === 'Running' || state === 'Failed'),
    );
    const slowest = Math.max(...begun.map((row) => (row === undefined ? Infinity : sinceStart(row.at))));
    assert.ok(slowest > hour && slowest <= hour + 5 * minute, `${(slowest - hour) / 1_000} s after the return`);
  });
});
