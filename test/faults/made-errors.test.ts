import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { BoundaryError } from '../../functions/errors.ts';
import { memoryGrounds } from './grounds.ts';
import { polls } from './requests.ts';
import { Scene } from './scene.ts';

/** What the checker says of a scene in which somebody makes this error and nobody logs it. */
async function verdictOn(make: (canary: string) => unknown): Promise<string> {
  const scene = await Scene.open(memoryGrounds());
  scene.aRun();
  await scene.dispatch();
  for (const canary of scene.grounds.canaries) make(canary);
  assert.ok(scene.grounds.canaries.length >= 3);
  try {
    scene.judge();
    return 'nothing';
  } catch (error) {
    return String(error);
  }
}

describe('an error that nobody has logged yet', () => {
  const holders: Readonly<Record<string, (canary: string) => unknown>> = {
    'in its message': (canary) => new BoundaryError('PREFECT_REFUSED', `who is ${canary}?`),
    'in its cause': (canary) => new BoundaryError('PREFECT_REFUSED', 'no', { cause: new Error(canary) }),
    'in a property of the cause of its cause': (canary) => {
      const cause = Object.assign(new Error('no'), { cause: { request: { headers: [canary] } } });
      return new BoundaryError('CLUSTER_UNREACHABLE', 'no', { cause });
    },
    'in its command': (canary) =>
      new BoundaryError('CLUSTER_REFUSED', 'no', { command: `curl -H ${btoa(`:${canary}`)}` }),
  };
  for (const [name, make] of Object.entries(holders)) {
    it(`may hold no secret ${name}`, async () => {
      assert.match(await verdictOn(make), /a secret stands in an output/u);
    });
  }

  it('may hold everything else', async () => {
    const cause = Object.assign(new Error('no'), { cause: { headers: ['Bearer'] } });
    assert.equal(await verdictOn(() => new BoundaryError('PREFECT_REFUSED', 'who is it?', { cause })), 'nothing');
  });

  it('is looked at although the tick caught it', async () => {
    const scene = await Scene.open(memoryGrounds());
    scene.relay.rule(polls, { kind: 'status', status: 500 });

    const report = await scene.dispatch();

    assert.equal(report.problem?.code, 'PREFECT_UNREACHABLE');
    assert.ok(scene.witnessed().outputs.some((text) => /^BoundaryError: [^]*\n +at /u.test(text)));
  });
});
