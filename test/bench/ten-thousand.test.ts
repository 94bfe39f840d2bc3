import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { functionLimitMs } from '../../functions/limits.ts';
import { startContainer, type Invoked } from '../support/lambda-container.ts';
import { heapFlags } from '../support/lambda-heap.ts';
import { bundleAll, type Programs } from './bundled.ts';
import { startLab, type Lab } from './lab/start.ts';
import { runtimeMb } from './lambda-limits.ts';

const tenThousand = 10_000;
const perTick = 1_000;
const megabyte = 1024 * 1024;
const memoryMb = 256;
/** A tick may take so much of the CPU of its invocation: with the share that 256 MB get it still ends in time. */
const cpuMs = functionLimitMs / 8;

/** A tick in a fresh process with the heap that Lambda gives Node in a function of this size. */
async function tick(file: string, { env }: Lab): Promise<Invoked> {
  const own = { MAX_PER_TICK: String(perTick), NODE_OPTIONS: heapFlags(memoryMb).join(' ') };
  await using container = await startContainer(file, { ...env, ...own });
  const invoked = await container.invoke();
  return invoked;
}

function assertFits({ error, peakRssBytes, cpuMs: used }: Invoked): void {
  assert.equal(error, null);
  const megabytes = peakRssBytes / megabyte;
  assert.ok(megabytes < memoryMb - runtimeMb, `${megabytes} MB`);
  assert.ok(used < cpuMs, `${used} ms of CPU`);
}

describe('ten thousand due runs, and ten thousand Jobs in the namespace, in 256 MB', () => {
  let programs: Programs;
  before(async () => {
    programs = await bundleAll();
  });
  after(async () => programs[Symbol.asyncDispose]());

  it('dispatch reads all Jobs and creates what it may in one tick', async () => {
    await using lab = await startLab({ runs: 0, firstRun: tenThousand, jobs: tenThousand, latencyMs: 1 });
    await lab.reset(tenThousand);

    const invoked = await tick(programs.dispatch, lab);

    assertFits(invoked);
    assert.equal(invoked.result?.counts['created'], perTick);
    assert.equal((await lab.report()).created, perTick);
  });

  it('reconcile judges every one of them', async () => {
    await using lab = await startLab({ runs: 0, runState: 'Submitted', jobs: tenThousand, latencyMs: 1 });
    await lab.reset(tenThousand);

    const invoked = await tick(programs.reconcile, lab);

    assertFits(invoked);
    assert.equal(invoked.result?.counts['waiting'], tenThousand);
  });
});
