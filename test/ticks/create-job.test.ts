import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { V1Job } from '@kubernetes/client-node';

import type { Submit } from '../../functions/core/dispatch-plan.ts';
import type { CreateAnswer } from '../../functions/kubernetes/contract.ts';
import { Budget } from '../../functions/ticks/budget.ts';
import { JobCreator } from '../../functions/ticks/create-job.ts';
import { Limiter } from '../../functions/ticks/limiter.ts';
import { aFlowRun } from '../support/builders.ts';
import { StandingClock } from '../support/standing-clock.ts';
import { at, T0 } from '../support/time.ts';

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
};

const submit = (name: string): Submit => ({
  kind: 'submit',
  rule: 'due',
  run: aFlowRun(),
  mode: 'claim',
  key: '1',
  claimId: 'c',
  startAt: T0,
  job: { metadata: { name } },
  warnings: [],
});

const created: CreateAnswer = { kind: 'created', uid: 'u', warnings: [] };
const throttled: CreateAnswer = {
  kind: 'refused',
  class: 'throttled',
  status: 429,
  message: 'later',
  retryAfterSeconds: 5,
};

/** A creator whose API server answers when the test says so. */
function aCreator(concurrency: number) {
  const clock = new StandingClock();
  const sent: string[] = [];
  const answers: ((answer: CreateAnswer) => void)[] = [];
  const createJob = async (job: V1Job): Promise<CreateAnswer> => {
    sent.push(job.metadata?.name ?? '');
    return new Promise((answer) => answers.push(answer));
  };
  const budget = new Budget(clock, { endsAt: at('+50s'), requestId: 'r' });
  const creator = new JobCreator({
    cluster: { createJob },
    limiter: new Limiter(clock, concurrency),
    budget,
    now: () => clock.now(),
  });
  const answer = async (nth: number, what: CreateAnswer): Promise<void> => {
    answers[nth]?.(what);
    await settle();
  };
  return { clock, creator, sent, answer };
}

describe('creating Jobs', () => {
  it('a Retry-After for one holds back those that have not been sent', async () => {
    const { clock, creator, sent, answer } = aCreator(2);
    const all = ['a', 'b', 'c'].map(async (name) => creator.create(submit(name)));
    await settle();
    await answer(0, throttled);
    await answer(1, created);
    assert.deepEqual(sent, ['a', 'b']);
    clock.moveTo(at('+4999ms'));
    await settle();
    assert.deepEqual(sent, ['a', 'b']);
    clock.moveTo(at('+5s'));
    await settle();
    assert.deepEqual(sent.slice(2), ['c'], 'one at a time now');
    await answer(2, created);
    assert.deepEqual(sent.slice(3), ['a']);
    await answer(3, created);
    assert.deepEqual(
      (await Promise.all(all)).map(({ kind }) => kind),
      ['created', 'created', 'created'],
    );
  });

  it('the first refusal by quota keeps the others from being sent', async () => {
    const { creator, sent, answer } = aCreator(1);
    const all = ['a', 'b'].map(async (name) => creator.create(submit(name)));
    await settle();
    await answer(0, {
      kind: 'refused',
      class: 'quota',
      status: 403,
      message: 'exceeded quota',
      retryAfterSeconds: null,
    });
    assert.deepEqual(
      (await Promise.all(all)).map(({ kind }) => kind),
      ['refused', 'not-sent'],
    );
    assert.deepEqual(sent, ['a']);
    assert.equal(creator.end?.class, 'quota');
  });

  it('a refusal of one Job alone keeps nobody', async () => {
    const { creator, sent, answer } = aCreator(1);
    const all = ['a', 'b'].map(async (name) => creator.create(submit(name)));
    await settle();
    await answer(0, { kind: 'refused', class: 'invalid', status: 422, message: 'nonsense', retryAfterSeconds: null });
    await answer(1, created);
    assert.deepEqual(
      (await Promise.all(all)).map(({ kind }) => kind),
      ['refused', 'created'],
    );
    assert.deepEqual(sent, ['a', 'b']);
  });

  it('429 halves what is in flight at a time, retries included', async () => {
    const { clock, creator, sent, answer } = aCreator(4);
    const all = ['a', 'b', 'c', 'd', 'e'].map(async (name) => creator.create(submit(name)));
    await settle();
    assert.equal(sent.length, 4);
    for (const nth of [0, 1]) await answer(nth, throttled);
    for (const nth of [2, 3]) await answer(nth, created);
    clock.moveTo(at('+5s'));
    await settle();
    assert.equal(sent.length, 6, 'two at a time');
    for (let nth = 4; nth < 7; nth += 1) await answer(nth, created);
    assert.deepEqual(
      (await Promise.all(all)).map(({ kind }) => kind),
      ['created', 'created', 'created', 'created', 'created'],
    );
  });

  it('any Retry-After holds everybody back; a server error without one only itself', async () => {
    for (const [retryAfterSeconds, want] of [
      [3, ['a']],
      [null, ['a', 'b']],
    ] as const) {
      const { clock, creator, sent, answer } = aCreator(1);
      const all = ['a', 'b'].map(async (name) => creator.create(submit(name)));
      await settle();
      await answer(0, { ...throttled, class: 'server', status: 500, retryAfterSeconds });
      assert.deepEqual(sent, want);
      clock.moveTo(at('+3s'));
      await settle();
      for (const nth of [1, 2]) await answer(nth, created);
      await Promise.all(all);
    }
  });

  it('a Retry-After that outlasts the invocation ends the creating at once', async () => {
    for (const retryAfterSeconds of [39, 1e308]) {
      const { creator, sent, answer } = aCreator(1);
      const all = ['a', 'b'].map(async (name) => creator.create(submit(name)));
      await settle();
      await answer(0, { ...throttled, retryAfterSeconds });
      assert.deepEqual(
        (await Promise.all(all)).map(({ kind }) => kind),
        ['refused', 'not-sent'],
      );
      assert.deepEqual(sent, ['a']);
      assert.equal(creator.end?.class, 'throttled');
    }
  });

  it('a Retry-After that leaves time for a create is waited for', async () => {
    const { clock, creator, answer } = aCreator(1);
    const one = creator.create(submit('a'));
    await settle();
    await answer(0, { ...throttled, retryAfterSeconds: 37 });
    clock.moveTo(at('+37s'));
    await settle();
    await answer(1, created);
    assert.equal((await one).kind, 'created');
  });
});
