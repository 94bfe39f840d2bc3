import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { smallAnswerBytes } from '../../functions/kubernetes/session.ts';
import { startContainer, type Invoked } from '../support/lambda-container.ts';
import { heapFlags } from '../support/lambda-heap.ts';
import { bundleAll, type Programs } from './bundled.ts';
import { runtimeMb } from './lambda-limits.ts';
import { startLab, type Lab } from './lab/start.ts';

const megabyte = 1024 * 1024;
const memoryMb = 256;
/** Long enough for all that go together to be on their way before the first is answered. */
const latencyMs = 200;
const mostTogether = '64';

/** A tick in a fresh process with the heap that Lambda gives Node in a function of this size. */
async function tick(file: string, { env }: Lab): Promise<Invoked> {
  const own = { CREATE_CONCURRENCY: mostTogether, NODE_OPTIONS: heapFlags(memoryMb).join(' ') };
  await using container = await startContainer(file, { ...env, ...own });
  const invoked = await container.invoke();
  return invoked;
}

function assertFits({ peakRssBytes }: Invoked): void {
  const megabytes = peakRssBytes / megabyte;
  assert.ok(megabytes < memoryMb - runtimeMb, `${megabytes} MB`);
}

describe('large answers to every create, in 256 MB', () => {
  let programs: Programs;
  before(async () => {
    programs = await bundleAll();
  });
  after(async () => programs[Symbol.asyncDispose]());

  it('of 31 MiB end the tick, which knows of no Job and of no failure', async () => {
    await using lab = await startLab({ runs: 32, jobs: 0, latencyMs, answerBytes: 31 * megabyte });

    const invoked = await tick(programs.dispatch, lab);

    assertFits(invoked);
    assert.equal(invoked.error?.code, 'CLUSTER_UNREACHABLE');
    assert.ok((await lab.report()).created > 16);
  });

  it('that are as large as they may be are all read', async () => {
    await using lab = await startLab({ runs: 80, jobs: 0, latencyMs, answerBytes: smallAnswerBytes });

    const invoked = await tick(programs.dispatch, lab);

    assertFits(invoked);
    assert.equal(invoked.result?.counts['created'], 80);
  });
});
