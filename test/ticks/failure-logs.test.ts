import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readFlowRun } from '../../infra/local/prefect-api/inspect.ts';
import { playCrashLoop, playFailed } from '../support/played-pods.ts';
import { aWorld, end, minute, set, stateOf } from '../support/protocol-world.ts';
import { ConnectionLost } from '../support/simulated-world.ts';

type World = ReturnType<typeof aWorld>;

interface Said {
  readonly last?: string;
  readonly previous?: string;
}

/** A flow that ended with 1 after so many starts more, and what its containers said. */
async function failAfter({ world, runId, agent }: World, restarts: number, said: Said): Promise<void> {
  await agent.dispatch();
  set(world, runId, 'Running');
  playFailed(world, runId, restarts);
  const pod = `failed-pod-of-${world.jobsOf(runId)[0]?.metadata.uid}`;
  world.cluster.logs.set(`${pod}/flow`, said.last ?? '');
  world.cluster.logs.set(`${pod}/flow/previous`, said.previous ?? '');
  end(world, runId, 'Failed');
  world.clock.advance(3 * minute);
}

const errorsOf = ({ world, runId }: World): readonly string[] =>
  (readFlowRun(world.prefect, runId)?.logs ?? [])
    .filter(({ level }) => level === 'ERROR')
    .map(({ message }) => message ?? '');

const logRequests = ({ world }: World): readonly string[] =>
  world.requests.kubernetes.map(({ path }) => path).filter((path) => path.includes('/log?'));

const before = 'Last lines of the log before the container was started again';
const atLast = "Last lines of the container's log";

describe('the last lines of a failed flow container', () => {
  it('are those of the last process and, after a restart, of the one before it', async () => {
    const scene = aWorld();
    await failAfter(scene, 2, { last: 'the lock is taken\n', previous: 'out of disk\n' });
    await scene.agent.reconcile();
    assert.deepEqual(errorsOf(scene).slice(1), [`${before}:\nout of disk`, `${atLast}:\nthe lock is taken`]);
  });

  it('are asked for once where nothing was started again', async () => {
    const scene = aWorld();
    await failAfter(scene, 0, { last: 'division by zero\n', previous: 'of nobody\n' });
    await scene.agent.reconcile();
    assert.deepEqual(errorsOf(scene).slice(1), [`${atLast}:\ndivision by zero`]);
    assert.equal(logRequests(scene).length, 1);
  });

  it('are told once of a container that waits to be started again', async () => {
    const scene = aWorld();
    const { world, runId, agent } = scene;
    await agent.dispatch();
    playCrashLoop(world, runId, 7);
    world.cluster.logs.set(`failed-pod-of-${world.jobsOf(runId)[0]?.metadata.uid}/flow`, 'no such file\n');
    world.clock.advance(60 * minute);
    await agent.reconcile();
    assert.equal(stateOf(world, runId), 'Failed');
    assert.deepEqual(errorsOf(scene).slice(1), [`${atLast}:\nno such file`]);
  });

  it('keep their end when they are too long, in whole lines, without what redraws a terminal', async () => {
    const scene = aWorld();
    const line = `\u001B[31m${'x'.repeat(9_990)}\u001B[0m\n`;
    await failAfter(scene, 0, { last: `${line.repeat(40)}\u001B]0;title\u0007the\u0008 reason\r\n` });
    await scene.agent.reconcile();
    const said = errorsOf(scene)[1] ?? '';
    assert.ok(said.startsWith(`${atLast}:\n… [cut]\nxxx`));
    assert.ok(said.endsWith('x\nthe reason'));
    assert.ok(said.length <= 250_100 && said.length > 230_000);
    assert.ok(
      said
        .split('\n')
        .slice(2, -1)
        .every((each) => each.length === 9_990),
    );
  });

  it('cost nobody the others when one log cannot be read', async () => {
    const scene = aWorld();
    await failAfter(scene, 1, { last: 'the lock is taken\n', previous: 'out of disk\n' });
    scene.world.onKubernetes = (request, forward) => {
      if (request.path.includes('previous=true')) throw new ConnectionLost();
      return forward();
    };
    await scene.agent.reconcile();
    assert.equal(stateOf(scene.world, scene.runId), 'Failed');
    assert.deepEqual(errorsOf(scene).slice(1), [`${atLast}:\nthe lock is taken`]);
  });

  it('are not read with LOG_TAIL_LINES 0', async () => {
    const scene = aWorld({ LOG_TAIL_LINES: '0' });
    await failAfter(scene, 1, { last: 'the lock is taken\n' });
    await scene.agent.reconcile();
    assert.equal(stateOf(scene.world, scene.runId), 'Failed');
    assert.equal(logRequests(scene).length, 0);
  });
});
