import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Context } from 'aws-lambda';

import type { Outside, Tick } from '../functions/composition.ts';
import { summarise, type TickReport } from '../functions/core/tick-report.ts';
import { entry } from '../functions/entry.ts';
import { aClock, type TestClock } from './support/clients.ts';
import { T0 } from './support/time.ts';

const smallest = { PREFECT_API: 'http://prefect.test', EKS_CLUSTER_NAME: 'test', STACK_ID: 'flows-test' };

/** A tick that takes so many milliseconds of the clock, and could work unless it has a problem. */
interface PlayedTick {
  readonly ms: number;
  readonly problem?: TickReport['problem'];
}

const created = { kind: 'created', rule: 'due', action: 'create-job', runId: 'r', job: 'j', why: 'due' } as const;

/** A machine on a test's clock whose ticks go as they are written; what begins when is kept, in seconds. */
function aMachine(env: Readonly<Record<string, string>>, ticks: readonly PlayedTick[]) {
  const clock = aClock();
  const begun: number[] = [];
  const requests = new Set<string>();
  const tick: Tick = async ({ requestId, endsAt }) => {
    const played = ticks[begun.length] ?? ticks.at(-1);
    const now = clock.now().getTime();
    begun.push((now - T0.getTime()) / 1_000);
    requests.add(`${requestId} until ${(endsAt.getTime() - T0.getTime()) / 1_000}`);
    clock.set(new Date(now + (played?.ms ?? 0)));
    return summarise('dispatch', [created], { facts: {}, problem: played?.problem ?? null });
  };
  const unused = (): never => assert.fail('no socket is opened here');
  const outside: Outside = {
    clock,
    newId: () => 'id',
    env: { ...smallest, ...env },
    openHttp: unused,
    openSession: unused,
  };
  const handler = entry(
    () => tick,
    () => outside,
  );
  const invoke = (limitMs = 50_000) =>
    handler({}, { awsRequestId: 'request-1', getRemainingTimeInMillis: () => limitMs } as Context);
  return { begun, requests, clock, invoke };
}

/** A sleeper that wakes so much later than it wanted. */
function oversleeping(clock: TestClock, lateMs: number): void {
  const sleep = clock.sleep.bind(clock);
  Object.assign(clock, { sleep: async (ms: number) => sleep(ms + lateMs) });
}

describe('PERIOD', () => {
  const cadences: Readonly<
    Record<string, { env?: Record<string, string>; ticks: readonly PlayedTick[]; limitMs?: number; want: number[] }>
  > = {
    'left out is one tick': { ticks: [{ ms: 100 }], want: [0] },
    'of 15 s is three ticks: a fourth would have 5 s': {
      env: { PERIOD: '15s' },
      ticks: [{ ms: 100 }],
      want: [0, 15, 30],
    },
    'of 5 s is as many as have time': { env: { PERIOD: '5s' }, ticks: [{ ms: 0 }], want: [0, 5, 10, 15, 20, 25, 30] },
    'of 32 s is two, the second just in time': { env: { PERIOD: '32s' }, ticks: [{ ms: 100 }], want: [0, 32] },
    'counts from the beginning of a tick, not from its end': {
      env: { PERIOD: '15s' },
      ticks: [{ ms: 10_000 }, { ms: 100 }],
      want: [0, 15, 30],
    },
    'is waited for no longer once a tick took longer': {
      env: { PERIOD: '10s' },
      ticks: [{ ms: 14_000 }, { ms: 100 }],
      want: [0, 14, 24],
    },
    'starts nothing after a tick that used the time up': {
      env: { PERIOD: '10s' },
      ticks: [{ ms: 33_000 }],
      want: [0],
    },
    'knows a shorter time limit': { env: { PERIOD: '10s' }, ticks: [{ ms: 100 }], limitMs: 30_000, want: [0, 10] },
  };
  for (const [name, { env = {}, ticks, limitMs, want }] of Object.entries(cadences)) {
    it(name, async () => {
      const { begun, requests, invoke } = aMachine(env, ticks);

      const summary = await invoke(limitMs);

      assert.deepEqual(begun, want);
      assert.deepEqual(requests, new Set([`request-1 until ${(limitMs ?? 50_000) / 1_000}`]));
      assert.ok('counts' in summary);
      assert.deepEqual([summary.function, summary.counts['created']], ['dispatch', want.length]);
    });
  }

  it('starts nothing when the timer comes too late, as after a thaw', async () => {
    const { begun, clock, invoke } = aMachine({ PERIOD: '15s' }, [{ ms: 100 }]);
    oversleeping(clock, 20_000);

    await invoke();

    assert.deepEqual(begun, [0]);
  });

  it('begins again with each invocation', async () => {
    const { begun, invoke } = aMachine({ PERIOD: '15s' }, [{ ms: 0 }]);
    await invoke();
    await invoke();

    assert.deepEqual(begun, [0, 15, 30, 30, 45, 60]);
  });

  it('lets every tick have its turn, then fails for the one that could not work', async () => {
    const problem = { code: 'PREFECT_UNREACHABLE', message: 'The Prefect API is away.' };
    const { begun, invoke } = aMachine({ PERIOD: '15s' }, [{ ms: 100 }, { ms: 100, problem }, { ms: 100 }]);

    await assert.rejects(invoke(), {
      name: 'BoundaryError',
      code: 'PREFECT_UNREACHABLE',
      message: '1 of 3 ticks could not work, the first: The Prefect API is away.',
    });
    assert.deepEqual(begun, [0, 15, 30]);
  });

  it('left out, says what the one tick says', async () => {
    const problem = { code: 'SECRET_UNAVAILABLE', message: 'The secret is empty.' };
    const { invoke } = aMachine({}, [{ ms: 100, problem }]);

    await assert.rejects(invoke(), { code: 'SECRET_UNAVAILABLE', message: 'The secret is empty.' });
  });

  for (const period of ['4s', '33s', '1m', '0', 'twice', '500ms']) {
    it(`of ${period} is a configuration error, before anything begins`, async () => {
      const { begun, invoke } = aMachine({ PERIOD: period }, [{ ms: 0 }]);

      await assert.rejects(invoke(), {
        code: 'CONFIG_INVALID',
        message:
          'The configuration has 1 problem(s): PERIOD must be once, or from 5s to 32s: a later tick would have no time left in its invocation.',
      });
      assert.deepEqual(begun, []);
    });
  }
});
